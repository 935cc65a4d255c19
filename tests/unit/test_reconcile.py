from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from handshake_acceptor.reconcile import Memory
from handshake_core.handshake import Reason
from handshake_core.retry import MARGIN
from local.service.handshake_service import Effect, Fault
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    RUN_ID,
    START,
    World,
    allow,
    client_error,
    codes,
    deny,
    summary,
)

OTHER = {"organization": OTHER_ORGANIZATION, "account": OTHER_MANAGEMENT}


@pytest.fixture
def world() -> World:
    return World()


# What a run does


def test_allowed_invitation_is_accepted_and_others_are_left(world: World) -> None:
    world.policy(allow(), deny(Origin={"OrganizationId": OTHER_ORGANIZATION}))
    wanted, denied = world.invite(), world.invite(OTHER_MANAGEMENT)
    report = world.run()
    assert set(summary(report)) == {(wanted, "ACCEPT", "ACCEPTED"), (denied, "DENY", "LEFT_PENDING")}
    assert world.service.organization_of(MEMBER).id == ORGANIZATION
    assert (report.failures, report.listed, report.snapshot.mode.value) == ((), 2, "enforce")


@pytest.mark.parametrize("inviter_is_a_party", [True, False])
@pytest.mark.parametrize("target", [MEMBER, "mary@example.com"])
def test_an_invitation_is_accepted_whether_or_not_it_names_the_inviter(
    world: World, target: str, inviter_is_a_party: bool
) -> None:
    world.service.configure(inviter_is_a_party=inviter_is_a_party)
    world.policy(allow())
    invited = world.invite(target=target)
    assert summary(world.run()) == [(invited, "ACCEPT", "ACCEPTED")]


def test_invitation_by_email_is_accepted_when_our_own_list_shows_it(world: World) -> None:
    world.policy(allow())
    invited = world.invite(target="mary@example.com")
    assert summary(world.run()) == [(invited, "ACCEPT", "ACCEPTED")]


def test_every_page_is_read_empty_ones_included(world: World) -> None:
    world.policy(allow())
    world.service.configure(page_size=1, empty_pages=2)
    for number in range(5):
        world.service.add_organization(f"o-foreign000{number}", f"44444444444{number}")
        world.invite(f"44444444444{number}")
    wanted = world.invite()
    assert (wanted, "ACCEPT", "ACCEPTED") in summary(world.run())


def test_policy_is_read_over_all_pages(world: World) -> None:
    for number in range(25):
        world.policy(deny(f"D{number}", Origin={"OrganizationId": "o-sandbox0001"}), name=f"p{number:02}")
    world.policy(allow(), name="zz-last")
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


def test_an_idle_run_makes_two_calls_and_says_nothing(world: World) -> None:
    world.policy(allow())
    world.join()
    report = world.run()
    assert world.client.calls == ["ListHandshakesForAccount"]
    assert world.parameters.reads == 1
    assert report.records == ()


def test_the_policy_is_read_while_the_handshakes_are_listed(world: World) -> None:
    world.policy(allow())
    wanted, both = world.invite(), Barrier(2, timeout=10)
    listing, reading = world.client.list_handshakes_for_account, world.parameters.get_parameters_by_path
    first = iter([both.wait, both.wait])

    def together(call: Any, **request: Any) -> Any:
        next(first, lambda: 0)()  # breaks if the other call comes only afterwards
        return call(**request)

    world.client.list_handshakes_for_account = lambda **request: together(listing, **request)  # type: ignore[method-assign]
    world.parameters.get_parameters_by_path = lambda **request: together(reading, **request)  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as world.reader:
        assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


def test_every_run_of_one_process_goes_by_the_policy_as_it_is_then(world: World) -> None:
    invited = world.invite()
    for statements, outcome in (
        ([deny()], "LEFT_PENDING"),
        ([allow(organization=OTHER_ORGANIZATION)], "LEFT_PENDING"),
        ([deny()], "LEFT_PENDING"),
        ([], "LEFT_PENDING"),
        ([allow()], "ACCEPTED"),
    ):
        world.policy(*statements)
        assert [row[2] for row in summary(world.run())] == [outcome]
    assert world.service.handshake(invited).state.value == "ACCEPTED"


def test_observe_decides_and_calls_nothing(world: World) -> None:
    world.policy(allow())
    world.mode("observe")
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "ACCEPT", "OBSERVED")]
    assert world.accepts() == 0


def test_missing_mode_is_observe(world: World) -> None:
    world.policy(allow())
    del world.parameters.values[f"{PREFIX}mode"]
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "ACCEPT", "OBSERVED")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Version": "2026-01-01"}', '{"Version": "1", "Statement": []}'])
def test_invalid_policy_accepts_nothing_and_a_mended_one_accepts_later(world: World, text: str) -> None:
    wanted = world.invite()
    world.policy(allow())
    world.parameters.values[f"{PREFIX}policy/second"] = text
    report = world.run()
    assert summary(report) == [(wanted, "POLICY_INVALID", "LEFT_PENDING")]
    assert report.failures == ()
    assert f"{PREFIX}policy/second" in report.records[0].reasons[0].message
    del world.parameters.values[f"{PREFIX}policy/second"]
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


def test_no_policy_at_all_allows_nothing(world: World) -> None:
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "NO_MATCH", "LEFT_PENDING")]


def test_an_unknown_parameter_below_the_prefix_is_a_mistake_not_a_policy(world: World) -> None:
    world.policy(allow())
    world.parameters.values[f"{PREFIX}polcy/deny"] = "{}"
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "POLICY_INVALID", "LEFT_PENDING")]


def test_a_policy_beside_the_prefix_counts_for_nothing(world: World) -> None:
    world.parameters.values["/handshake-acceptor-evil/policy/allowlist"] = "never read"
    world.policy(allow())
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


def test_declines_only_what_a_deny_says_to_decline(world: World) -> None:
    origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    world.policy(allow(), deny(Action="INVITE", Origin=origin, Respond="Decline"))
    declined, wanted = world.invite(OTHER_MANAGEMENT), world.invite()
    assert set(summary(world.run())) == {(declined, "DECLINE", "DECLINED"), (wanted, "ACCEPT", "ACCEPTED")}
    assert world.state(declined) == "DECLINED"


def test_enable_all_features_of_the_own_organization_is_accepted(world: World) -> None:
    world.service.add_organization(
        "o-billingonly", "555555555555", members=[MEMBER], feature_set="CONSOLIDATED_BILLING"
    )
    world.service.call("EnableAllFeatures", "555555555555", {})
    world.policy(allow(organization="o-billingonly", account="555555555555", action="ENABLE_ALL_FEATURES"))
    assert [row[1:] for row in summary(world.run())] == [("ACCEPT", "ACCEPTED")]


