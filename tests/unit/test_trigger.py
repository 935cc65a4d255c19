from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handshake_acceptor.trigger import Trigger, TriggerKind

EVENTS = Path(__file__).parent.parent / "events"
ID = "h-examplehandshakeid111"
SENT = datetime(2026, 11, 20, 21, 41, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../field/19-duplicate-invite-record.json", Trigger(TriggerKind.HINT, "", SENT)),
        ("invite-account.json", Trigger(TriggerKind.HINT, ID, SENT)),
        ("invite-email.json", Trigger(TriggerKind.HINT, ID, SENT)),
        ("invite-refused.json", Trigger(TriggerKind.HINT, "", SENT)),
        ("scheduled-sweep.json", Trigger(TriggerKind.SWEEP, "", datetime(2026, 11, 20, 22, 5, tzinfo=UTC))),
        (
            "policy-parameter-changed.json",
            Trigger(TriggerKind.POLICY_CHANGED, "", datetime(2026, 11, 20, 22, tzinfo=UTC)),
        ),
    ],
)
def test_recorded_events_are_understood_as_they_come(name: str, expected: Trigger) -> None:
    assert Trigger.from_event(json.loads((EVENTS / name).read_text())) == expected


def test_the_record_of_a_refused_call_hints_at_nothing_whatever_else_it_says() -> None:
    event = json.loads((EVENTS / "invite-account.json").read_text())
    event["detail"]["errorCode"] = "DuplicateHandshakeException"
    assert Trigger.from_event(event) == Trigger(TriggerKind.HINT, "", SENT)


def test_what_our_rules_pass_on_is_understood() -> None:
    event = {"source": "aws.organizations", "event_name": "X", "time": "2026-11-20T21:41:17Z", "handshake_id": ID}
    assert Trigger.from_event(event) == Trigger(TriggerKind.HINT, ID, SENT)


def test_the_relays_hint_is_understood() -> None:
    detail = {"handshake_id": ID, "action": "INVITE", "created_at": "2020-01-01T00:00:00Z"}
    event = {"source": "handshake-acceptor.relay", "time": "2026-11-20T21:41:17Z", "detail": detail}
    assert Trigger.from_event(event) == Trigger(TriggerKind.HINT, ID, SENT)


@pytest.mark.parametrize(
    "event",
    [
        None,
        "",
        [],
        [1],
        7,
        "x" * 200_000,
        {"detail": None},
        {"detail": {"responseElements": []}},
        {"source": ["aws.scheduler"], "time": 7, "handshake_id": {}},
        {"source": {"a": 1}, "time": {"a": 1}, "handshake_id": ["h-examplehandshakeid111"]},
        {"time": "yesterday", "handshake_id": "h-short"},
        {"handshake_id": "h-examplehandshakeid111\n"},
        {"handshake_id": "H-EXAMPLEHANDSHAKEID111"},
        {"handshake_id": "h-\u0435xamplehandshakeid111"},
        {"handshake_id": " h-examplehandshakeid111"},
    ],
)
def test_an_event_of_any_other_shape_only_wakes(event: object) -> None:
    trigger = Trigger.from_event(event)
    assert trigger.handshake_id == ""
    assert trigger.kind is TriggerKind.UNKNOWN
    assert trigger.sent_at is None


def test_an_empty_event_is_a_manual_run() -> None:
    assert Trigger.from_event({}) == Trigger(TriggerKind.MANUAL, "", None)


@pytest.mark.parametrize(
    ("age", "young"),
    [(timedelta(0), True), (timedelta(minutes=3), True), (timedelta(minutes=3, microseconds=1), False)],
)
def test_a_hint_is_young_for_three_minutes(age: timedelta, young: bool) -> None:
    assert Trigger(TriggerKind.HINT, ID, SENT).is_young(SENT + age) is young


@pytest.mark.parametrize("time", ["", "2026-11-20T21:41:17", "soon", None, 1763674877])
def test_a_hint_without_a_readable_time_is_old(time: object) -> None:
    assert not Trigger.from_event({"handshake_id": ID, "time": time}).is_young(SENT)


def test_a_hint_from_the_future_is_old() -> None:
    assert not Trigger(TriggerKind.HINT, ID, SENT).is_young(SENT - timedelta(seconds=1))
