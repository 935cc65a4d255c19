"""What is told of a run as events: when, how often, and what becomes of an event that cannot be put."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from botocore.exceptions import NoRegionError, ReadTimeoutError

from handshake_acceptor.policy.decide import DecisionKind
from handshake_acceptor.reporting.decision_bus import DECISION_UNSENT, PUT, DecisionBus
from handshake_acceptor.reporting.decision_events import EXPIRES_SOON, MOST_REMEMBERED, SOON
from handshake_acceptor.reporting.record import Outcome
from handshake_core.errors import OutOfTime
from handshake_core.handshake import Handshake, invalid_handshake
from handshake_core.retry import CALL, MARGIN
from local.service.handshake_service import Fault
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    RUN_ID,
    allow,
    client_error,
    deny,
)
from tests.support.told import BUS, MADE_TO_WAIT, REFUSED, Told, delivered, said

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text("utf-8"))


@pytest.fixture
def told() -> Told:
    return Told()


# When something is told


def test_an_idle_run_puts_nothing_and_makes_no_client(told: Told) -> None:
    assert told.run() == []
    assert (told.calls, told.clients) == ([], 0)
    assert sorted(told.world.client.calls) == ["ListHandshakesForAccount"]
    assert told.world.parameters.reads == 1


def test_an_acceptance_is_told_once_and_as_the_record_says_it(told: Told) -> None:
    wanted = told.world.invite()
    report = told.world.run()
    assert told.tell(report) == ()
    (entry,) = told.taken
    arn = f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/{wanted}"
    assert {key: entry[key] for key in ("Source", "DetailType", "Resources", "EventBusName", "Time")} == {
        "Source": "handshake-acceptor",
        "DetailType": "Handshake Decision",
        "Resources": [arn],
        "EventBusName": BUS,
        "Time": told.world.now,
    }
    assert json.loads(entry["Detail"]) == {"version": "1"} | report.records[0].as_dict()
    assert told.run() == []


def test_what_was_declined_is_told(told: Told) -> None:
    origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    told.world.policy(deny(Action="INVITE", Origin=origin, Respond="Decline"))
    told.world.invite(OTHER_MANAGEMENT)
    assert told.run() == [("DECLINE", "DECLINED")]


def test_what_waits_is_told_once_a_process(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    assert [told.run() for _ in range(3)] == [[("NO_MATCH", "LEFT_PENDING")], [], []]
    told.bus = DecisionBus(BUS, told.client)
    assert told.run() == [("NO_MATCH", "LEFT_PENDING")]


def test_a_refusal_is_told_once_and_again_when_its_reason_or_outcome_changes(told: Told) -> None:
    told.world.invite()
    told.world.service.inject(replace(REFUSED, times=2))
    assert [told.run() for _ in range(2)] == [[("ACCEPT", "NEEDS_HUMAN")], []]
    told.world.service.inject(replace(REFUSED, reason="PAST_DUE_INVOICE"))
    assert told.run() == [("ACCEPT", "NEEDS_HUMAN")]
    told.world.service.inject(replace(MADE_TO_WAIT, times=2))
    assert [told.run() for _ in range(2)] == [[("ACCEPT", "RETRY_LATER")], []]
    assert told.run() == [("ACCEPT", "ACCEPTED")]


def test_the_same_situation_after_another_one_is_told_again(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    told.run()
    told.world.policy(deny(Origin={"OrganizationId": OTHER_ORGANIZATION}))
    assert told.run() == [("DENY", "LEFT_PENDING")]
    told.world.policy(allow())
    assert told.run() == [("NO_MATCH", "LEFT_PENDING")]


def test_other_facts_of_the_same_reasons_are_no_news(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    told.run()
    told.world.policy(allow("Other", OTHER_ORGANIZATION, MANAGEMENT))
    assert told.run() == []


def test_that_it_expires_soon_is_told_once_and_first(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    told.run()
    told.world.now += timedelta(days=15) - SOON
    told.world.now -= timedelta(seconds=1)
    assert told.run() == []
    told.world.now += timedelta(seconds=1)
    assert told.run() == [("NO_MATCH", "LEFT_PENDING")]
    detail = json.loads(told.taken[-1]["Detail"])
    assert detail["reasons"][0]["code"] == EXPIRES_SOON
    assert f"left pending: it expires at {detail['expires_at']}; " in detail["summary"]
    told.world.now += timedelta(hours=1)
    assert told.run() == []


def test_a_person_hears_what_to_do_also_of_what_expires_soon(told: Told) -> None:
    told.world.invite()
    told.world.now += timedelta(days=14)
    told.world.service.inject(REFUSED)
    told.run()
    summary = json.loads(told.taken[0]["Detail"])["summary"]
    assert "needs a person: it expires at " in summary
    assert summary.endswith("Give the account a payment method, then wait for the next sweep.")


def test_of_what_is_denied_or_over_nobody_hears_that_it_expires(told: Told) -> None:
    told.world.policy(deny(), allow())
    told.world.invite()
    told.world.now += timedelta(days=14)
    assert told.run() == [("DENY", "LEFT_PENDING")]
    told.world.policy(allow())
    assert told.run() == [("ACCEPT", "ACCEPTED")]
    assert EXPIRES_SOON not in "".join(entry["Detail"] for entry in told.taken)


def test_soon_is_when_the_alarm_rings() -> None:
    from handshake_acceptor_cdk.settings.acceptor import Settings

    assert timedelta(hours=Settings().expiry_hours) == SOON


def test_a_handshake_that_our_list_does_not_show_is_not_spoken_of(told: Told) -> None:
    told.world.service.register_account("999999999999", "other@example.com")
    foreign = told.world.invite(OTHER_MANAGEMENT, target="999999999999")
    assert told.run(told.world.hint(foreign)) == []
    assert told.run(told.world.hint("h-nobodyhasthisone")) == []
    assert told.calls == []


def test_a_list_that_cannot_be_read_is_no_decision(told: Told) -> None:
    told.world.service.inject(Fault(operation="ListHandshakesForAccount", code="AccessDeniedException"))
    assert told.run(told.world.hint(told.world.invite())) == []


@pytest.mark.parametrize("identifier", ["h-examplehandshakeid111", ""])
@pytest.mark.parametrize("listed", [True, False])
def test_what_cannot_be_believed_is_told_once_where_our_list_shows_it(
    told: Told, identifier: str, listed: bool
) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    report = told.world.run()
    unknown = invalid_handshake(identifier, "MALFORMED_ARN", "is none", 7)
    decision = replace(report.records[0].decision, kind=DecisionKind.INELIGIBLE)
    record = replace(report.records[0], handshake=replace(unknown, listed=listed), decision=decision)
    for _ in range(2):
        told.tell(replace(report, records=(record,)))
    assert [said(entry) for entry in told.taken] == [("INELIGIBLE", "LEFT_PENDING")] * listed
    assert [entry["Resources"] for entry in told.taken] == [[]] * listed


def test_a_change_of_the_world_is_told_though_only_the_answer_shows_it(told: Told) -> None:
    told.world.invite()
    report = told.world.run()
    (record,) = report.records
    assert isinstance(record.handshake, Handshake)
    unlisted = replace(record, handshake=replace(record.handshake, listed=False))
    told.tell(replace(report, records=(unlisted,)))
    assert [said(entry) for entry in told.taken] == [("ACCEPT", "ACCEPTED")]


def test_a_thousand_handshakes_are_remembered_and_one_too_many_costs_one_event(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    report = told.world.run()
    (record,) = report.records
    assert isinstance(record.handshake, Handshake)
    many = [replace(record, handshake=replace(record.handshake, id=f"h-{n:08d}")) for n in range(MOST_REMEMBERED + 1)]
    assert MOST_REMEMBERED == 1_000
    told.tell(replace(report, records=tuple(many[:-1])))
    assert len(told.taken) == 1_000
    told.tell(replace(report, records=tuple(many[:-1])))
    assert len(told.taken) == 1_000
    for expected in (1_001, 1_002, 1_003):
        told.tell(replace(report, records=tuple(many)))
        assert len(told.taken) == expected


# The policy


def test_a_mistake_in_the_policy_is_told_once_though_nothing_is_pending(told: Told) -> None:
    told.world.parameters.values[f"{PREFIX}policy/second"] = "{"
    assert [told.run() for _ in range(2)] == [[("Handshake Policy Invalid", "")], []]
    (entry,) = told.taken
    detail = json.loads(entry["Detail"])
    assert entry["Resources"] == []
    assert detail["mistakes"][0].startswith(f"{PREFIX}policy/second: not JSON, at line 1, column 2")
    assert detail["summary"].startswith(f"The policy of account {MEMBER} is invalid, and nothing is accepted until")
    assert detail["mistakes"][0] in detail["summary"]
    assert (detail["account_id"], detail["run_id"], detail["needs_person"]) == (MEMBER, RUN_ID, True)


def test_other_mistakes_and_the_same_after_a_valid_policy_are_told(told: Told) -> None:
    second = f"{PREFIX}policy/second"
    for text, count in (("{", 1), ("[", 1), ("[", 0), ("", 1)):
        told.world.parameters.values[second] = text
        assert told.run() == [("Handshake Policy Invalid", "")] * count
    del told.world.parameters.values[second]
    assert told.run() == []
    told.world.parameters.values[second] = ""
    assert told.run() == [("Handshake Policy Invalid", "")]


def test_a_policy_that_cannot_be_read_is_no_mistake_and_ends_none(told: Told) -> None:
    told.world.parameters.values[f"{PREFIX}policy/second"] = "{"
    told.run()
    told.world.parameters.faults = [client_error("AccessDeniedException", "GetParametersByPath")] * 2
    assert told.run() == []
    told.world.parameters.faults = []
    assert told.run() == []


# What becomes of an event that cannot be put


SLOW = ReadTimeoutError(endpoint_url="https://events.us-east-1.amazonaws.com")
SECONDS_CURE = [
    "ThrottlingException",
    "InternalFailure",
    SLOW,
    client_error("ThrottlingException", "PutEvents"),
    OutOfTime(),
]


@pytest.mark.parametrize("fault", SECONDS_CURE, ids=str)
def test_what_seconds_cure_is_put_again(told: Told, fault: str | Exception) -> None:
    told.world.invite()
    told.fails = lambda entry: fault if len(told.calls) < 3 else ""
    assert told.run() == [("ACCEPT", "ACCEPTED")]
    assert len(told.calls) == 3


@pytest.mark.parametrize("fault", SECONDS_CURE, ids=str)
def test_what_outlasts_the_deadline_fails_the_run_and_is_told_first_in_the_next(
    told: Told, fault: str | Exception
) -> None:
    told.world.invite()
    told.fails = lambda entry: fault
    assert told.tell(told.world.run()) == (DECISION_UNSENT,)
    assert (told.taken, told.refused) == ([], [])
    told.fails = lambda entry: ""
    told.catch_up()
    assert [said(entry) for entry in told.taken] == [("ACCEPT", "ACCEPTED")]
    told.world.invite(OTHER_MANAGEMENT)
    assert told.run() == [("NO_MATCH", "LEFT_PENDING")]


def test_its_time_is_that_of_the_decision_whenever_it_is_put(told: Told) -> None:
    told.world.invite()
    decided_at, told.fails = told.world.now, lambda entry: SLOW
    told.tell(told.world.run())
    told.fails = lambda entry: ""
    told.world.now += timedelta(minutes=5)
    told.catch_up()
    assert told.taken[0]["Time"] == decided_at


def test_a_run_whose_time_is_over_puts_nothing_and_the_next_one_does(told: Told) -> None:
    told.world.invite()
    report = told.world.run()
    assert told.tell(report, seconds=MARGIN - 0.1) == (DECISION_UNSENT,)
    assert told.calls == []
    assert told.run() == [("ACCEPT", "ACCEPTED")]


def test_no_call_begins_that_would_end_after_the_deadline(told: Told) -> None:
    told.world.invite()
    report = told.world.run()
    told.fails, told.takes = (lambda entry: SLOW), CALL
    ends = told.world.now + timedelta(seconds=240)
    assert told.tell(report) == (DECISION_UNSENT,)
    assert len(told.calls) > 5
    assert told.world.now <= ends


def test_what_an_earlier_run_could_not_tell_holds_the_next_one_up_for_one_call_at_most(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    report = told.world.run()
    (record,) = report.records
    assert isinstance(record.handshake, Handshake)
    many = [replace(record, handshake=replace(record.handshake, id=f"h-{n:08d}")) for n in range(95)]
    told.fails, told.takes = (lambda entry: SLOW), CALL
    told.tell(replace(report, records=tuple(many)))
    told.calls.clear()
    before = told.world.now
    told.catch_up()
    assert (len(told.calls), told.world.now - before) == (1, timedelta(seconds=PUT))
    told.fails, told.takes = (lambda entry: ""), 0.05
    told.catch_up()
    assert [len(call) for call in told.calls[1:]] == [10] * 9 + [5]
    assert [json.loads(entry["Detail"])["handshake_id"] for entry in told.taken] == [each.handshake.id for each in many]


def test_what_an_earlier_run_could_not_tell_is_put_with_the_rest_where_it_still_fails_at_first(told: Told) -> None:
    told.world.invite()
    told.fails = lambda entry: SLOW
    told.tell(told.world.run())
    told.calls.clear()
    told.fails = lambda entry: SLOW if len(told.calls) < 2 else ""
    told.world.invite(OTHER_MANAGEMENT)
    assert told.run() == [("ACCEPT", "ACCEPTED"), ("NO_MATCH", "LEFT_PENDING")]
    assert len(told.calls) == 2


def test_no_more_than_a_thousand_events_are_kept(told: Told) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    report = told.world.run()
    (record,) = report.records
    assert isinstance(record.handshake, Handshake)
    many = [replace(record, handshake=replace(record.handshake, id=f"h-{n:08d}")) for n in range(1_003)]
    told.tell(replace(report, records=tuple(many)), seconds=0)
    told.catch_up()
    assert [json.loads(entry["Detail"])["handshake_id"] for entry in told.taken] == [
        each.handshake.id for each in many
    ][3:]


NEW_ACCOUNT = ["SubscriptionRequiredException", "OptInRequired", "FinalizingOrganizationException"]


@pytest.mark.parametrize("fault", [*(client_error(code, "PutEvents") for code in NEW_ACCOUNT), *NEW_ACCOUNT], ids=str)
def test_what_minutes_cure_fails_the_run_after_one_call_and_is_told_first_in_the_next(
    told: Told, fault: str | Exception
) -> None:
    told.world.invite()
    told.world.invite(OTHER_MANAGEMENT)
    report, told.fails = told.world.run(), lambda entry: fault
    assert told.tell(report) == (DECISION_UNSENT,)
    assert ([len(call) for call in told.calls], told.refused) == ([2], [])
    told.fails = lambda entry: ""
    told.catch_up()
    assert sorted(map(said, told.taken)) == [("ACCEPT", "ACCEPTED"), ("NO_MATCH", "LEFT_PENDING")]
    assert told.tell(report) == ()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("AccessDeniedException", "AccessDeniedException"),
        ("ResourceNotFoundException", "ResourceNotFoundException"),
        (client_error("ResourceNotFoundException", "PutEvents"), "ResourceNotFoundException"),
        (client_error("AccessDeniedException", "PutEvents"), "AccessDeniedException"),
        (NoRegionError(), "NoRegionError"),
    ],
    ids=str,
)
def test_a_refused_event_is_said_once_and_fails_no_run(told: Told, fault: str | Exception, code: str) -> None:
    told.world.invite(OTHER_MANAGEMENT)
    told.fails = lambda entry: fault
    report = told.world.run()
    assert [told.tell(report) for _ in range(2)] == [(), ()]
    assert [(event.detail["handshake_id"], why) for event, why in told.refused] == [
        (report.records[0].handshake.id, code)
    ]


def test_one_that_is_refused_takes_no_other_along(told: Told) -> None:
    wanted = told.world.invite()
    told.world.invite(OTHER_MANAGEMENT)
    told.fails = lambda entry: client_error("ValidationException", "PutEvents") if wanted in entry["Detail"] else ""
    assert told.run() == [("NO_MATCH", "LEFT_PENDING")]
    assert [event.detail["handshake_id"] for event, _ in told.refused] == [wanted]


def test_a_client_that_cannot_be_made_now_is_made_later(told: Told) -> None:
    made: list[int] = []

    def make() -> Told:
        made.append(1)
        if len(made) < 3:
            raise ValueError("no endpoint")
        return told

    told.bus = DecisionBus(BUS, make)
    told.world.invite()
    assert told.run() == [("ACCEPT", "ACCEPTED")]
    told.world.invite(OTHER_MANAGEMENT)
    told.run()
    assert len(made) == 3


# What an event looks like


def every_kind() -> list[dict[str, Any]]:
    """Events of real runs, one of each decision and each outcome that a run can have at once."""
    told = Told()
    world = told.world
    world.service.add_organization("o-third000001", "555555555555")
    denied = {"OrganizationId": "o-third000001", "ManagementAccountId": "555555555555"}
    world.policy(allow(), deny("Third", Action="INVITE", Origin=denied, Respond="Decline"))
    world.invite(OTHER_MANAGEMENT)
    world.invite()
    world.invite("555555555555")
    world.mode("observe")
    told.run()
    world.parameters.values[f"{PREFIX}policy/second"] = "{"
    told.run()
    del world.parameters.values[f"{PREFIX}policy/second"]
    world.mode("enforce")
    for fault in (REFUSED, MADE_TO_WAIT):
        world.service.inject(fault)
        told.run()
    world.now += timedelta(days=14)
    hinted = next(each.id for each in world.service.handshakes() if each.organization_id == ORGANIZATION)
    told.run()
    told.run(world.hint(hinted))
    report = world.run()
    unknown = replace(invalid_handshake("", "MALFORMED_ARN", "is none", 7), listed=True)
    decision = replace(report.records[0].decision, kind=DecisionKind.INELIGIBLE)
    record = replace(report.records[0], handshake=unknown, decision=decision, outcome=Outcome.LEFT_PENDING)
    told.tell(replace(report, records=(record,)))
    return [delivered(entry) for entry in told.taken]


def test_events_are_as_the_schema_says() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft7Validator(SCHEMA)
    events = every_kind()
    for event in events:
        validator.validate(event)
    outcomes = {event["detail"].get("outcome") for event in events}
    assert {
        "ACCEPTED",
        "ALREADY_ACCEPTED",
        "OBSERVED",
        "DECLINED",
        "LEFT_PENDING",
        "RETRY_LATER",
        "NEEDS_HUMAN",
    } <= outcomes
    assert {event["detail"].get("decision") for event in events} > set(DecisionKind) - {DecisionKind.DENY}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("source",), "somebody-else"),
        (("detail-type",), "Handshake Policy Invalid"),
        (("resources",), ["a", "b"]),
        (("detail", "version"), "2"),
        (("detail", "outcome"), "ACCEPT"),
        (("detail", "needs_person"), "yes"),
        (("detail", "summary"), "x" * 601),
    ],
)
def test_the_schema_refuses_what_is_none(path: tuple[str, ...], value: Any) -> None:
    event: Any = next(each for each in every_kind() if each["detail-type"] == "Handshake Decision")
    at = event
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(event)


def test_the_schema_knows_every_field_of_a_decision_and_every_word() -> None:
    told = Told()
    told.world.invite()
    (record,) = told.world.run().records
    decision = SCHEMA["definitions"]["Decision"]
    assert set(decision["properties"]) == set(decision["required"]) == {"version"} | set(record.as_dict())
    assert decision["properties"]["outcome"]["enum"] == [each.value for each in Outcome]
    assert decision["properties"]["decision"]["enum"] == [each.value for each in DecisionKind]


def test_the_example_is_what_a_run_tells() -> None:
    page = (ROOT / "docs" / "events.md").read_text("utf-8")
    example = json.loads(page.partition("```json\n")[2].partition("```")[0])
    jsonschema.Draft7Validator(SCHEMA).validate(example)
    told = Told()
    wanted = told.world.invite()
    told.world.now += timedelta(minutes=5)
    told.world.service.inject(REFUSED)
    told.run()
    (event,) = [delivered(entry) for entry in told.taken]
    named = json.loads(json.dumps(event).replace(wanted, example["detail"]["handshake_id"]))
    assert named | {"time": example["time"]} == example
    assert event["time"].replace("+00:00", "Z") == example["time"]
    assert f"**{int(SOON.total_seconds() / 3600)} hours**" in page
    assert f"{MOST_REMEMBERED:,} handshakes" in page
    assert f"has {240 - PUT:.0f} s instead of 240" in " ".join(page.split())