def test_a_member_does_not_move_by_default(world: World) -> None:
    world.join(OTHER_MANAGEMENT)
    world.policy(allow())
    wanted = world.invite()
    report = world.run()
    assert summary(report) == [(wanted, "NO_MATCH", "LEFT_PENDING")]
    assert report.records[0].reasons[0].as_dict()["field"] == "Condition.CurrentOrganization"


def test_a_member_moves_where_the_policy_names_where_from(world: World) -> None:
    world.join(OTHER_MANAGEMENT)
    world.policy(allow(Condition={"CurrentOrganization": OTHER_ORGANIZATION}))
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert world.service.organization_of(MEMBER).id == ORGANIZATION


# Several invitations at once


def test_invitations_of_two_allowed_organizations_are_ambiguous_and_none_is_accepted(world: World) -> None:
    world.policy(allow(), allow("Other", **OTHER))
    first, second = world.invite(), world.invite(OTHER_MANAGEMENT)
    report = world.run()
    assert set(summary(report)) == {(first, "ACCEPT", "NEEDS_HUMAN"), (second, "ACCEPT", "NEEDS_HUMAN")}
    text = "invitations from several organizations are allowed at once: allow one, or cancel the others"
    reason = Reason("AMBIGUOUS", text, (("seen", (ORGANIZATION, OTHER_ORGANIZATION)),))
    assert [record.reasons[-1] for record in report.records] == [reason, reason]
    assert report.failures == ()
    assert world.accepts() == 0


def test_two_allowed_invitations_of_one_organization_are_answered_one_a_run(world: World) -> None:
    world.policy(allow())
    first = world.invite()
    second = world.service.add_handshake("INVITE", ORGANIZATION, "mary@example.com")
    outcomes = {row[0]: row[2] for row in summary(world.run())}
    assert sorted(outcomes.values()) == ["ACCEPTED", "RETRY_LATER"]
    assert set(outcomes) == {first, second}
    assert world.accepts() == 1


def test_an_ambiguity_that_arises_during_a_backoff_stops_the_accept(world: World) -> None:
    world.policy(allow(), allow("Other", **OTHER))
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException"))

    def meanwhile() -> None:
        world.on_sleep = lambda: None
        world.invite(OTHER_MANAGEMENT)
        world.now += timedelta(seconds=21)

    world.on_sleep = meanwhile
    assert summary(world.run()) == [(wanted, "ACCEPT", "NEEDS_HUMAN")]
    assert world.state(wanted) == "OPEN"


# Retries


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ConcurrentModificationException", "ServiceException"])
def test_what_seconds_cure_is_tried_again_and_counted(world: World, code: str) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code=code, times=4))
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert report.records[0].attempts == 5
    assert len(world.slept) == 4
    assert all(wait <= 0.5 * 2**n for n, wait in enumerate(world.slept))


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
        ResponseParserError("x"),
        client_error("SomethingNew", status=503),
    ],
)
def test_lost_connections_are_tried_again(world: World, error: Exception) -> None:
    world.policy(allow())
    wanted = world.invite()
    faults = [error]

    def before(operation: str) -> None:
        if operation == "AcceptHandshake" and faults:
            raise faults.pop()

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert report.records[0].attempts == 2


def test_a_deny_set_during_a_backoff_takes_effect(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException", times=2))
    world.on_sleep = lambda: world.policy(deny(), name="brake")
    report = world.run()
    assert summary(report) == [(wanted, "DENY", "LEFT_PENDING")]
    assert report.records[0].attempts == 1
    assert world.state(wanted) == "OPEN"


def test_the_brake_set_during_a_backoff_takes_effect(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="ConcurrentModificationException", times=2))
    world.on_sleep = lambda: world.mode("observe")
    assert summary(world.run()) == [(wanted, "ACCEPT", "OBSERVED")]
    assert world.state(wanted) == "OPEN"


def test_a_deny_set_while_the_list_backs_off_takes_effect(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="ListHandshakesForAccount", code="TooManyRequestsException"))
    world.on_sleep = lambda: world.policy(deny(), name="brake")
    assert summary(world.run()) == [(wanted, "DENY", "LEFT_PENDING")]


def test_a_window_that_ends_during_a_backoff_is_over(world: World) -> None:
    ends = (world.now + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    world.policy(allow(Condition={"NotAfter": ends}))
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException", times=9))
    assert summary(world.run()) == [(wanted, "NO_MATCH", "LEFT_PENDING")]


def test_a_move_during_a_backoff_stops_the_accept(world: World) -> None:
    """Somebody accepted another invitation by hand: ours would move the account a second time."""
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException"))

    def by_hand() -> None:
        world.on_sleep = lambda: None
        world.join(OTHER_MANAGEMENT)
        world.now += timedelta(seconds=21)

    world.on_sleep = by_hand
    assert summary(world.run()) == [(wanted, "NO_MATCH", "LEFT_PENDING")]
    assert world.service.organization_of(MEMBER).id == OTHER_ORGANIZATION


def test_retrying_ends_before_the_deadline_and_fails_the_run(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException", times=10_000))
    began = world.now
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "RETRY_LATER")]
    assert report.failures == ("DEADLINE TooManyRequestsException",)
    assert world.now - began <= timedelta(seconds=220)
    assert report.records[0].attempts == world.accepts()


# Ambiguous failures


def test_a_lost_answer_is_looked_up_before_another_attempt(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert "ANSWER_LOST" in codes(report)
    assert world.accepts() == 1
    assert world.service.accept_effects(wanted) == 1


def test_a_lost_answer_is_looked_up_by_describe_where_the_list_is_refused(world: World) -> None:
    """An organization may take the permission to list away as soon as it is joined."""
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))

    def before(operation: str) -> None:
        if operation == "ListHandshakesForAccount" and world.accepts():
            raise client_error("AccessDeniedException")

    world.client.before = before
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


def test_a_lost_answer_that_cannot_be_looked_up_is_unconfirmed(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))

    def before(operation: str) -> None:
        if operation in ("ListHandshakesForAccount", "DescribeHandshake") and world.accepts():
            raise client_error("AccessDeniedException")

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    assert "ACCEPT_UNCONFIRMED" in report.failures
    assert world.accepts() == 1


def test_an_accept_that_reads_accepted_later_is_waited_for(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=60))
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert world.accepts() == 1


def test_an_accept_that_never_reads_accepted_is_unconfirmed_and_settled_by_the_next_run(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=400))
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    assert report.failures == ("ACCEPT_UNCONFIRMED",)
    world.now += timedelta(seconds=240)
    report = world.run()
    assert (summary(report), report.failures) == ([(wanted, "ACCEPT", "ACCEPTED")], ())
    assert "ACCEPT_CONFIRMED" in codes(report)
    assert world.service.accept_effects(wanted) == 1
    assert world.run().records == (), "it is told once"


