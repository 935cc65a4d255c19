"""The relay: one hint to each invited account, whatever becomes of the others."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from handshake_acceptor.trigger import Trigger, TriggerKind
from handshake_core.retry import Clock
from handshake_relay.event import parse
from handshake_relay.hint import ENABLE_ALL_FEATURES
from handshake_relay.metric import Metric
from handshake_relay.publisher import Buses, Outcome, Sent
from handshake_relay.relay import Report, relay
from local.adapters.moto import handshakes_in_moto
from local.service.handshake_service import Fault, HandshakeService
from local.world import MANAGEMENT, MEMBER, ORGANIZATION, START, OrganizationsClient, client_error

EVENTS = Path(__file__).parent.parent / "events"
INVITED = {
    "source": "aws.organizations",
    "event_name": "InviteAccountToOrganization",
    "handshake_id": "h-examplehandshakeid111",
    "action": "invite",
    "created_at": "2026-11-20T21:41:17Z",
    "account_id": MEMBER,
}
"""What the rule for invitations passes on."""

Fails = Callable[[int, str], str | Exception]


@dataclass
class Bus:
    """EventBridge as the relay sees it: `fails` gives an entry's error code, or the error of the whole call."""

    fails: Fails = lambda call, account: ""
    calls: list[list[str]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    messages: dict[str, str] = field(default_factory=dict)

    def put_events(self, **request: Any) -> dict[str, Any]:
        accounts = [entry["EventBusName"].split(":")[4] for entry in request["Entries"]]
        self.calls.append(accounts)
        said = []
        for entry, account in zip(request["Entries"], accounts, strict=True):
            fault = self.fails(len(self.calls), account)
            if isinstance(fault, Exception):
                raise fault
            if not fault:
                self.taken.append(entry)
            message = self.messages.get(fault, "")
            said.append({"ErrorCode": fault, "ErrorMessage": message} if fault else {"EventId": "x"})
        return {"FailedEntryCount": len([each for each in said if "ErrorCode" in each]), "Entries": said}


@dataclass
class World:
    """A management account with members, and time that only waiting moves."""

    bus: Bus = field(default_factory=Bus)
    now: datetime = START
    timeout: float = 600.0
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = HandshakeService(lambda: self.now)

    def members(self, *accounts: str) -> None:
        self.service.add_organization(ORGANIZATION, MANAGEMENT, members=accounts, feature_set="CONSOLIDATED_BILLING")

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def run(self, event: object) -> Report:
        deadline = self.now + timedelta(seconds=self.timeout)
        clock = Clock(lambda: self.now, lambda: (deadline - self.now).total_seconds(), self.sleep, lambda: 0.5)
        call = parse(event)
        assert call is not None
        buses = Buses(self.bus, clock, "aws", "us-east-1")
        organizations = OrganizationsClient(self.service, MANAGEMENT)
        return relay(call, organizations, buses, clock, self.sent.append)

    def enable_all_features(self) -> Report:
        """The call, and the relay's run for its record."""
        parent = self.service.call(ENABLE_ALL_FEATURES, MANAGEMENT, {})["Handshake"]
        return self.run(INVITED | {"event_name": ENABLE_ALL_FEATURES, "handshake_id": parent["Id"], "account_id": None})


def accounts(count: int) -> list[str]:
    return [f"{500_000_000_000 + number}" for number in range(count)]


# What is sent, and to whom


def test_an_invited_account_is_sent_one_hint_on_its_own_bus() -> None:
    world = World()
    assert world.run(INVITED).counts[Outcome.SENT] == 1
    [entry] = world.bus.taken
    assert entry["EventBusName"] == f"arn:aws:events:us-east-1:{MEMBER}:event-bus/handshake-acceptor"
    event = {"source": entry["Source"], "detail": json.loads(entry["Detail"])}
    assert Trigger.from_event(event) == Trigger(TriggerKind.HINT, INVITED["handshake_id"], None)
    assert event["detail"] == {
        "handshake_id": INVITED["handshake_id"],
        "action": "INVITE",
        "created_at": INVITED["created_at"],
    }


def test_a_whole_record_sent_again_by_hand_gives_the_same_hint() -> None:
    assert parse(json.loads((EVENTS / "invite-account.json").read_text())) == parse(INVITED)


@pytest.mark.parametrize(
    "event", ["invite-email", INVITED | {"account_id": "mary@example.com"}], ids=["record", "rule"]
)
def test_an_invitation_to_an_email_address_is_recorded_and_left_to_the_sweep(event: Any) -> None:
    world = World()
    report = world.run(json.loads((EVENTS / f"{event}.json").read_text()) if isinstance(event, str) else event)
    assert report.counts[Outcome.NOT_ADDRESSABLE] == 1
    assert not report.failures
    assert world.bus.calls == []
    assert "@" not in repr(world.sent)


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        7,
        "h-examplehandshakeid111",
        {"detail": "x"},
        {"detail": {"responseElements": {"handshake": []}}},
        {"detail": {"responseElements": {"handshake": {"id": "h-x", "action": "invite", "parties": "x"}}}},
        INVITED | {"handshake_id": "h-EXAMPLE"},
        INVITED | {"action": "invite\n"},
        INVITED | {"action": None},
    ],
)
def test_what_names_no_handshake_sends_nothing(event: object) -> None:
    assert parse(event) is None


