"""`handshakectl push` and `remove` warn of Allows that the deployed role does not reach, where they may read it."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError

from local.world import MANAGEMENT, ORGANIZATION, allow, document
from tests.cli.healthy import refused
from tests.cli.many import ACCOUNTS, calls, organization, run, seed
from tests.cli.sessions import share_clients

A, B, _ = ACCOUNTS
ROLE = ("--role", "Operator", "--accounts", A, B)
REACHED = f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/*"
OTHER = f"arn:aws-cn:organizations::{MANAGEMENT}:handshake/o-otherorgan1/enable_all_features/*"
OUTSIDE = "Join can never allow anything: all of it is outside the setting origins in the deployed role"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    tmp_path.joinpath("allowlist.json").write_text(document(allow()))
    with organization():
        seed(*ACCOUNTS, **{"policy/old": document()})
        yield tmp_path


def role(*resources, action=("organizations:AcceptHandshake", "organizations:DescribeHandshake"), effect="Allow"):
    look = {"Effect": "Allow", "Action": "organizations:DescribeOrganization", "Resource": "*"}
    resource = resources[0] if len(resources) == 1 else list(resources)
    accept = {"Effect": effect, "Action": list(action), "Resource": resource}
    return {"PolicyDocument": {"Version": "2012-10-17", "Statement": [look, *([accept] if resources else [])]}}


def warned(command, *options, **answers):
    """What is warned of in each account, and whether its document was written or removed all the same."""
    answering = [
        (
            account,
            "GetRolePolicy",
            "handshake-acceptor",
            answer if isinstance(answer, Exception) else lambda _, a=answer: a,
        )
        for account, answer in ((A, answers["a"]), (B, answers.get("b", answers["a"])))
    ]
    with calls(*answering):
        result = run(*command, *ROLE, "--yes", *options)
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if "can never" in line]


@pytest.mark.parametrize("command", [("push", "allowlist.json"), ("remove", "old")], ids=lambda one: one[0])
@pytest.mark.parametrize(
    ("answer", "outside"),
    [
        (role(REACHED), False),
        (role(OTHER, REACHED), False),
        (role(OTHER), True),
        (role(REACHED.replace("invite", "enable_all_features")), True),
        (role(), True),
        (role(OTHER, action=("organizations:AcceptHandshake",)), True),
        (role("arn:aws:organizations::*:handshake/*"), False),
        (role("*"), False),
        ({"PolicyDocument": "not a document"}, False),
        ({}, False),
        (refused("AccessDenied"), False),
        (refused("NoSuchEntity"), False),
        (EndpointConnectionError(endpoint_url="https://iam.amazonaws.com/"), False),
    ],
)
def test_an_allow_beyond_the_deployed_ceiling_is_warned_of_and_written(command, answer, outside):
    seed(A, B, **{"policy/allowlist": document(allow())})
    found = warned(command, a=answer)
    assert [OUTSIDE in line for line in found] == [True] * outside


def test_each_account_has_a_ceiling_of_its_own():
    found = warned(("push", "allowlist.json"), "--dry-run", a=role(OTHER), b=role(REACHED))
    assert [OUTSIDE in line for line in found] == [True]


def test_settings_that_are_named_come_before_what_is_deployed_and_that_before_cdk_json(folder):
    def settings(organization_id):
        return json.dumps({"origins": [{"organizationId": organization_id, "managementAccountId": MANAGEMENT}]})

    folder.joinpath("named.json").write_text(settings(ORGANIZATION))
    folder.joinpath("cdk.json").write_text(settings("o-otherorgan1"))
    command = ("push", "allowlist.json", "--dry-run")
    assert warned(command, "--settings", "named.json", a=role(OTHER)) == []
    assert warned(command, a=role(REACHED)) == []
    (line,) = warned(command, a=refused("AccessDenied"))
    assert "outside the setting origins in cdk.json" in line


def test_a_brake_asks_for_no_ceiling():
    with calls() as seen:
        assert run("brake", "on", "--reason", "incident 4711", *ROLE, "--yes").exit_code == 0
    assert "GetRolePolicy" not in {operation for _, operation in seen}