def test_an_unconfirmed_accept_of_another_process_is_told_where_somebody_asks(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=400))
    world.run()
    world.memory = Memory()
    world.now += timedelta(seconds=240)
    assert summary(world.run(world.hint(wanted))) == [(wanted, "INELIGIBLE", "ALREADY_ACCEPTED")]


def test_a_second_run_at_the_same_moment_reports_already_accepted(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()

    def before(operation: str) -> None:
        if operation == "AcceptHandshake":
            world.client.before = lambda _: None
            world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ALREADY_ACCEPTED")]
    assert report.failures == ()
    assert world.service.accept_effects(wanted) == 1


def accepted_by_another_run(world: World, wanted: str, look: int) -> None:
    """Another run's accept lands between the list and the account of this run's look number `look`."""
    looks = iter(range(1, 100))

    def before(operation: str) -> None:
        if operation == "DescribeOrganization" and next(looks) == look:
            world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})

    world.client.before = before


@pytest.mark.parametrize("hinted", [True, False])
def test_what_another_run_accepts_during_the_look_is_not_decided_as_if_it_were_pending(
    world: World, hinted: bool
) -> None:
    world.policy(allow())
    wanted = world.invite()
    accepted_by_another_run(world, wanted, look=1)
    report = world.run(world.hint(wanted) if hinted else None)
    assert summary(report) == ([(wanted, "INELIGIBLE", "ALREADY_ACCEPTED")] if hinted else [])
    assert (report.failures, world.accepts()) == ((), 0)


def test_what_another_run_accepts_during_a_later_look_is_already_accepted(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="ConcurrentModificationException"))
    accepted_by_another_run(world, wanted, look=2)
    world.on_sleep = lambda: setattr(world, "now", world.now + timedelta(seconds=21))
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ALREADY_ACCEPTED")]
    assert (report.failures, world.accepts()) == ((), 1)


def test_a_list_that_lags_behind_is_read_once_more_and_no_oftener(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    behind = world.client.list_handshakes_for_account()
    world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})
    read: list[dict[str, Any]] = []
    world.client.list_handshakes_for_account = lambda **_: read.append(behind) or behind
    report = world.run()
    assert summary(report) == [(wanted, "NO_MATCH", "LEFT_PENDING")]
    assert (report.failures, len(read)) == ((), 2)


def test_nothing_is_sent_on_an_account_that_was_read_before_listing_once_more_took_long(world: World) -> None:
    """Its organization may have changed meanwhile."""
    world.policy(allow(Condition={"CurrentOrganization": [ORGANIZATION, OTHER_ORGANIZATION]}))
    wanted = world.invite()
    behind = world.client.list_handshakes_for_account()
    world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})
    reads: list[str] = []

    def slowly(**_: Any) -> dict[str, Any]:
        reads.append("list")
        if len(reads) == 2:
            world.now += timedelta(seconds=21)
            world.service.call("RemoveAccountFromOrganization", MANAGEMENT, {"AccountId": MEMBER})
        return behind if len(reads) <= 2 else {"Handshakes": []}

    world.client.list_handshakes_for_account = slowly
    report = world.run()
    assert summary(report) == [(wanted, "NO_MATCH", "LEFT_PENDING")]
    assert (world.client.calls.count("DescribeOrganization"), world.accepts()) == (2, 0)


def test_an_account_that_left_and_joined_again_is_given_a_minute_for_each_join(world: World) -> None:
    """AWS shows the join of a moment ago late: what was waited for in vain before says nothing about it."""
    world.policy(allow(), allow("Wide", **OTHER))
    world.join(OTHER_MANAGEMENT)
    world.service.call("RemoveAccountFromOrganization", OTHER_MANAGEMENT, {"AccountId": MEMBER})
    wanted, began, shown = world.invite(), world.now, world.client.describe_organization
    joined_again: list[bool] = []

    def lagging(**request: Any) -> dict[str, Any]:
        if joined_again and world.now < began + timedelta(seconds=90):
            raise client_error("AWSOrganizationsNotInUseException")
        return shown(**request)

    def join_again() -> None:
        if not joined_again and world.now >= began + timedelta(seconds=45):
            joined_again.append(True)
            world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": world.invite(OTHER_MANAGEMENT)})

    world.client.describe_organization = lagging
    world.on_sleep = join_again
    assert [row[1:] for row in summary(world.run()) if row[0] == wanted] == [("NO_MATCH", "LEFT_PENDING")]
    assert (joined_again, world.accepts()) == ([True], 0)


def test_a_cancellation_that_is_faster_is_left_alone(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()

    def before(operation: str) -> None:
        if operation == "AcceptHandshake":
            world.service.call("CancelHandshake", MANAGEMENT, {"HandshakeId": wanted})

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "LEFT_PENDING")]
    assert "NOT_PENDING" in codes(report)


# Refusals


@pytest.mark.parametrize(
    ("code", "reason", "outcome"),
    [
        ("SubscriptionRequiredException", None, "RETRY_LATER"),
        ("OptInRequired", None, "RETRY_LATER"),
        ("FinalizingOrganizationException", None, "RETRY_LATER"),
        ("HandshakeConstraintViolationException", "ACCOUNT_NUMBER_LIMIT_EXCEEDED", "NEEDS_HUMAN"),
        ("HandshakeConstraintViolationException", "ORGANIZATION_MEMBERSHIP_CHANGE_RATE_LIMIT_EXCEEDED", "RETRY_LATER"),
        ("HandshakeConstraintViolationException", "HANDSHAKE_RATE_LIMIT_EXCEEDED", "RETRY_LATER"),
        ("HandshakeConstraintViolationException", "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES", "RETRY_LATER"),
        ("ConstraintViolationException", "WAIT_PERIOD_ACTIVE", "RETRY_LATER"),
        ("HandshakeConstraintViolationException", "PAYMENT_INSTRUMENT_REQUIRED", "NEEDS_HUMAN"),
        ("HandshakeConstraintViolationException", "PAST_DUE_INVOICE", "NEEDS_HUMAN"),
        ("HandshakeConstraintViolationException", "A_REASON_OF_NEXT_YEAR", "NEEDS_HUMAN"),
        ("AccessDeniedException", None, "NEEDS_HUMAN"),
        ("AccessDeniedForDependencyException", None, "NEEDS_HUMAN"),
        ("AnErrorOfNextYear", None, "NEEDS_HUMAN"),
    ],
)
def test_refusals_leave_it_pending_and_are_no_failed_run(world: World, code: str, reason: str, outcome: str) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code=code, reason=reason))
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", outcome)]
    assert report.failures == ()
    assert world.accepts() == 1
    last = report.records[0].reasons[-1].as_dict()
    assert last["code"] == code
    assert last.get("reason") == reason


