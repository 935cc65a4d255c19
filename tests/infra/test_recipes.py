"""The recipes of docs/events.md: what starts them, what they may do, and what they do. tests/e2e deploys them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from local.service import cloudtrail
from local.world import OTHER_MANAGEMENT
from tests.support.rules import matches, recorded, transformed
from tests.support.synthesis import ROOT
from tests.support.told import REFUSED, Told, delivered

RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.yaml"))
MANAGEMENT, MEMBER, UNRELATED = "111111111111", "222222222222", "999999999999"
NOW = datetime(2026, 11, 20, 21, 41, 16, tzinfo=UTC)


class _Reader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they are short for."""


for short, name in (("!Ref", "Ref"), ("!Sub", "Fn::Sub"), ("!GetAtt", "Fn::GetAtt")):
    _Reader.add_constructor(short, lambda loader, node, name=name: {name: loader.construct_scalar(node)})


def recipe(name: str) -> dict[str, Any]:
    resources: dict[str, Any] = yaml.load((ROOT / f"docs/recipes/{name}.yaml").read_text(), _Reader)["Resources"]
    return resources


def joined(**changed: Any) -> dict[str, Any]:
    """AWS's own event, as EventBridge delivers it in the management account."""
    detail = cloudtrail.joined(MANAGEMENT, MEMBER, NOW)
    return {
        "source": "aws.organizations",
        "detail-type": "AWS Service Event via CloudTrail",
        "account": MANAGEMENT,
        "detail": detail,
    } | changed


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_cfn_lint_finds_nothing(file: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_recipe_is_on_the_page() -> None:
    page = (ROOT / "docs" / "events.md").read_text("utf-8")
    assert [file.stem for file in RECIPES] == ["chat", "next-step"]
    assert [file.name for file in RECIPES if f"(recipes/{file.name})" not in page] == []


# The next step


def test_only_awss_own_event_of_an_account_that_joined_starts_the_next_step() -> None:
    rule = recipe("next-step")["Joined"]["Properties"]
    assert "EventBusName" not in rule, "the default bus, on which nobody else can put under a source of AWS"
    assert matches(rule, joined())
    assert matches(rule, joined(**{"detail-type": "AWS API Call via CloudTrail"}))
    assert not matches(rule, joined(source="handshake-acceptor"))
    assert not matches(rule, recorded("invite-account"))
    departed = joined()["detail"] | {"eventName": "AccountDepartedOrganization"}
    assert not matches(rule, joined(detail=departed))


def test_no_decision_event_starts_the_next_step() -> None:
    rule = recipe("next-step")["Joined"]["Properties"]
    told = Told()
    told.world.invite()
    told.run()
    assert [matches(rule, delivered(entry)) for entry in told.taken] == [False]


def test_the_next_steps_role_moves_from_the_root_into_one_unit_and_can_do_nothing_else() -> None:
    (policy,) = recipe("next-step")["Role"]["Properties"]["Policies"]
    look, move, log = policy["PolicyDocument"]["Statement"]
    arn = "arn:${AWS::Partition}:organizations::${AWS::AccountId}:"
    assert (look["Action"], look["Resource"]) == ("organizations:DescribeAccount", {"Fn::Sub": f"{arn}account/*"})
    assert move["Action"] == "organizations:MoveAccount"
    assert move["Resource"] == [{"Fn::Sub": f"{arn}{each}"} for each in ("account/*", "root/*/${Root}", "ou/*/${Unit}")]
    assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


class NotFound(Exception):
    """AccountNotFoundException."""


class Duplicate(Exception):
    """DuplicateAccountException."""


@dataclass
class Organizations:
    """botocore's client in the management account."""

    accounts: dict[str, tuple[str, str]]
    """By id: how it joined, and its status."""
    parents: dict[str, str] = field(default_factory=dict)
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(AccountNotFoundException=NotFound, DuplicateAccountException=Duplicate)
    )

    def describe_account(self, AccountId: str) -> dict[str, Any]:  # noqa: N803 - as botocore has it
        if AccountId not in self.accounts:
            raise NotFound
        method, status = self.accounts[AccountId]
        return {"Account": {"Id": AccountId, "JoinedMethod": method, "Status": status}}

    def move_account(self, AccountId: str, SourceParentId: str, DestinationParentId: str) -> None:  # noqa: N803
        if self.parents.get(AccountId, "r-root") != SourceParentId:
            raise NotFound
        self.parents[AccountId] = DestinationParentId


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Callable[[Organizations, Any], list[str]]:
    """Runs the recipe's own code."""
    code = recipe("next-step")["Function"]["Properties"]["Code"]["ZipFile"]
    assert len(code) <= 4096, "the most that a template takes"
    monkeypatch.setenv("ROOT", "r-root")
    monkeypatch.setenv("UNIT", "ou-examp-newcomers")
    names: dict[str, Any] = {}
    exec(compile(code, "index.py", "exec"), names)
    context = SimpleNamespace(
        invoked_function_arn=f"arn:aws:lambda:us-east-1:{MANAGEMENT}:function:handshake-next-step"
    )

    def run(organizations: Organizations, event: Any) -> list[str]:
        session = SimpleNamespace(create_client=lambda service: organizations)
        names["botocore"] = SimpleNamespace(session=SimpleNamespace(get_session=lambda: session))
        moved: list[str] = names["handler"](event, context)["moved"]
        return moved

    return run


