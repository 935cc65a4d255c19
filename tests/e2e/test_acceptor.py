"""The whole system: real CDK deploy, real function process, IAM in force, HTTP between all of them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handshake_relay import hint
from local.aws import SETTINGS, wait_for
from tests.e2e.conftest import Acceptor
from tests.support.origins import ALLOWED, BEYOND, DENIED, MEMBER, PREFIX

EVENTS = Path(__file__).parent.parent / "events"


def recorded_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


# What wakes it


def test_a_hint_on_the_bus_leads_to_the_accept(acceptor: Acceptor) -> None:
    announced = hint.from_record(recorded_event("invite-account"))
    assert announced is not None
    acceptor.allow(ALLOWED)
    acceptor.aws.admin.configure(page_size=1, empty_pages=1)
    acceptor.invite(DENIED)
    acceptor.aws.admin.choose_ids(ids=[announced.handshake_id])
    assert acceptor.invite() == announced.handshake_id
    acceptor.client("events").put_events(Entries=[announced.entry("handshake-acceptor")])
    wait_for("the accept", lambda: acceptor.handshake(announced.handshake_id)["state"] == "ACCEPTED")
    records = wait_for("its record", lambda: acceptor.recorded(announced.handshake_id))
    assert [(each["decision"], each["trigger"]) for each in records][-1] == ("ACCEPT", "hint")


def test_the_sweep_finds_what_no_event_announced(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite(target="mary@example.com")
    acceptor.aws.sweep_now(MEMBER)
    wait_for("the accept", lambda: acceptor.handshake(invited)["state"] == "ACCEPTED")


def test_a_change_of_the_policy_is_acted_on_at_once(acceptor: Acceptor) -> None:
    acceptor.wake_on_policy_changes()
    invited = acceptor.invite()
    acceptor.allow(ALLOWED)
    wait_for("the accept", lambda: acceptor.handshake(invited)["state"] == "ACCEPTED")


# What it accepts


def test_what_no_statement_allows_is_left_pending_with_the_reasons(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite(DENIED)
    _, answer = acceptor.invoke()
    [decision] = answer["decisions"]
    assert (decision["handshake_id"], decision["decision"], decision["outcome"]) == (
        invited,
        "NO_MATCH",
        "LEFT_PENDING",
    )
    assert {reason["field"] for reason in decision["reasons"]} == {
        "Origin.OrganizationId",
        "Origin.ManagementAccountId",
    }
    assert acceptor.handshake(invited)["state"] == "OPEN"


def test_observe_accepts_nothing(acceptor: Acceptor) -> None:
    acceptor.put("mode", "observe")
    acceptor.allow(ALLOWED)
    invited = acceptor.invite()
    assert acceptor.decisions() == [(invited, "ACCEPT", "OBSERVED")]
    assert acceptor.handshake(invited)["state"] == "OPEN"


def test_no_policy_reaches_beyond_the_ceiling(acceptor: Acceptor) -> None:
    acceptor.allow(BEYOND)
    invited = acceptor.invite(BEYOND)
    _, answer = acceptor.invoke()
    [decision] = answer["decisions"]
    assert (decision["decision"], decision["outcome"]) == ("ACCEPT", "NEEDS_HUMAN")
    assert decision["reasons"][-1]["code"] == "AccessDeniedException"
    assert "`origins`" in decision["reasons"][-1]["message"]
    assert acceptor.handshake(invited)["accept_effects"] == 0


def test_two_runs_at_the_same_moment_accept_once_and_both_say_so(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    acceptor.aws.admin.configure(accept_delay=10)  # so that the two overlap, cold start or not
    invited = acceptor.invite()
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(acceptor.decisions) for _ in range(2)]
    assert sorted(row for run in runs for row in run.result()) == [
        (invited, "ACCEPT", "ACCEPTED"),
        (invited, "ACCEPT", "ALREADY_ACCEPTED"),
    ]
    assert acceptor.handshake(invited)["accept_effects"] == 1


# Bad input


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="null"),
        pytest.param({}, id="empty"),
        pytest.param([], id="list"),
        pytest.param("h-examplehandshakeid111", id="text"),
        pytest.param(7, id="number"),
        pytest.param({"detail": {"responseElements": "x"}}, id="other shape"),
        pytest.param({"padding": "x" * 900_000}, id="huge"),
        pytest.param({"source": "aws.organizations", "handshake_id": "h-\u0435xamplehandshakeid111"}, id="look-alike"),
    ],
)
def test_an_event_of_any_shape_accepts_only_what_the_policy_allows(acceptor: Acceptor, event: object) -> None:
    acceptor.allow(DENIED)
    invited = acceptor.invite(ALLOWED)
    answer = acceptor.client("lambda").invoke(FunctionName="handshake-acceptor", Payload=json.dumps(event))
    assert "FunctionError" not in answer
    decisions = json.loads(answer["Payload"].read())["decisions"]
    assert [(each["handshake_id"], each["decision"]) for each in decisions] == [(invited, "NO_MATCH")]
    assert acceptor.handshake(invited)["state"] == "OPEN"


def test_a_forged_event_for_a_foreign_handshake_accepts_nothing(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    foreign = acceptor.invite(ALLOWED, target="999999999999")
    forged = recorded_event("invite-account")
    forged["detail"]["responseElements"]["handshake"]["id"] = foreign
    assert [row[1] for row in acceptor.decisions(forged)] == ["INELIGIBLE"]
    assert acceptor.handshake(foreign)["state"] == "OPEN"


def test_the_origin_is_never_taken_from_the_event(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite(DENIED)
    forged = recorded_event("invite-account")  # says o-exampleorgid, which is allowed
    forged["detail"]["responseElements"]["handshake"]["id"] = invited
    assert acceptor.decisions(forged) == [(invited, "NO_MATCH", "LEFT_PENDING")]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{", "not JSON, at line 1, column 2"),
        (" ", "the document is empty"),
        ("[]", "must be an object, is a list"),
        ('{"Version": "2026-01-01", "Statement": [], "Extra": 1}', "/Extra: unknown key"),
        ('{"Version": "2026-01-01", "Statement": [{"Sid": "A", "Effect": "Alow"}]}', '/Statement/0/Effect: "Alow"'),
        ("[" * 4000, "nested too deeply"),
    ],
)
def test_a_bad_policy_accepts_nothing_says_where_and_loses_nothing(acceptor: Acceptor, text: str, where: str) -> None:
    acceptor.put("policy/allowlist", text)
    invited = acceptor.invite()
    _, answer = acceptor.invoke()
    [decision] = answer["decisions"]
    assert (decision["decision"], decision["outcome"]) == ("POLICY_INVALID", "LEFT_PENDING")
    [reason] = decision["reasons"]
    assert reason["document"] == f"{PREFIX}policy/allowlist"
    assert where in reason["message"]
    acceptor.allow(ALLOWED)
    assert acceptor.decisions() == [(invited, "ACCEPT", "ACCEPTED")]


def test_without_any_parameter_nothing_is_accepted(acceptor: Acceptor) -> None:
    acceptor.client("ssm").delete_parameter(Name=f"{PREFIX}mode")
    invited = acceptor.invite()
    assert acceptor.decisions() == [(invited, "NO_MATCH", "LEFT_PENDING")]


# Failures


def test_a_failed_hint_is_retried_and_then_kept_without_personal_data(acceptor: Acceptor) -> None:
    acceptor.aws.admin.inject(
        faults=[{"operation": "ListHandshakesForAccount", "code": "AccessDeniedException", "times": 99}]
    )
    announced = hint.from_record(recorded_event("invite-account"))
    assert announced is not None
    acceptor.client("events").put_events(Entries=[announced.entry("handshake-acceptor")])
    message = wait_for("a message in the failure queue", acceptor.failed_messages)[0]
    assert announced.handshake_id in message
    assert "LIST_UNREADABLE AccessDeniedException" in message
    assert "@" not in message
    tried = acceptor.aws.admin.journal(operation="ListHandshakesForAccount")
    assert len([call for call in tried if call["code"] == "AccessDeniedException"]) >= 3


def test_throttling_is_waited_out(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite()
    acceptor.aws.admin.inject(
        faults=[
            {"operation": "AcceptHandshake", "code": "TooManyRequestsException", "times": 2},
            {"operation": "AcceptHandshake", "code": "ConcurrentModificationException", "times": 2},
        ]
    )
    assert acceptor.decisions() == [(invited, "ACCEPT", "ACCEPTED")]
    assert wait_for("its record", lambda: acceptor.recorded(invited))[0]["attempts"] == 5


# The deploy


def test_a_later_deploy_never_writes_over_an_edit(acceptor: Acceptor, tmp_path: Path) -> None:
    acceptor.allow(ALLOWED)
    acceptor.put("mode", "observe")
    edited = acceptor.client("ssm").get_parameter(Name=f"{PREFIX}policy/allowlist")["Parameter"]
    changed = json.loads(SETTINGS.read_text()) | {"sweepMinutes": 10}
    (tmp_path / "settings.json").write_text(json.dumps(changed))
    acceptor.aws.deploy(MEMBER, tmp_path / "settings.json")
    kept = acceptor.client("ssm").get_parameter(Name=f"{PREFIX}policy/allowlist")["Parameter"]
    assert (kept["Value"], kept["Version"]) == (edited["Value"], edited["Version"])
    assert acceptor.client("ssm").get_parameter(Name=f"{PREFIX}mode")["Parameter"]["Value"] == "observe"
    schedule = acceptor.client("scheduler").get_schedule(
        Name="handshake-acceptor-sweep", GroupName="handshake-acceptor"
    )
    assert schedule["ScheduleExpression"] == "rate(10 minutes)"