def test_an_unreadable_list_fails_the_run(world: World) -> None:
    world.policy(allow())
    world.invite()
    world.service.inject(Fault(operation="ListHandshakesForAccount", code="AccessDeniedException", times=99))
    report = world.run()
    assert report.failures == ("LIST_UNREADABLE AccessDeniedException",)
    assert world.accepts() == 0


def test_an_unreadable_list_still_answers_a_hint(world: World) -> None:
    wanted = world.invite()
    world.service.inject(Fault(operation="ListHandshakesForAccount", code="AccessDeniedException", times=99))
    report = world.run(world.hint(wanted))
    assert [row[2] for row in summary(report)] == ["RETRY_LATER"]


def test_an_unreadable_policy_fails_the_run_and_accepts_nothing(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.parameters.faults = [client_error("AccessDeniedException", "GetParametersByPath")]
    report = world.run()
    assert summary(report) == [(wanted, "POLICY_INVALID", "RETRY_LATER")]
    assert report.failures == ("POLICY_UNREADABLE AccessDeniedException",)


def test_a_list_that_repeats_a_page_ends(world: World) -> None:
    world.client.list_handshakes_for_account = lambda **_: {"Handshakes": [], "NextToken": "again"}
    assert world.run().failures == ("LIST_UNREADABLE RepeatedPage",)


def test_an_unknown_current_organization_is_never_standalone(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="DescribeOrganization", code="AccessDeniedException"))
    report = world.run()
    assert summary(report) == [(wanted, "INELIGIBLE", "RETRY_LATER")]
    assert [reason.code for reason in report.records[0].reasons] == [
        "CURRENT_ORGANIZATION_UNKNOWN",
        "AccessDeniedException",
    ]
    assert report.failures == ()


def test_a_current_organization_that_stays_throttled_fails_the_run(world: World) -> None:
    world.policy(allow())
    world.invite()
    world.service.inject(Fault(operation="DescribeOrganization", code="TooManyRequestsException", times=9999))
    assert "DESCRIBE_ORGANIZATION TooManyRequestsException" in world.run().failures


# Hints


def test_a_hint_for_a_foreign_handshake_is_recorded_and_nothing_else(world: World) -> None:
    world.policy(allow())
    foreign = world.invite(target="999999999999")
    report = world.run(world.hint(foreign))
    assert [row[1] for row in summary(report)] == ["INELIGIBLE"]
    assert world.state(foreign) == "OPEN"
    assert world.accepts() == 0


def test_a_hint_for_a_finished_handshake_is_recorded(world: World) -> None:
    world.join()
    finished = world.service.handshakes()[0].id
    assert summary(world.run(world.hint(finished))) == [(finished, "INELIGIBLE", "ALREADY_ACCEPTED")]


@pytest.mark.parametrize(
    ("age", "outcome", "failures"),
    [
        (timedelta(0), "RETRY_LATER", ("HINTED_HANDSHAKE_NOT_SEEN",)),
        (timedelta(minutes=3), "RETRY_LATER", ("HINTED_HANDSHAKE_NOT_SEEN",)),
        (timedelta(minutes=3, seconds=1), "LEFT_PENDING", ()),
        (timedelta(seconds=-1), "LEFT_PENDING", ()),
    ],
)
def test_a_hint_that_aws_does_not_show_is_retried_while_young(
    world: World, age: timedelta, outcome: str, failures: tuple[str, ...]
) -> None:
    world.policy(allow())
    report = world.run(world.hint("h-nosuchhandshake", age))
    assert summary(report) == [("h-nosuchhandshake", "INELIGIBLE", outcome)]
    assert report.failures == failures


