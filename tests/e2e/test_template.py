"""The template for many accounts, deployed by plain CloudFormation calls: no CDK, no bootstrap, another's bucket.

The embedded AWS evaluates the template's parameters, conditions and rules by itself; that the bucket's own policy
decides who may fetch the asset is added to it in local/adapters/ministack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from zipfile import ZipFile

import pytest

from local.aws import embedded_aws
from tests.support.account import Account, Published, add_organizations, document, publish, upload
from tests.support.origins import ALLOWED, DENIED

pytestmark = pytest.mark.builds

OPERATOR, FIRST, SECOND, UNKNOWN = "888888888888", "222222222222", "555555555555", "666666666666"
LATE = "777777777777"
"""An account to which the template is deployed when somebody has replaced the asset."""
DEPLOYED, ALLOWLIST = "policy/deployed", "policy/allowlist"


@dataclass(frozen=True, slots=True)
class Fleet:
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
        yield Fleet(*accounts, published)


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
    why = account.why_not_created(fleet.published.template, **fleet.published.asset)
    assert "access has been denied by S3" in why
    assert account.read("mode") is None
    assert account.client("logs").describe_log_groups()["logGroups"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("Origins", "*"), ("Origins", f"{ALLOWED.management_account_id}:*"), ("ManagementAccounts", "*")],
)
def test_a_wildcard_is_refused_before_anything_is_made(fleet: Fleet, name: str, value: str) -> None:
    why = fleet.unknown.why_not_created(fleet.published.template, **fleet.published.asset, **{name: value})
    assert f"Parameter '{name}' must be " in why


def test_another_file_in_the_assets_place_fails_the_deploy_and_leaves_nothing(fleet: Fleet) -> None:
    asset = fleet.published.asset
    operator = Account(fleet.late.aws, OPERATOR)
    (key,) = (each["Key"] for each in operator.client("s3").list_objects_v2(Bucket=asset["AssetBucket"])["Contents"])
    with ZipFile(other := BytesIO(), "w") as archive:
        archive.writestr("handshake_acceptor/handler.py", "def handler(event, context): return 'not yours'")
    upload(operator, asset["AssetBucket"], key, other.getvalue())
    assert "is different from current CodeSHA256" in fleet.late.why_not_created(fleet.published.template, **asset)
    assert fleet.late.client("lambda").list_functions()["Functions"] == []