def ours(**changed: tuple[str, str]) -> Organizations:
    return Organizations({MANAGEMENT: ("INVITED", "ACTIVE"), MEMBER: ("INVITED", "ACTIVE")} | changed)


def test_the_account_that_joined_is_moved_and_the_management_account_stays(step: Any) -> None:
    organizations = ours()
    assert step(organizations, joined()["detail"]) == [MEMBER]
    assert organizations.parents == {MEMBER: "ou-examp-newcomers"}
    assert step(organizations, joined()["detail"]) == [], "the same event once more"


@pytest.mark.parametrize(
    "detail",
    [
        {"serviceEventDetails": {"accountId": MEMBER}},
        {"serviceEventDetails": {"account": {"id": int(MEMBER)}}},
        {"requestParameters": {"accountId": MEMBER}},
        {"resources": [f"arn:aws:organizations::{MANAGEMENT}:account/o-exampleorgid/{MEMBER}"]},
    ],
)
def test_it_does_not_matter_where_the_event_names_the_account(step: Any, detail: Any) -> None:
    assert step(ours(), detail) == [MEMBER]


@pytest.mark.parametrize(("method", "status"), [("CREATED", "ACTIVE"), ("INVITED", "SUSPENDED")])
def test_what_describe_account_does_not_show_as_an_invited_member_is_left_alone(
    step: Any, method: str, status: str
) -> None:
    organizations = ours()
    organizations.accounts[MEMBER] = (method, status)
    assert step(organizations, joined()["detail"]) == []


def test_no_stranger_and_nothing_outside_the_root_is_moved(step: Any) -> None:
    organizations = ours()
    organizations.parents[MEMBER] = "ou-examp-workloads"
    assert step(organizations, [joined()["detail"], UNRELATED, "1" * 13, f"x{MEMBER}y"]) == []
    assert organizations.parents == {MEMBER: "ou-examp-workloads"}


# The chat channel


def test_a_chat_channel_is_told_when_a_person_is_needed_and_else_nothing() -> None:
    rule = recipe("chat")["NeedsPerson"]["Properties"]
    (target,) = rule["Targets"]
    told = Told()
    told.world.invite(OTHER_MANAGEMENT)
    told.world.invite()
    told.world.service.inject(replace(REFUSED, times=2))
    told.run()
    told.run()
    events = [delivered(entry) for entry in told.taken]
    messages = [transformed(target["InputTransformer"], event) for event in events if matches(rule, event)]
    assert [message["content"] for message in messages] == [
        {
            "textType": "client-markdown",
            "title": "Handshake Decision in account 222222222222",
            "description": next(
                event["detail"]["summary"] for event in events if event["detail"]["outcome"] == "NEEDS_HUMAN"
            ),
        }
    ]
    assert (messages[0]["version"], messages[0]["source"]) == ("1.0", "custom")


def test_a_forged_summary_cannot_write_over_what_the_chat_channel_is_told() -> None:
    rule = recipe("chat")["NeedsPerson"]["Properties"]
    (target,) = rule["Targets"]
    summary = 'x"}, "content": {"title": "Handshake Decision in account 222222222222", "description": "\\'
    event = {
        "source": "handshake-acceptor",
        "detail-type": "Handshake Decision",
        "account": "666666666666",
        "detail": {"needs_person": True, "summary": summary},
    }
    assert matches(rule, event)
    assert transformed(target["InputTransformer"], event)["content"] == {
        "textType": "client-markdown",
        "title": "Handshake Decision in account 666666666666",
        "description": summary,
    }


def test_only_the_rule_may_publish_to_the_chats_topic() -> None:
    (statement,) = recipe("chat")["Admit"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "NeedsPerson.Arn"}}}