def test_a_malformed_time_does_not_travel() -> None:
    call = parse(INVITED | {"created_at": "from mary@example.com"})
    assert call is not None
    assert call.hint.created_at == ""


# A call that asks every member


@pytest.mark.parametrize("count", [1, 10, 11, 137])
def test_every_member_is_sent_the_handshake_that_it_is_asked_by_ten_a_call(count: int) -> None:
    world = World()
    world.members(*accounts(count))
    report = world.enable_all_features()
    assert report.counts[Outcome.SENT] == count
    assert {len(call) for call in world.bus.calls[:-1]} <= {10}
    assert len(world.bus.calls) == -(-count // 10)
    received = {each.id: each.target.id for each in world.service.handshakes()}
    hinted = {
        json.loads(each["Detail"])["handshake_id"]: each["EventBusName"].split(":")[4] for each in world.bus.taken
    }
    assert hinted == {id_: account for id_, account in received.items() if account in accounts(count)}
    assert sorted(hinted.values()) == accounts(count)


def test_members_that_answered_already_are_sent_nothing() -> None:
    world = World()
    first, second = accounts(2)
    world.members(first, second)
    world.enable_all_features()
    [asked] = [each.id for each in world.service.handshakes() if each.target.id == first]
    world.service.call("AcceptHandshake", first, {"HandshakeId": asked})
    world.bus.taken.clear()
    parent = next(each.id for each in world.service.handshakes() if each.target.type == "ORGANIZATION")
    world.run(INVITED | {"event_name": ENABLE_ALL_FEATURES, "handshake_id": parent})
    assert [entry["EventBusName"].split(":")[4] for entry in world.bus.taken] == [second]


def test_members_that_cannot_be_listed_fail_the_run() -> None:
    world = World()
    world.members(*accounts(3))
    world.service.inject(Fault(operation="ListHandshakesForOrganization", code="AccessDeniedException"))
    assert world.enable_all_features().failures == ("MEMBERS_UNREADABLE AccessDeniedException",)
    assert world.bus.calls == []


# What can go wrong on the way


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "NotAuthorizedForSourceException", "ResourceNotFoundException"]
)
def test_an_account_without_the_acceptor_is_counted_and_no_error(code: str) -> None:
    world = World(Bus(lambda call, account: code if account.endswith("1") else ""))
    world.members(*accounts(12))
    report = world.enable_all_features()
    assert (report.counts[Outcome.SENT], report.counts[Outcome.UNREACHED]) == (10, 2)
    assert report.failures == ()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_an_account_that_fails_the_whole_call_takes_no_neighbour_along(code: str) -> None:
    gone = accounts(20)[3]
    world = World(Bus(lambda call, account: client_error(code, "PutEvents") if account == gone else ""))
    world.members(*accounts(20))
    report = world.enable_all_features()
    assert (report.counts[Outcome.SENT], report.counts[Outcome.UNREACHED]) == (19, 1)
    assert report.failures == ()


@pytest.mark.parametrize(
    "fault",
    [
        "ThrottlingException",
        "InternalFailure",
        client_error("ThrottlingException", "PutEvents"),
        client_error("Whatever", "PutEvents", status=503),
        ConnectTimeoutError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
    ],
    ids=str,
)
def test_what_seconds_cure_is_sent_again_until_it_is_taken(fault: str | Exception) -> None:
    world = World(Bus(lambda call, account: fault if call < 4 else ""))
    assert world.run(INVITED).counts[Outcome.SENT] == 1
    assert len(world.bus.calls) == 4
    assert world.now > START


def test_only_the_entries_that_failed_are_sent_again() -> None:
    slow = accounts(10)[7]
    world = World(Bus(lambda call, account: "ThrottlingException" if account == slow and call == 1 else ""))
    world.members(*accounts(10))
    assert world.enable_all_features().counts[Outcome.SENT] == 10
    assert world.bus.calls == [accounts(10), [slow]]


def test_what_never_ends_is_given_up_before_the_deadline_and_fails_the_run() -> None:
    world = World(Bus(lambda call, account: "ThrottlingException" if account.endswith("3") else ""))
    world.members(*accounts(10))
    report = world.enable_all_features()
    assert report.failures == ("HINT_NOT_SENT ThrottlingException",)
    assert (report.counts[Outcome.SENT], report.counts[Outcome.FAILED]) == (9, 1)
    assert world.now < START + timedelta(seconds=world.timeout)