def test_a_hinted_handshake_that_the_list_shows_is_recorded_once(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    assert summary(world.run(world.hint(wanted))) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert "DescribeHandshake" not in world.client.calls


# What is told


def test_a_record_has_the_fields_that_others_rely_on(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    record = world.run(world.hint(wanted)).records[0].as_dict()
    assert json.loads(json.dumps(record)) == record
    assert {key: record[key] for key in ("handshake_id", "action", "organization_id", "management_account_id")} == {
        "handshake_id": wanted,
        "action": "INVITE",
        "organization_id": ORGANIZATION,
        "management_account_id": MANAGEMENT,
    }
    assert record["decision"] == "ACCEPT"
    assert record["outcome"] == "ACCEPTED"
    assert record["sids"] == ["Join"]
    assert record["trigger"] == "hint"
    assert record["attempts"] == 1
    assert record["expires_at"] == "2026-12-05T21:41:16+00:00"
    assert len(record["policy_version"]) == 16
    assert (record["account_id"], record["run_id"], record["since"]) == (MEMBER, RUN_ID, "2026-11-20T21:41:16+00:00")
    assert (record["needs_person"], record["near_miss"]) == (False, False)
    assert record["summary"] == (
        f"INVITE from {ORGANIZATION} of {MANAGEMENT} to account {MEMBER}, sent 2026-11-20T21:41:16+00:00: "
        "accepted: Join allows it."
    )


def test_a_summary_says_what_to_do_however_many_statements_allow_it(world: World) -> None:
    world.policy(allow("A"), allow("B"), allow("C"))
    world.invite()
    reason = "PAYMENT_INSTRUMENT_REQUIRED"
    world.service.inject(Fault(operation="AcceptHandshake", code="ConstraintViolationException", reason=reason))
    record = world.run().records[0].as_dict()
    assert record["needs_person"]
    assert record["summary"].endswith(
        "needs a person: A allows it; Give the account a payment method, then wait for the next sweep."
    )


def test_a_near_miss_wants_a_person_and_a_stranger_does_not(world: World) -> None:
    world.policy(allow(Origin={"OrganizationId": "o-mistyped01", "ManagementAccountId": MANAGEMENT}))
    near, stranger = world.invite(), world.invite(OTHER_MANAGEMENT)
    records = {record.handshake.id: record.as_dict() for record in world.run().records}
    assert [(records[key]["near_miss"], records[key]["needs_person"]) for key in (near, stranger)] == [
        (True, True),
        (False, False),
    ]
    assert (
        f"left pending: Join: Origin.OrganizationId is {ORGANIZATION}, the statement has o-mistyped01."
        in (records[near]["summary"])
    )


def test_no_personal_data_is_in_any_record(world: World) -> None:
    world.policy(allow())
    world.invite(target="mary@example.com")
    world.invite(OTHER_MANAGEMENT)
    told = json.dumps([record.as_dict() for record in world.run().records])
    assert "@" not in told
    assert "mary" not in told.replace("summary", "")


def test_records_are_emitted_as_they_fall(world: World) -> None:
    world.policy(allow())
    world.invite()
    report = world.run()
    assert tuple(world.emitted) == report.records


# Turns


DECLINE_OTHER = deny(
    "No",
    Action="INVITE",
    Origin={"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT},
    Respond="Decline",
)
BILLING = "o-billingonly"
ALLOWED = Reason("ALLOWED", "Join allows it", (("sid", "Join"),))
UNCONFIRMED = Reason("ACCEPT_UNCONFIRMED", "an accept was sent, but the handshake does not read ACCEPTED yet")


def full_features(world: World) -> None:
    """The account is asked by its own organization to enable all features."""
    world.service.add_organization(BILLING, "555555555555", members=[MEMBER], feature_set="CONSOLIDATED_BILLING")
    world.service.call("EnableAllFeatures", "555555555555", {})


def steady(world: World) -> None:
    """Every backoff is as long as it can be."""
    world.random = SimpleNamespace(random=lambda: 1.0)  # type: ignore[assignment]


def fails(world: World, operation: str, *codes: str) -> None:
    """The next calls of an operation fail before they have an effect."""
    left = list(codes)

    def before(called: str) -> None:
        if called == operation and left:
            raise client_error(left.pop(0), operation)

    world.client.before = before


def test_what_is_no_invitation_is_accepted_before_the_invitation_and_declines_come_last(world: World) -> None:
    full_features(world)
    enable = allow("Enable", BILLING, "555555555555", "ENABLE_ALL_FEATURES")
    world.policy(DECLINE_OTHER, enable, allow(Condition={"CurrentOrganization": BILLING}))
    unwanted = world.invite(OTHER_MANAGEMENT)
    world.now += timedelta(minutes=1)
    wanted = world.invite()
    report = world.run()
    assert [row[2] for row in summary(report)] == ["ACCEPTED", "ACCEPTED", "DECLINED"]
    assert [row[0] for row in summary(report)][1:] == [wanted, unwanted]
    sent = [call for call in world.client.calls if call in ("AcceptHandshake", "DeclineHandshake")]
    assert sent == ["AcceptHandshake", "AcceptHandshake", "DeclineHandshake"]


def test_the_most_urgent_of_a_kind_comes_first(world: World) -> None:
    origins = [(f"o-unwanted{number:04}", f"77777777777{number}") for number in range(3)]
    ids = []
    for organization, management in origins:
        world.service.add_organization(organization, management)
        ids.append(world.invite(management))
        world.now -= timedelta(minutes=1)
    origin = {"OrganizationId": [each for each, _ in origins], "ManagementAccountId": [each for _, each in origins]}
    world.policy(deny("No", Action="INVITE", Origin=origin, Respond="Decline"))
    assert summary(world.run()) == [(each, "DECLINE", "DECLINED") for each in reversed(ids)]


def test_every_handshake_has_its_first_attempt_before_any_has_its_second(world: World) -> None:
    steady(world)
    world.policy(allow(), DECLINE_OTHER)
    wanted, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)
    world.service.inject(*[Fault(operation="AcceptHandshake", code="TooManyRequestsException", times=3)])
    world.service.inject(*[Fault(operation="DeclineHandshake", code="TooManyRequestsException", times=1)])
    report = world.run()
    sent = [call[:6] for call in world.client.calls if call in ("AcceptHandshake", "DeclineHandshake")]
    # Accept waits for 0.1, 0.2 and 0.4 s, decline for 0.1 s.
    assert sent == ["Accept", "Declin", "Accept", "Declin", "Accept", "Accept"]
    assert world.slept == pytest.approx([0.1, 0.2, 0.4])
    assert summary(report) == [(unwanted, "DECLINE", "DECLINED"), (wanted, "ACCEPT", "ACCEPTED")]
    assert [record.attempts for record in report.records] == [2, 4]


def test_no_second_attempt_comes_before_a_first_though_it_is_due_at_once(world: World) -> None:
    world.random = SimpleNamespace(random=lambda: 0.0)  # type: ignore[assignment]
    world.policy(allow(), DECLINE_OTHER)
    world.invite(), world.invite(OTHER_MANAGEMENT)
    fails(world, "AcceptHandshake", "TooManyRequestsException", "TooManyRequestsException")
    world.run()
    sent = [call[:6] for call in world.client.calls if call in ("AcceptHandshake", "DeclineHandshake")]
    assert sent == ["Accept", "Declin", "Accept", "Accept"]


def test_an_account_that_does_not_show_a_join_is_waited_for_once_a_process(world: World) -> None:
    world.policy()
    world.join()
    world.invite(OTHER_MANAGEMENT)

    def describe(**_: Any) -> dict[str, Any]:
        raise client_error("AWSOrganizationsNotInUseException", "DescribeOrganization")

    world.client.describe_organization = describe
    waits = []
    for _ in range(2):
        world.slept.clear()
        world.run()
        waits.append(sum(world.slept))
    assert waits == [pytest.approx(60), 0]


def test_a_run_without_a_memory_begins_with_an_empty_one(world: World) -> None:
    world.memory = None  # type: ignore[assignment]
    world.policy(allow())
    wanted = world.invite()
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


# What is read again, and what is not


def test_after_a_call_that_certainly_had_no_effect_only_the_policy_is_read_again(world: World) -> None:
    world.policy(allow())
    world.invite()
    fails(world, "AcceptHandshake", "TooManyRequestsException")
    world.run()
    assert world.client.calls == [
        "ListHandshakesForAccount",
        "DescribeOrganization",
        "AcceptHandshake",
        "AcceptHandshake",
    ]
    assert world.parameters.reads == 3


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServiceException"])
def test_after_any_other_everything_is_read_again(world: World, code: str) -> None:
    world.policy(allow(), DECLINE_OTHER)
    world.invite(), world.invite(OTHER_MANAGEMENT)
    fails(world, "AcceptHandshake", code)
    world.run()
    after = world.client.calls[world.client.calls.index("AcceptHandshake") + 1 :]
    # An accept that may have had its effect comes before a decline, which cannot be undone.
    next_sent = "AcceptHandshake" if code == "ServiceException" else "DeclineHandshake"
    assert after[:3] == ["DescribeOrganization", "ListHandshakesForAccount", next_sent]
    assert after[-1] == "DeclineHandshake"


def test_what_was_accepted_is_waited_for_before_anything_is_declined(world: World) -> None:
    """List and account both lag behind the answer: a Deny that holds for no organization may not hold any more."""
    world.policy(allow(), DECLINE_OTHER | {"Condition": {"CurrentOrganization": "NONE"}})
    wanted, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)
    behind = world.client.list_handshakes_for_account()
    honest = world.client.__getattr__("describe_organization")
    until = world.now + timedelta(seconds=10)

    def describe(**request: Any) -> dict[str, Any]:
        if world.now < until:
            raise client_error("AWSOrganizationsNotInUseException", "DescribeOrganization")
        return honest(**request)

    listing = world.client.__getattr__("list_handshakes_for_account")
    world.client.describe_organization = describe
    world.client.list_handshakes_for_account = lambda **_: behind if world.now < until else listing()
    report = world.run()
    assert (wanted, "ACCEPT", "ACCEPTED") in summary(report)
    assert world.state(unwanted) == "OPEN"
    assert sum(world.slept) >= 10


# What is said of an attempt


def test_what_became_another_act_during_the_run_is_left_to_the_next(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    fails(world, "AcceptHandshake", "TooManyRequestsException")
    origin = {"OrganizationId": ORGANIZATION, "ManagementAccountId": MANAGEMENT}
    world.on_sleep = lambda: world.policy(deny("No", Action="INVITE", Origin=origin, Respond="Decline"))
    report = world.run()
    assert summary(report) == [(wanted, "DECLINE", "RETRY_LATER")]
    assert report.records[0].reasons[-1] == Reason("DECISION_CHANGED", "the decision became DECLINE during this run")
    assert (world.state(wanted), report.failures, report.records[0].attempts) == ("OPEN", (), 1)
    assert summary(world.run()) == [(wanted, "DECLINE", "DECLINED")]


def test_an_accept_that_may_come_yet_is_not_sent_again_once_it_was_denied_for_a_moment(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    fails(world, "AcceptHandshake", "ServiceException")
    edits = [lambda: world.policy(allow(), deny(), name="allowlist"), lambda: world.policy(allow())]
    world.on_sleep = lambda: edits.pop(0)() if edits else None
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    changed = Reason("DECISION_CHANGED", "the decision became DENY during this run")
    assert report.records[0].reasons == (ALLOWED, changed, UNCONFIRMED)
    assert (world.accepts(), report.failures) == (1, ("ACCEPT_UNCONFIRMED",))


@pytest.mark.parametrize("code", ["InvalidHandshakeTransitionException", "HandshakeNotFoundException"])
def test_a_handshake_that_is_not_what_it_seemed_is_looked_at_once_and_left_to_the_next_run(
    world: World, code: str
) -> None:
    world.policy(allow())
    wanted = world.invite()
    fails(world, "AcceptHandshake", code)
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "RETRY_LATER")]
    assert [reason.code for reason in report.records[0].reasons] == ["ALLOWED", code]
    assert (world.accepts(), world.slept, report.failures) == (1, [], ())
    assert world.client.calls[-1] == "ListHandshakesForAccount"


def test_what_another_run_accepted_is_waited_for_and_not_claimed(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=5))

    def before(operation: str) -> None:
        if operation == "AcceptHandshake":
            world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})
            raise client_error("HandshakeAlreadyInStateException")

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ALREADY_ACCEPTED")]
    assert (world.accepts(), report.failures) == (1, ())
    assert sum(world.slept) >= 5


