"""The metrics of single runs; what alarms make of them is in tests/infra/test_observability.py."""

from __future__ import annotations

from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from aws_lambda_powertools import Logger, Metrics

from handshake_acceptor.policy.decide import Decision, DecisionKind
from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor.reporting.record import Outcome, Report, Unlooked
from handshake_acceptor.reporting.telemetry import Telemetry
from handshake_acceptor.trigger import Trigger
from handshake_core.handshake import invalid_handshake
from local.cloudwatch.metrics import read
from local.service.handshake_service import Fault
from local.world import MEMBER, OTHER_MANAGEMENT, OTHER_ORGANIZATION, PREFIX, World, allow, deny


@pytest.fixture
def world() -> World:
    world = World()
    world.policy(allow())
    return world


def sent(world: World, event: object = None) -> dict[str, list[tuple[float, str]]]:
    """The metrics of one run: name to values with units."""
    return emitted(world, world.run(event), event)


def emitted(world: World, report: Report, event: object = None) -> dict[str, list[tuple[float, str]]]:
    """The metrics that a report gives rise to."""
    metrics = Metrics(namespace=NAMESPACE, service="handshake-acceptor")
    telemetry = Telemetry(Logger(service="test-telemetry", stream=StringIO()), metrics, lambda: world.now)
    out = StringIO()
    with redirect_stdout(out):
        for record in report.records:
            telemetry.decision(record)
        telemetry.run(report, Trigger.from_event(event))
    found: dict[str, list[tuple[float, str]]] = {}
    for line in out.getvalue().splitlines():
        for datum in read(line):
            assert datum.dimensions == (("service", "handshake-acceptor"),)
            found.setdefault(datum.name, []).append((datum.value, datum.unit))
    return found


def test_an_idle_run_sends_nothing(world: World) -> None:
    assert sent(world) == {}


def test_an_acceptance_says_how_long_the_invitation_had_waited(world: World) -> None:
    world.invite()
    world.now += timedelta(minutes=4)
    assert sent(world) == {Metric.ACCEPTED: [(1, "Count")], Metric.SECONDS_TO_ACCEPT: [(240, "Seconds")]}


def test_what_waits_is_counted_once_a_run_with_the_hours_of_the_most_urgent(world: World) -> None:
    world.policy(allow(organization=OTHER_ORGANIZATION), allow("Third", "o-third000002", "555555555555"))
    world.invite(OTHER_MANAGEMENT)
    world.now += timedelta(hours=3)
    world.service.add_organization("o-third000001", "555555555555")
    world.invite("555555555555")
    assert sent(world) == {
        Metric.PENDING: [(2, "Count")],
        Metric.NOT_ALLOWED: [(2, "Count")],
        Metric.HOURS_LEFT: [(15 * 24 - 3, "None")],
    }


def test_a_strangers_invitation_waits_and_holds_no_alarm(world: World) -> None:
    world.invite(OTHER_MANAGEMENT)
    world.now += timedelta(days=14)
    assert sent(world) == {Metric.PENDING: [(1, "Count")]}


def test_while_nothing_is_allowed_everybody_is_a_stranger(world: World) -> None:
    world.policy()
    world.invite(OTHER_MANAGEMENT)
    assert sent(world).keys() == {Metric.PENDING}


def test_a_handshake_of_our_own_list_that_cannot_be_believed_may_be_the_awaited_one(world: World) -> None:
    world.invite()
    report = world.run()
    unknown = invalid_handshake("h-examplehandshakeid111", "MALFORMED_ARN", "is none", 7)
    decision = Decision(DecisionKind.INELIGIBLE, unknown.reasons, "")
    record = replace(report.records[0], decision=decision, outcome=Outcome.LEFT_PENDING)
    for listed, expected in ((True, {Metric.PENDING, Metric.NOT_ALLOWED}), (False, set())):
        told = replace(record, handshake=replace(unknown, listed=listed))
        assert set(emitted(world, replace(report, records=(told,)))) == expected


def test_a_denied_handshake_waits_but_nobody_need_hurry(world: World) -> None:
    world.policy(deny(Origin={"OrganizationId": OTHER_ORGANIZATION}))
    world.invite(OTHER_MANAGEMENT)
    assert sent(world) == {Metric.PENDING: [(1, "Count")]}


def test_the_brake_makes_allowed_invitations_wait(world: World) -> None:
    world.mode("observe")
    world.invite()
    assert sent(world).keys() == {Metric.PENDING, Metric.HOURS_LEFT}


def test_an_invalid_policy_is_one_situation_not_two(world: World) -> None:
    world.invite()
    world.parameters.values[f"{PREFIX}policy/second"] = "{"
    assert sent(world).keys() == {Metric.POLICY_INVALID, Metric.PENDING, Metric.HOURS_LEFT}


def test_a_strangers_handshake_that_a_hint_names_is_nobodys_alarm(world: World) -> None:
    world.service.register_account("999999999999", "other@example.com")
    foreign = world.invite(OTHER_MANAGEMENT, target="999999999999")
    assert sent(world, world.hint(foreign)) == {}


def test_what_aws_makes_us_wait_for_is_pending_and_no_more(world: World) -> None:
    reason = "ORGANIZATION_MEMBERSHIP_CHANGE_RATE_LIMIT_EXCEEDED"
    world.service.inject(
        Fault(operation="AcceptHandshake", code="HandshakeConstraintViolationException", reason=reason)
    )
    world.invite()
    assert sent(world).keys() == {Metric.PENDING, Metric.HOURS_LEFT}
    assert world.service.organization_of(MEMBER) is None


def test_a_sweep_that_looks_at_nothing_goes_on_saying_who_needs_a_person(world: World) -> None:
    """Else the alarm would end with the first sweep that steps back."""
    world.service.inject(Fault(operation="AcceptHandshake", code="HandshakeConstraintViolationException", times=9))
    world.invite()
    looked = world.run()
    assert [record.outcome for record in looked.records] == [Outcome.NEEDS_HUMAN]
    waiting = Unlooked(skipped=True, last_look=world.now, records=looked.records)
    stepped_back = replace(looked, records=(), unlooked=waiting)
    assert emitted(world, stepped_back)[Metric.NEEDS_HUMAN] == [(1, "Count")]
    assert Metric.NEEDS_HUMAN not in emitted(world, replace(stepped_back, unlooked=replace(waiting, records=())))
