"""A stack's life: up from the last release, a policy that code keeps, taken away, and put up again over what stayed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from handshake_acceptor_cdk.asset import build
from local.aws import LOG_GROUP, SETTINGS, CommandFailed, embedded_aws, run, wait_for
from local.emulator import ROOT
from tests.support.account import Account, add_organizations, document, upload
from tests.support.origins import DENIED, MEMBER, PREFIX
from tests.support.synthesis import synthesize

RELEASE = Path(__file__).parent / "releases" / "0.1.0.template.json"
DEPLOYED, ALLOWLIST = "policy/deployed", "policy/allowlist"
OLD_CODE = """
def handler(event, context):
    return {"release": "0.1.0"}
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account with the last release, whose function is a stand-in: what counts of it is its template."""
    with embedded_aws() as aws:
        account = Account(aws, MEMBER)
        add_organizations(aws)
        account.register()
        aws.bootstrap(account.id)
        template = RELEASE.read_text()
        (function,) = (
            each for each in json.loads(template)["Resources"].values() if each["Type"] == "AWS::Lambda::Function"
        )
        code = function["Properties"]["Code"]
        # Under a key of its own: as long as nothing changes in it, today's asset has the key of the release's.
        upload(account, code["S3Bucket"], "0.1.0.zip", zipped("handshake_acceptor/handler.py", OLD_CODE))
        account.create(template.replace(code["S3Key"], "0.1.0.zip"))
        yield account


def zipped(name: str, text: str) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def assembly(folder: Path, policy: str = "", **settings: object) -> Path:
    """What the CDK CLI deploys, as the app synthesizes it now; with a document that code keeps, if one is given."""
    raw = json.loads(SETTINGS.read_text()) | settings
    if policy:
        (folder / "policy.json").write_text(policy)
        raw["policy"] = "policy.json"
    return Path(synthesize(raw, asset=build.build_asset(), folder=folder).node.root.synth().directory)


def cdk(account: Account, command: str, app: Path, *options: str) -> None:
    """`cdk deploy` or `cdk destroy` of an assembly: the app need not run again for each."""
    arguments = [command, "--app", str(app), "--no-notices", "--no-version-reporting", *options]
    run([str(ROOT / "node_modules" / ".bin" / "cdk"), *arguments], account.aws.environment(account.id))


def deploy(account: Account, app: Path, *options: str) -> None:
    cdk(account, "deploy", app, "--require-approval", "never", *options)


def test_an_upgrade_keeps_edits_and_replaces_the_function(account: Account) -> None:
    assert account.run() == {"release": "0.1.0"}
    account.put(ALLOWLIST, document("JoinByHand"))
    account.put("mode", "observe")
    edited = account.read(ALLOWLIST), account.read("mode")
    account.aws.deploy(account.id)
    assert (account.read(ALLOWLIST), account.read("mode")) == edited
    invited = account.invite()
    assert account.decisions() == [(invited, "OBSERVED", ("JoinByHand",))]
    account.put("mode", "enforce")
    wait_for("the accept", lambda: account.state(invited) == "ACCEPTED")


def test_every_deploy_writes_the_policy_of_the_setting_until_it_is_taken_out(account: Account, tmp_path: Path) -> None:
    account.put(ALLOWLIST, document("JoinByHand"))
    mine, by_code = account.read(ALLOWLIST), document("JoinByCode")
    deploy(account, assembly(tmp_path, by_code))
    assert account.text(DEPLOYED) == by_code
    account.put(DEPLOYED, document("EditedInPlace"))
    deploy(account, assembly(tmp_path, by_code))
    assert account.text(DEPLOYED) == by_code
    deploy(account, assembly(tmp_path))
    assert account.read(DEPLOYED) is None
    assert account.read(ALLOWLIST) == mine


def test_destroy_leaves_policy_mode_and_log_and_a_deploy_adopts_them_when_told_to(
    account: Account, tmp_path: Path
) -> None:
    account.put(ALLOWLIST, document("JoinByHand"))
    account.put("mode", "observe")
    kept = account.read(ALLOWLIST), account.read("mode")
    logged = events(account)
    assert logged
    app = assembly(tmp_path)

    cdk(account, "destroy", app, "--force")
    assert account.client("lambda").list_functions()["Functions"] == []
    assert (account.read(ALLOWLIST), account.read("mode")) == kept
    assert logged <= events(account)

    with pytest.raises(CommandFailed, match="already exists"):
        deploy(account, app)
    assert (account.read(ALLOWLIST), account.read("mode")) == kept
    assert logged <= events(account)

    deploy(account, app, "--import-existing-resources")
    assert (account.read(ALLOWLIST), account.read("mode")) == kept
    assert logged <= events(account)
    assert account.has(f"{PREFIX}{ALLOWLIST}", f"{PREFIX}mode", LOG_GROUP)
    invited = account.invite(DENIED)
    assert account.decisions() == [(invited, "LEFT_PENDING", ())]


def test_a_stack_that_is_to_keep_nothing_any_more_leaves_what_people_pushed(account: Account, tmp_path: Path) -> None:
    """CloudFormation takes the setting `keep` only together with a change of a resource."""
    app = assembly(tmp_path, keep=False, logRetentionDays=30)
    deploy(account, app)
    account.put("policy/team", document("JoinByTeam"))
    cdk(account, "destroy", app, "--force")
    assert account.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"] == []
    assert names(account) == [f"{PREFIX}policy/team"]

    command = [".venv/bin/handshakectl", "remove", "--all", "--before-deploy", "--yes"]
    run(command, account.aws.environment(account.id))
    assert names(account) == []
    deploy(account, app)
    assert names(account) == [f"{PREFIX}mode", f"{PREFIX}{ALLOWLIST}"]


def names(account: Account) -> list[str]:
    """Of the acceptor's parameters."""
    pages = account.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=PREFIX, Recursive=True)
    return sorted(each["Name"] for page in pages for each in page["Parameters"])


def events(account: Account) -> set[str]:
    """What the function's log holds: a run that an edit woke may still add to it."""
    pages = account.client("logs").get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP)
    return {event["message"] for page in pages for event in page["events"]}