def test_an_attempt_that_was_lost_stays_ours_when_the_next_finds_it_accepted(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=5))
    answers = ["ServiceException", "HandshakeAlreadyInStateException"]
    sent: list[str] = []

    def before(operation: str) -> None:
        if operation == "AcceptHandshake" and answers:
            if not sent:
                world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})
            sent.append(operation)
            raise client_error(answers.pop(0))

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert [reason.code for reason in report.records[0].reasons] == ["ALLOWED", "ANSWER_LOST"]
    assert report.records[0].attempts == 2


def test_looks_for_a_confirmation_are_further_and_further_apart_and_ask_for_the_list_alone(world: World) -> None:
    steady(world)
    world.policy(allow())
    world.invite()
    world.service.configure(accept_delay=timedelta(seconds=5))
    world.run()
    assert world.slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    after = world.client.calls[world.client.calls.index("AcceptHandshake") + 1 :]
    assert after == ["ListHandshakesForAccount"] * 7


def test_what_had_no_time_says_so(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.timeout = MARGIN + 0.5
    world.client.before = lambda _: setattr(world, "now", world.now + timedelta(seconds=0.3))
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "RETRY_LATER")]
    assert report.records[0].reasons == (ALLOWED, Reason("DEADLINE", "there was no time left to try"))
    assert (report.failures, report.records[0].attempts) == (("DEADLINE",), 0)


def test_what_ran_out_of_time_names_its_last_failure(world: World) -> None:
    world.policy(allow())
    world.invite()
    fails(world, "AcceptHandshake", *["TooManyRequestsException"] * 999)
    report = world.run()
    last = Reason("TooManyRequestsException", "AWS answers this for now")
    assert report.records[0].reasons == (ALLOWED, last)
    assert report.failures == ("DEADLINE TooManyRequestsException",)


def test_what_is_not_pending_any_more_says_what_it_is(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()

    def before(operation: str) -> None:
        if operation == "AcceptHandshake":
            world.service.call("CancelHandshake", MANAGEMENT, {"HandshakeId": wanted})

    world.client.before = before
    [record] = world.run().records
    assert record.reasons[-1] == Reason("NOT_PENDING", "it is CANCELED now", (("state", "CANCELED"),))


@pytest.mark.parametrize(
    ("code", "failures", "postponed"),
    [
        ("AccessDeniedException", ("LIST_UNREADABLE AccessDeniedException",), ()),
        ("SubscriptionRequiredException", (), ("LIST_UNREADABLE SubscriptionRequiredException",)),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["the first list", "a later list"])
def test_a_list_that_cannot_be_read_fails_the_run_unless_aws_wants_to_be_asked_later(
    world: World, later: bool, code: str, failures: tuple[str, ...], postponed: tuple[str, ...]
) -> None:
    world.policy(allow())
    wanted = world.invite()
    if later:  # it is too old when the second attempt is due
        fails(world, "AcceptHandshake", "TooManyRequestsException")
        world.on_sleep = lambda: (
            setattr(world, "now", world.now + timedelta(seconds=21)),
            fails(world, "ListHandshakesForAccount", *[code] * 99),
        )[0]
    else:
        fails(world, "ListHandshakesForAccount", *[code] * 99)
    report = world.run(world.hint(wanted))
    assert (report.failures, report.postponed) == (failures, postponed)
    [record] = report.records
    assert (record.outcome.value, record.reasons[-1].code) == ("RETRY_LATER", "LIST_UNREADABLE")
    assert record.reasons[-1].as_dict().get("seen", code) == code


def test_what_is_over_needs_no_policy_to_say_so(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    fails(world, "AcceptHandshake", "TooManyRequestsException")

    def meanwhile() -> None:
        world.now += timedelta(seconds=21)
        world.service.call("CancelHandshake", MANAGEMENT, {"HandshakeId": wanted})
        world.parameters.faults = [client_error("AccessDeniedException")]

    world.on_sleep = meanwhile
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "LEFT_PENDING")]
    assert report.failures == ()


@pytest.mark.parametrize(
    ("code", "by", "outcome"),
    [
        ("ServiceException", "CancelHandshake", "LEFT_PENDING"),
        ("ServiceException", "AcceptHandshake", "ACCEPTED"),
        ("TooManyRequestsException", "CancelHandshake", "LEFT_PENDING"),
        ("TooManyRequestsException", "AcceptHandshake", "ALREADY_ACCEPTED"),
    ],
)
def test_what_is_over_when_the_policy_has_been_read_again_says_so(
    world: World, code: str, by: str, outcome: str
) -> None:
    world.policy(allow())
    wanted = world.invite()
    fails(world, "AcceptHandshake", code)
    honest, reads = world.parameters.get_parameters_by_path, [0]

    def slowly(**request: Any) -> dict[str, Any]:
        reads[0] += 1
        if reads[0] == 3:  # handshakes and account are too old when it is there
            world.now += timedelta(seconds=21)
            world.service.call(by, MEMBER if by == "AcceptHandshake" else MANAGEMENT, {"HandshakeId": wanted})
        return honest(**request)

    world.parameters.get_parameters_by_path = slowly  # type: ignore[method-assign]
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", outcome)]
    assert (report.failures, world.client.calls.count("AcceptHandshake")) == ((), 1)


def test_nothing_is_sent_when_the_time_is_up_once_the_policy_is_there(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.timeout = MARGIN + 1
    honest, reads = world.parameters.get_parameters_by_path, [0]

    def slowly(**request: Any) -> dict[str, Any]:
        reads[0] += 1
        world.now += timedelta(seconds=1.5 if reads[0] == 2 else 0)
        return honest(**request)

    world.parameters.get_parameters_by_path = slowly  # type: ignore[method-assign]
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "RETRY_LATER")]
    assert report.records[0].reasons[-1] == Reason("DEADLINE", "there was no time left to try")
    assert (report.failures, world.accepts()) == (("DEADLINE",), 0)


