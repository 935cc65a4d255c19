"""The template for many accounts, deployed by plain CloudFormation calls: no CDK, no bootstrap, another's bucket.

The embedded AWS evaluates the template's parameters, conditions and rules by itself; that the bucket's own policy
decides who may fetch the asset is added to it in local/ministack_adapter.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.aws import SETTINGS, embedded_aws, run
from tests.e2e.account import Account, add_organizations, document, upload
from tests.e2e.conftest import ALLOWED, DENIED

OPERATOR, FIRST, SECOND, UNKNOWN = "888888888888", "222222222222", "555555555555", "666666666666"
BUCKET, FOLDER = "example-assets", "releases/"
DEPLOYED, ALLOWLIST = "policy/deployed", "policy/allowlist"


@dataclass(frozen=True, slots=True)
class Fleet:
    first: Account
    second: Account
    unknown: Account
    """An account that the bucket's policy does not name."""
    template: str


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with embedded_aws() as aws:
        operator, *accounts = (Account(aws, each) for each in (OPERATOR, FIRST, SECOND, UNKNOWN))
        add_organizations(aws)
        for account in accounts:
            account.register()
        built = run(["make", "--silent", "template", f"SETTINGS={SETTINGS}"], aws.environment(OPERATOR))
        template = Path(built.splitlines()[-1])
        (function,) = (
            each
            for each in json.loads(template.read_text())["Resources"].values()
            if each["Type"] == "AWS::Lambda::Function"
        )
        asset = function["Properties"]["Code"]["S3Key"]["Fn::Join"][1][1]
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": [FIRST, SECOND]},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/{FOLDER}*",
        }
        operator.client("s3").create_bucket(Bucket=BUCKET)
        operator.client("s3").put_bucket_policy(
            Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
        upload(operator, BUCKET, f"{FOLDER}{asset}", template.with_name(asset))
        yield Fleet(*accounts, template.read_text())


def create(fleet: Fleet, account: Account, **parameters: str) -> None:
    account.create(fleet.template, AssetBucket=BUCKET, AssetFolder=FOLDER, **parameters)


def test_two_accounts_accept_by_the_deployed_policy_alone(fleet: Fleet) -> None:
    for account in (fleet.first, fleet.second):
        create(fleet, account, DeployedPolicy=document("JoinByTemplate"))
        wanted, other = account.invite(), account.invite(DENIED)
        assert sorted(account.decisions()) == sorted(
            [(wanted, "ACCEPTED", ("JoinByTemplate",)), (other, "LEFT_PENDING", ())]
        )
        assert (account.state(wanted), account.state(other)) == ("ACCEPTED", "OPEN")


def test_another_document_arrives_and_what_the_owner_wrote_stays(fleet: Fleet) -> None:
    account = fleet.first
    account.put(ALLOWLIST, document("JoinByHand", DENIED))
    mine = account.read(ALLOWLIST)
    account.update(fleet.template, DeployedPolicy=document("JoinAnew"))
    assert account.text(DEPLOYED) == document("JoinAnew")
    account.put(DEPLOYED, document("EditedInPlace"))
    account.update(fleet.template, DeployedPolicyRevision="2")
    assert account.text(DEPLOYED) == document("JoinAnew")
    account.update(fleet.template, DeployedPolicy="")
    assert account.read(DEPLOYED) is None
    assert account.read(ALLOWLIST) == mine


def test_the_parameter_origins_is_the_ceiling(fleet: Fleet) -> None:
    account = fleet.second
    tail = f"{DENIED.management_account_id}:handshake/{DENIED.organization_id}/invite"
    account.update(fleet.template, Origins=tail)
    role = account.client("iam").get_role_policy(RoleName="handshake-acceptor", PolicyName="handshake-acceptor")
    (accept,) = (each for each in role["PolicyDocument"]["Statement"] if each["Sid"] == "Accept")
    assert accept["Resource"] == [f"arn:aws:organizations::{tail}/*"]


def test_nothing_is_left_in_an_account_that_may_not_read_the_asset(fleet: Fleet) -> None:
    account = fleet.unknown
    why = account.why_not_created(fleet.template, AssetBucket=BUCKET, AssetFolder=FOLDER)
    assert "access has been denied by S3" in why
    assert account.read("mode") is None
    assert account.client("logs").describe_log_groups()["logGroups"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("Origins", "*"), ("Origins", f"{ALLOWED.management_account_id}:*"), ("ManagementAccounts", "*")],
)
def test_a_wildcard_is_refused_before_anything_is_made(fleet: Fleet, name: str, value: str) -> None:
    why = fleet.unknown.why_not_created(fleet.template, **{"AssetBucket": BUCKET, name: value})
    assert f"Parameter '{name}' must be " in why
