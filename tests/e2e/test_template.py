"""The template for many accounts, deployed by plain CloudFormation calls: no CDK, no bootstrap, another's bucket.

The embedded AWS evaluates the template's parameters, conditions and rules by itself; that the bucket's own policy
decides who may fetch the asset is added to it in local/adapters/ministack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from local.aws import LOG_GROUP, SETTINGS, embedded_aws
from local.emulator import ROOT
from tests.support.account import Account, Published, add_organizations, document, publish, upload
from tests.support.origins import ALLOWED, DENIED, PREFIX
from tests.support.pages import Person, commands, sections

pytestmark = pytest.mark.builds

OPERATOR, FIRST, SECOND, UNKNOWN = "888888888888", "222222222222", "555555555555", "666666666666"
LATE = "777777777777"
"""An account to which the template is deployed when somebody has replaced the asset."""
DEPLOYED, ALLOWLIST = "policy/deployed", "policy/allowlist"
REMOVAL = sections((ROOT / "docs" / "fleet.md").read_text("utf-8"))["Removal and upgrade"]


@dataclass(frozen=True, slots=True)
class Fleet:
    operator: Account
    first: Account
    second: Account
    late: Account
    unknown: Account
    """An account that the bucket's policy does not name."""
    published: Published


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with embedded_aws() as aws:
        operator, *accounts = (Account(aws, each) for each in (OPERATOR, FIRST, SECOND, LATE, UNKNOWN))
        add_organizations(aws)
        for account in accounts:
            account.register()
        published = publish(operator, [FIRST, SECOND, LATE])
        yield Fleet(operator, *accounts, published)


def test_two_accounts_accept_by_the_deployed_policy_alone(fleet: Fleet) -> None:
    for account in (fleet.first, fleet.second):
        fleet.published.create(account, DeployedPolicy=document("JoinByTemplate"))
        wanted, other = account.invite(), account.invite(DENIED)
        assert sorted(account.decisions()) == sorted(
            [(wanted, "ACCEPTED", ("JoinByTemplate",)), (other, "LEFT_PENDING", ())]
        )
        assert (account.state(wanted), account.state(other)) == ("ACCEPTED", "OPEN")


def test_another_document_arrives_and_what_the_owner_wrote_stays(fleet: Fleet) -> None:
    account = fleet.first
    account.put(ALLOWLIST, document("JoinByHand", DENIED))
    mine = account.read(ALLOWLIST)
    account.update(fleet.published.template, DeployedPolicy=document("JoinAnew"))
    assert account.text(DEPLOYED) == document("JoinAnew")
    account.put(DEPLOYED, document("EditedInPlace"))
    account.update(fleet.published.template, DeployedPolicyRevision="2")
    assert account.text(DEPLOYED) == document("JoinAnew")
    account.update(fleet.published.template, DeployedPolicy="")
    assert account.read(DEPLOYED) is None
    assert account.read(ALLOWLIST) == mine


def test_the_parameter_origins_is_the_ceiling(fleet: Fleet) -> None:
    account = fleet.second
    tail = f"{DENIED.management_account_id}:handshake/{DENIED.organization_id}/invite"
    account.update(fleet.published.template, Origins=tail)
    role = account.client("iam").get_role_policy(RoleName="handshake-acceptor", PolicyName="handshake-acceptor")
    (accept,) = (each for each in role["PolicyDocument"]["Statement"] if each["Sid"] == "Accept")
    assert accept["Resource"] == [f"arn:aws:organizations::{tail}/*"]


def test_nothing_is_left_in_an_account_that_may_not_read_the_asset(fleet: Fleet) -> None:
    account = fleet.unknown
    why = fleet.published.why_not_created(account)
    assert "access has been denied by S3" in why
    assert account.read("mode") is None
    assert account.client("logs").describe_log_groups()["logGroups"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("Origins", "*"), ("Origins", f"{ALLOWED.management_account_id}:*"), ("ManagementAccounts", "*")],
)
def test_a_wildcard_is_refused_before_anything_is_made(fleet: Fleet, name: str, value: str) -> None:
    why = fleet.published.why_not_created(fleet.unknown, **{name: value})
    assert f"Parameter '{name}' must be " in why


def test_what_a_removal_kept_is_adopted_or_deleted_as_the_page_says(fleet: Fleet, tmp_path: Path) -> None:
    account = fleet.first
    account.put(ALLOWLIST, document("JoinByHand"))
    account.put("mode", "observe")
    kept = account.read(ALLOWLIST), account.read("mode")
    account.delete()
    assert (account.read(ALLOWLIST), account.read("mode"), account.read(DEPLOYED)) == (*kept, None)

    assert "already exists" in fleet.published.why_not_created(account)
    account.delete()
    assert (account.read(ALLOWLIST), account.read("mode")) == kept

    template = tmp_path / "handshake-acceptor.template.json"
    template.write_text(fleet.published.template)
    person = Person(account.aws, tmp_path)
    person.has_profiles({"first": account.id})
    (tmp_path / "profiles").write_text("first")
    create, execute, delete = (
        each.replace("build/template", str(tmp_path)).replace("cat profiles", f"cat {tmp_path}/profiles")
        for each in commands(REMOVAL)
        if each.startswith("for p in")
    )
    assert person.types(create)[0] == 0
    account.wait("change_set_create_complete", ChangeSetName="adopt")
    assert person.types(execute)[0] == 0
    account.wait("stack_create_complete")
    assert (account.read(ALLOWLIST), account.read("mode")) == kept
    assert account.has(f"{PREFIX}mode", f"{PREFIX}{ALLOWLIST}", LOG_GROUP)

    account.delete()
    assert person.types(delete)[0] == 0
    fleet.published.create(account)
    assert account.text("mode") == "enforce"


def test_another_file_in_the_assets_place_fails_the_deploy_and_leaves_nothing(fleet: Fleet) -> None:
    bucket, s3 = fleet.published.asset["AssetBucket"], fleet.operator.client("s3")
    (key,) = (each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"])
    built = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with ZipFile(other := BytesIO(), "w") as archive:
        archive.writestr("handshake_acceptor/handler.py", "def handler(event, context): return 'not yours'")
    upload(fleet.operator, bucket, key, other.getvalue())
    assert "is different from current CodeSHA256" in fleet.published.why_not_created(fleet.late)
    assert fleet.late.client("lambda").list_functions()["Functions"] == []
    upload(fleet.operator, bucket, key, built)


def test_a_stack_that_keeps_nothing_can_be_deployed_again_at_once(fleet: Fleet, tmp_path: Path) -> None:
    account = fleet.unknown
    (tmp_path / "settings.json").write_text(json.dumps(json.loads(SETTINGS.read_text()) | {"keep": False}))
    published = publish(fleet.operator, [account.id], tmp_path / "settings.json")
    published.create(account)
    account.put(ALLOWLIST, document("JoinByHand"))
    account.delete()
    assert account.client("ssm").describe_parameters()["Parameters"] == []
    assert account.client("logs").describe_log_groups()["logGroups"] == []
    published.create(account)
    assert account.text("mode") == "enforce"
    assert json.loads(account.text(ALLOWLIST) or "")["Statement"] == [], "what was edited went with the first stack"