def test_only_an_invitation_that_was_accepted_makes_the_run_wait_for_the_account(world: World) -> None:
    world.policy(allow(), DECLINE_OTHER)
    wanted, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)

    def canceled() -> None:
        world.on_sleep = lambda: None
        world.service.call("CancelHandshake", MANAGEMENT, {"HandshakeId": wanted})

    world.on_sleep = canceled
    fails(world, "AcceptHandshake", "ServiceException")
    fail = world.client.before

    def before(operation: str) -> None:
        if operation == "DeclineHandshake" and world.client.calls.count(operation) == 1:
            raise client_error("ServiceException")
        fail(operation)

    world.client.before = before
    report = world.run()
    assert sorted(row[2] for row in summary(report)) == ["DECLINED", "LEFT_PENDING"]
    assert world.state(unwanted) == "DECLINED"
    assert sum(world.slept) < 1


def test_a_transfer_of_responsibility_moves_no_account(world: World) -> None:
    transfer = allow("Bill", action="TRANSFER_RESPONSIBILITY", Condition={"CurrentOrganization": "ANY"})
    world.policy(transfer, DECLINE_OTHER | {"Action": "TRANSFER_RESPONSIBILITY"})
    world.service.add_organization("o-ownorgan01", MEMBER)
    world.service.add_handshake("TRANSFER_RESPONSIBILITY", ORGANIZATION, MEMBER)
    world.service.add_handshake("TRANSFER_RESPONSIBILITY", OTHER_ORGANIZATION, MEMBER)
    report = world.run()
    assert [row[2] for row in summary(report)] == ["ACCEPTED", "DECLINED"]
    assert world.slept == []


def test_a_lost_accept_whose_list_is_refused_is_only_looked_at(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=9999))
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))

    def before(operation: str) -> None:
        if world.accepts() and operation == "ListHandshakesForAccount":
            raise client_error("AccessDeniedException")

    world.client.before = before
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    unreadable = Reason("LIST_UNREADABLE", "LIST_UNREADABLE AccessDeniedException")
    assert report.records[0].reasons == (ALLOWED, unreadable, UNCONFIRMED)
    assert (report.failures, world.accepts()) == (("ACCEPT_UNCONFIRMED",), 1)


@pytest.mark.parametrize("lost", [True, False])
def test_a_policy_that_somebody_keeps_editing_is_named(world: World, lost: bool) -> None:
    world.policy(allow())
    for number in range(10):
        world.policy(deny(f"F{number}", Origin={"OrganizationId": f"o-filler{number:06}"}), name=f"f{number}")
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=9999))
    if lost:
        world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))
    honest, numbers = world.parameters.get_parameters_by_path, iter(range(1000))

    def edited(**request: Any) -> dict[str, Any]:
        if world.accepts() or not lost:
            number = next(numbers)
            world.policy(deny(f"E{number}", Origin={"OrganizationId": "o-filler000000"}), name="f0")
        return honest(**request)

    world.parameters.get_parameters_by_path = edited  # type: ignore[method-assign]
    report = world.run()
    unstable = Reason("POLICY_UNSTABLE", "somebody is editing the policy: three readings in a row differ")
    if lost:
        assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
        assert report.records[0].reasons == (ALLOWED, unstable, UNCONFIRMED)
        assert (report.failures, world.accepts()) == (("POLICY_UNSTABLE", "ACCEPT_UNCONFIRMED"), 1)
    else:
        assert summary(report) == [(wanted, "ACCEPT", "RETRY_LATER")]
        assert report.records[0].reasons == (ALLOWED, unstable)
        assert (report.failures, world.accepts()) == (("POLICY_UNSTABLE",), 0)


# What an earlier run could not confirm


def unconfirmed(world: World) -> str:
    """An accept of an earlier run of this process that has not had its effect yet; it will have it in 1,000 s."""
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=1000))
    world.run()
    assert set(world.memory.unconfirmed) == {wanted}
    world.client.before = lambda _: None
    return wanted


def hides(world: World, *operations: str) -> None:
    def before(operation: str) -> None:
        if operation in operations:
            raise client_error("AccessDeniedException", operation)

    world.client.before = before


HANDSHAKES = ("ListHandshakesForAccount", "DescribeHandshake")