def test_what_minutes_cure_is_sent_once_and_fails_the_run() -> None:
    world = World(Bus(lambda call, account: client_error("SubscriptionRequiredException", "PutEvents")))
    world.members(*accounts(10))
    report = world.enable_all_features()
    assert report.failures == ("HINT_NOT_SENT SubscriptionRequiredException",)
    assert (report.counts[Outcome.FAILED], world.bus.calls, world.now) == (10, [accounts(10)], START)


@pytest.mark.parametrize(
    "message",
    [
        "not authorized because no identity-based policy allows the events:PutEvents action",
        "not authorized with an explicit deny in a service control policy",
    ],
)
def test_a_refusal_of_our_own_account_is_no_missing_acceptor(message: str) -> None:
    world = World(Bus(lambda call, account: "AccessDeniedException", messages={"AccessDeniedException": message}))
    assert world.run(INVITED).failures == ("HINT_NOT_SENT AccessDeniedException",)


@pytest.mark.parametrize(
    "answer", [{}, {"Entries": []}, {"Entries": [{}, {}]}, {"Entries": ["x"]}, {"Entries": 7}, {"Entries": None}]
)
def test_an_answer_that_says_nothing_of_a_hint_is_not_taken_for_success(answer: dict[str, Any]) -> None:
    world = World(timeout=60.0)
    world.bus.put_events = lambda **request: answer  # type: ignore[method-assign]
    assert world.run(INVITED).failures == ("HINT_NOT_SENT ResponseParserError",)


# The function


class Context:
    function_name = "handshake-relay"
    memory_limit_in_mb = 256
    invoked_function_arn = f"arn:aws:lambda:us-east-1:{MANAGEMENT}:function:handshake-relay"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 600_000


@pytest.fixture
def logged() -> StringIO:
    return StringIO()


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch, logged: StringIO) -> Iterator[ModuleType]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "handshake-relay")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "HandshakeAcceptor")
    with handshakes_in_moto(HandshakeService(lambda: datetime.now(UTC)), account_id=MANAGEMENT):
        module = importlib.reload(importlib.import_module("handshake_relay.handler"))
        module.logger.registered_handler.stream = logged
        yield module


def lines(logged: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


def test_the_handler_says_what_became_of_each_hint(
    handler: ModuleType, logged: StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_EVENTS", Bus())
    assert handler.handler(INVITED, Context()) == {"SENT": 1}
    [line] = [each for each in lines(logged) if each["message"] == "hint"]
    assert (line["handshake_id"], line["account_id"], line["outcome"]) == (INVITED["handshake_id"], MEMBER, "SENT")
    metric = json.loads(capsys.readouterr().out)
    assert (metric["HintsSent"], metric["service"]) == ([1.0], "handshake-relay")
    assert "HintsFailed" not in metric


def test_every_metric_of_the_relay_is_explained() -> None:
    docs = (EVENTS.parent.parent / "docs" / "fleet.md").read_text()
    assert [metric for metric in Metric if f"`{metric}`" not in docs] == []


def test_the_handler_fails_at_the_end_where_a_hint_could_not_be_sent(
    handler: ModuleType, logged: StringIO, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handler, "_EVENTS", Bus(lambda call, account: "MalformedDetail"))
    with pytest.raises(handler.RelayFailed, match="HINT_NOT_SENT MalformedDetail"):
        handler.handler(INVITED, Context())
    assert json.loads(capsys.readouterr().out)["HintsFailed"] == [1.0]
    assert [each["outcome"] for each in lines(logged) if each["message"] == "hint"] == ["FAILED"]


def test_the_handler_sends_nothing_and_says_so_for_what_is_no_call(
    handler: ModuleType, logged: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handler.handler({"source": "forged"}, Context()) == {}
    assert [line["level"] for line in lines(logged)] == ["WARNING"]
    assert capsys.readouterr().out == ""


def test_the_real_client_takes_what_the_relay_sends(handler: ModuleType, logged: StringIO) -> None:
    """moto has no other account's bus, and says so."""
    assert sum(handler.handler(INVITED, Context()).values()) == 1


def test_its_calls_carry_its_name(handler: ModuleType, logged: StringIO) -> None:
    sent: list[bytes] = []
    for client in (handler._EVENTS, handler._ORGANIZATIONS):
        client.meta.events.register("before-send", lambda request, **_: sent.append(request.headers["User-Agent"]))
    handler.handler(INVITED, Context())
    with pytest.raises(handler.RelayFailed):
        handler.handler(INVITED | {"event_name": ENABLE_ALL_FEATURES, "account_id": None}, Context())
    assert len(sent) >= 2
    assert {agent.split()[0] for agent in sent} == {b"handshake-relay"}