def test_what_cannot_be_looked_at_stays_unconfirmed_and_in_mind(world: World) -> None:
    wanted = unconfirmed(world)
    hides(world, *HANDSHAKES)
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    assert report.failures == ("LIST_UNREADABLE AccessDeniedException", "ACCEPT_UNCONFIRMED")
    assert (report.records[0].reasons, report.records[0].attempts) == ((ALLOWED, UNCONFIRMED), 0)
    assert set(world.memory.unconfirmed) == {wanted}


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost"])
def test_nothing_is_declined_while_an_accept_may_yet_move_the_account(world: World, lost: bool) -> None:
    """A decline cannot be undone, and this Deny holds for an account in no organization alone."""
    world.policy(allow(), DECLINE_OTHER | {"Condition": {"CurrentOrganization": "NONE"}})
    wanted, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)
    world.service.configure(accept_delay=timedelta(seconds=400))
    if lost:
        fails(world, "AcceptHandshake", *["ServiceException"] * 1000)
    report = world.run()
    assert set(summary(report)) == {(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED"), (unwanted, "DECLINE", "RETRY_LATER")}
    assert "DeclineHandshake" not in world.client.calls
    [held] = [each for each in report.records if each.handshake.id == unwanted]
    assert held.reasons[-1] == Reason(
        "ACCEPT_UNCONFIRMED", "an accept that was sent may yet move the account, and this cannot be undone"
    )


def test_a_decline_goes_on_once_the_accept_before_it_is_settled(world: World) -> None:
    world.policy(allow(), DECLINE_OTHER)
    wanted, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)
    world.service.configure(accept_delay=timedelta(seconds=30))
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED"), (unwanted, "DECLINE", "DECLINED")]


def test_a_decline_that_no_run_saw_to_succeed_is_told_by_the_next(world: World) -> None:
    world.policy(DECLINE_OTHER)
    unwanted = world.invite(OTHER_MANAGEMENT)
    world.service.inject(Fault(operation="DeclineHandshake", code="ServiceException", effect=Effect.AFTER))
    world.on_sleep = lambda: hides(world, *HANDSHAKES)
    report = world.run()
    assert summary(report) == [(unwanted, "DECLINE", "RETRY_LATER")]
    assert [reason.code for reason in report.records[0].reasons] == ["DENIED", "LIST_UNREADABLE"]
    world.on_sleep = lambda: None
    world.client.before = lambda operation: None
    report = world.run()
    assert summary(report) == [(unwanted, "DECLINE", "DECLINED")]
    assert report.records[0].reasons[-1] == Reason(
        "DECLINE_CONFIRMED", "an earlier run sent the decline, and could not confirm it then"
    )
    assert world.run().records == (), "it is told once"


def test_an_accept_of_an_earlier_run_is_ours_though_the_list_still_shows_it_as_pending(world: World) -> None:
    wanted = unconfirmed(world)
    behind = world.client.list_handshakes_for_account()
    world.now += timedelta(seconds=1000)
    honest = world.client.__getattr__("list_handshakes_for_account")
    real = world.client.__getattr__("describe_organization")

    def listing(**_: Any) -> dict[str, Any]:
        return honest() if "AcceptHandshake" in world.client.calls else behind

    def describing() -> dict[str, Any]:
        if "AcceptHandshake" not in world.client.calls:
            raise client_error("AWSOrganizationsNotInUseException", "DescribeOrganization")
        return real()

    world.client.list_handshakes_for_account, world.client.describe_organization = listing, describing
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert report.records[0].reasons[-1].code == "ACCEPT_CONFIRMED"
    assert world.service.accept_effects(wanted) == 1


def test_that_an_earlier_run_sent_it_is_said_once_though_two_could_not_confirm_it(world: World) -> None:
    wanted = unconfirmed(world)
    behind = world.client.list_handshakes_for_account()
    world.now += timedelta(seconds=1000)

    def listing(**_: Any) -> dict[str, Any]:
        if "AcceptHandshake" in world.client.calls:
            raise client_error("AccessDeniedException", "ListHandshakesForAccount")
        return behind

    def describing() -> dict[str, Any]:
        raise client_error("AWSOrganizationsNotInUseException", "DescribeOrganization")

    world.client.list_handshakes_for_account, world.client.describe_organization = listing, describing
    hides(world, "DescribeHandshake")
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    for name in ("list_handshakes_for_account", "describe_organization"):
        del world.client.__dict__[name]
    world.client.before = lambda _: None
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert [reason.code for reason in report.records[0].reasons] == ["ALLOWED", "ACCEPT_CONFIRMED"]


@pytest.mark.parametrize(
    ("late", "outcome"), [(timedelta(0), "ACCEPT_UNCONFIRMED"), (timedelta(seconds=1), "RETRY_LATER")]
)
def test_what_would_have_expired_is_forgotten(world: World, late: timedelta, outcome: str) -> None:
    wanted = unconfirmed(world)
    hides(world, *HANDSHAKES, "DescribeOrganization")
    world.now = world.service.handshake(wanted).expires_at + late
    assert [row[2] for row in summary(world.run())] == [outcome]
    assert bool(world.memory.unconfirmed) is (outcome == "ACCEPT_UNCONFIRMED")


def test_the_organization_that_was_joined_confirms_an_accept_of_an_earlier_run(world: World) -> None:
    wanted = unconfirmed(world)
    world.now += timedelta(seconds=1000)
    hides(world, *HANDSHAKES)
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    confirmed = Reason("ACCEPT_CONFIRMED", "an earlier run sent the accept, and could not confirm it then")
    assert (report.records[0].reasons, report.records[0].attempts) == ((ALLOWED, confirmed), 0)
    assert world.memory.unconfirmed == {}


def test_a_stranger_s_invitation_does_not_take_the_organization_s_proof_away(world: World) -> None:
    world.invite(OTHER_MANAGEMENT)
    wanted = unconfirmed(world)
    world.now += timedelta(seconds=1000)
    hides(world, *HANDSHAKES)
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


def test_an_accept_of_an_earlier_run_that_a_cancellation_overtook_is_not_confirmed(world: World) -> None:
    wanted = unconfirmed(world)
    honest = world.client.__getattr__("list_handshakes_for_account")

    def canceled(**request: Any) -> dict[str, Any]:
        page = honest(**request)
        return page | {"Handshakes": [raw | {"State": "CANCELED"} for raw in page["Handshakes"]]}

    world.client.list_handshakes_for_account = canceled
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "LEFT_PENDING")]
    assert [reason.code for reason in report.records[0].reasons] == ["ALLOWED", "NOT_PENDING"]
    assert (world.memory.unconfirmed, report.failures) == ({}, ())
    assert world.client.calls == ["ListHandshakesForAccount"], "what the list shows is not asked for again"


def test_an_accept_of_an_earlier_run_that_lands_during_this_one_is_settled(world: World) -> None:
    wanted = unconfirmed(world)
    world.now = START + timedelta(seconds=990)
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert report.records[0].reasons[-1].code == "ACCEPT_CONFIRMED"
    assert (world.memory.unconfirmed, report.failures) == ({}, ())


def test_an_accept_of_an_earlier_run_that_is_denied_now_and_still_open_stays_in_mind(world: World) -> None:
    wanted = unconfirmed(world)
    world.policy(deny())
    report = world.run()
    assert summary(report) == [(wanted, "DENY", "LEFT_PENDING")]
    assert set(world.memory.unconfirmed) == {wanted}
