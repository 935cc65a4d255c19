"""Never wrong, never lost: the reconcile under slow calls, faults, edits, other runs and kills, in virtual time.

`FAULT_RUNS` says how many random scenarios, `KILLED_WORLDS` in how many worlds to kill at every point.
`python -m tests.faults.fault_world` runs many scenarios and prints the matrix.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from handshake_acceptor.plan import Plan
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Memory, Turn
from handshake_acceptor.reporting.record import Outcome
from handshake_core import retry
from handshake_core.retry import Clock
from local.service.handshake_service import Effect, Fault
from local.world import (
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    START,
    World,
    allow,
    client_error,
    codes,
    deny,
    document,
    summary,
)
from tests.faults import fault_world
from tests.faults.broken import (
    Perform,
    no_brake,
    no_deny,
    reads,
    remembers,
    remembers_the_account,
    takes_lost_for_throttled,
    takes_pages_for_one,
    takes_refusals_for_success,
)
from tests.faults.fault_world import (
    PAIRS,
    Client,
    FaultWorld,
    Frame,
    Killed,
    Kind,
    fault_run,
    matrix,
    parsed,
    random_world,
    row_of,
    settle,
)

RUNS = int(os.environ.get("FAULT_RUNS", "240"))
KILLED_WORLDS = int(os.environ.get("KILLED_WORLDS", "6"))
FIRST_SEED = int(os.environ.get("FAULT_SEED", "20260101"))


@pytest.fixture
def world() -> World:
    return World()


def refused_once_accepted(world: World, *operations: str) -> None:
    """A service control policy of the organization that was just joined."""

    def before(operation: str) -> None:
        if world.accepts() and operation in operations:
            raise client_error("AccessDeniedException", operation, message="... in a service control policy")

    world.client.before = before


# At random, from recorded seeds


def test_nothing_is_wrong_and_nothing_is_lost_whatever_fails() -> None:
    rows, failures = matrix(range(FIRST_SEED, FIRST_SEED + RUNS))
    assert failures == []
    assert sum(row.runs for row in rows.values()) == RUNS


def test_every_operation_is_met_by_every_fault() -> None:
    injected = set()
    for pair in PAIRS:
        for seed in itertools.count():
            world = random_world(seed)
            world.faults = [fault_world.Fault(*pair)]
            if pair[0] == "DescribeHandshake":
                world.run(world.hint("h-nosuchhandshake"))
            else:
                world.run()
            if world.injected:
                settle(world)
                injected |= set(world.injected)
                break
            assert seed < 50, pair
    assert injected == set(PAIRS)


# A judge without teeth would prove nothing: it must say of each break what is wrong


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (partial(remembers, "GetParametersByPath"), "the policy was not read after list and account had arrived"),
        (partial(remembers, "ListHandshakesForAccount"), "the list"),
        (remembers_the_account, "the account"),
        (takes_pages_for_one, "not read twice in a row"),
        (partial(reads, no_deny), "at every instant since the policy was read it says DENY"),
        (partial(reads, no_brake), "at every instant since the policy was read it says OBSERVED"),
        (takes_lost_for_throttled, "was not read again after something had changed"),
        (takes_lost_for_throttled, "may still have its effect"),
        (takes_refusals_for_success, "'outcome': 'ACCEPTED'"),
    ],
)
def test_the_judge_notices_what_the_clients_hide(
    broken: Callable[[Perform], Perform], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def client_of(world: FaultWorld, frame: Frame) -> Client:
        return Client(broken(partial(world._perform, frame)))

    monkeypatch.setattr(FaultWorld, "client_of", client_of)
    assert is_noticed(complaint)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"now": lambda: START + timedelta(seconds=30)}, " ago"),
        ({"remaining": lambda: 200.0}, "s before the deadline"),
    ],
    ids=["time stands still", "there is always time"],
)
def test_the_judge_notices_a_clock_that_stands(
    broken: dict[str, Any], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FaultWorld.clock_of

    def clock_of(world: FaultWorld, frame: Frame) -> Clock:
        clock = honest(world, frame)
        for name, value in broken.items():
            setattr(clock, name, value)
        return clock

    monkeypatch.setattr(FaultWorld, "clock_of", clock_of)
    assert is_noticed(complaint)


def test_the_judge_notices_who_believes_any_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PolicyStore, "_check", lambda store, page: page.setdefault("Parameters", []))
    assert is_noticed("")


def test_the_judge_notices_a_decline_while_an_accept_may_move_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turn, "may_move_account", property(lambda turn: False))
    assert is_noticed("may yet move the account")


def test_the_judge_notices_what_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgets(dict[str, Turn]):
        def __setitem__(self, handshake_id: str, turn: Turn) -> None:
            pass

    honest = Memory.__init__

    def forgetful(memory: Memory) -> None:
        honest(memory, unconfirmed=Forgets())

    monkeypatch.setattr(Memory, "__init__", forgetful)
    assert is_noticed("no record says so")


def test_the_judge_notices_a_reason_that_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Plan.with_outcome
    monkeypatch.setattr(Plan, "with_outcome", lambda plan, outcome, *reasons: honest(plan, outcome, *reasons, *reasons))
    assert is_noticed("a reason is given twice")


def is_noticed(complaint: str) -> bool:
    """Whether one of the first worlds ends with such a complaint."""
    blocks = (matrix(range(start, start + 50))[1] for start in range(0, 1500, 50))
    return any(complaint in failure for failures in blocks for failure in failures)


# Slow: what is read is old when it is acted on


def calm(*statements: dict[str, Any], **pace: float) -> FaultWorld:
    """Nobody does anything but what the test says; calls take so many seconds, `every` or those of an operation."""
    world = FaultWorld(1)
    world.policy(*statements)
    world.pace = lambda operation: pace.get(operation, pace.get("every", 0.0))
    return world


def long_policy(world: FaultWorld, documents: int = 9) -> None:
    """Documents that say nothing here, so that the policy has several pages."""
    for number in range(documents):
        world.policy(deny(f"F{number}", Origin={"OrganizationId": f"o-filler{number:06}"}), name=f"f{number:02}")


DECLINE = deny(
    "No",
    Action="INVITE",
    Origin={"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT},
    Respond="Decline",
)


@pytest.mark.parametrize("number", [1, 5], ids=["one page of 3 s", "five pages of 14 s"])
@pytest.mark.parametrize("operation", ["ListHandshakesForAccount", "DescribeOrganization"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda world: world.mode("observe"),
        lambda world: world.policy(deny("Brake"), name="brake"),
        lambda world: world.policy(name="allowlist"),
        lambda world: world.parameters.values.update({f"{PREFIX}policy/half": "{"}),
    ],
    ids=["brake", "deny", "no allow any more", "half written"],
)
@pytest.mark.parametrize("after", [0.5, 2.9])
def test_what_is_edited_while_a_slow_call_is_under_way_holds(
    edit: Callable[[FaultWorld], None], operation: str, number: int, after: float
) -> None:
    world = calm(allow(), DECLINE, **{operation: 3.0 if number == 1 else 14.0})
    world.service.configure(empty_pages=number - 1)
    ids = [world.invite(), world.invite(OTHER_MANAGEMENT)]
    world.time.at(after, lambda: edit(world))
    world.run()
    assert [world.state(each) for each in ids] == ["OPEN", "OPEN"]


@pytest.mark.parametrize("reading", [1, 2, 3])
@pytest.mark.parametrize("tokens_are_places", [False, True])
@pytest.mark.parametrize("seconds", [0.0, 1.0, 4.0])
def test_a_deny_that_moves_between_two_pages_of_a_reading_is_never_missed(
    seconds: float, tokens_are_places: bool, reading: int
) -> None:
    world = calm(allow(), every=seconds)
    world.parameters.tokens_are_places = tokens_are_places
    long_policy(world)
    world.policy(deny("Guard"), name="zz-guard")
    wanted = world.invite()
    honest, first_pages = world.parameters.get_parameters_by_path, itertools.count(1)

    def moved(**request: Any) -> dict[str, Any]:
        page = honest(**request)
        if "NextToken" not in request and next(first_pages) == reading:
            world.policy(deny("AnotherGuard"), name="aa-guard")
            del world.parameters.values[f"{PREFIX}policy/zz-guard"]
        return page

    world.parameters.get_parameters_by_path = moved  # type: ignore[method-assign]
    report = world.run()
    assert world.state(wanted) == "OPEN"
    assert [row[1:] for row in summary(report)] in ([("DENY", "LEFT_PENDING")], [("ACCEPT", "RETRY_LATER")])


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("seconds", [0.5, 5.0])
def test_what_is_allowed_is_done_though_every_call_is_slow(seconds: float, pages: int) -> None:
    world = calm(allow(), DECLINE, every=seconds)
    if pages == 2:
        long_policy(world)
    allowed, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)
    report = world.run()
    assert (world.state(allowed), world.state(unwanted)) == ("ACCEPTED", "DECLINED")
    assert report.failures == ()


def test_what_is_allowed_is_done_though_every_call_takes_all_but_too_long() -> None:
    world = calm(allow(), every=14.0)
    wanted = world.invite()
    assert (summary(world.run()), world.state(wanted)) == ([(wanted, "ACCEPT", "ACCEPTED")], "ACCEPTED")


def test_a_policy_that_somebody_edits_all_the_time_is_unstable_soon() -> None:
    world = calm(allow(), GetParametersByPath=0.6)
    long_policy(world)
    wanted, began = world.invite(), world.now
    numbers = itertools.count()

    def edit() -> None:
        world.policy(deny(f"Edit{next(numbers)}", Origin={"OrganizationId": "o-filler000000"}), name="f00")
        world.time.at(1.0, edit)

    edit()
    report = world.run()
    assert [(row[1], row[2]) for row in summary(report)] == [("ACCEPT", "RETRY_LATER")]
    assert "POLICY_UNSTABLE" in codes(report)
    assert report.failures
    assert world.state(wanted) == "OPEN"
    assert world.now - began < timedelta(seconds=30)


def test_a_policy_of_one_page_that_somebody_edits_all_the_time_is_read_as_it_stood() -> None:
    world = calm(allow(), GetParametersByPath=0.6)
    wanted = world.invite()
    numbers = itertools.count()

    def edit() -> None:
        world.policy(deny(f"Edit{next(numbers)}", Origin={"OrganizationId": "o-filler000000"}), name="f00")
        world.time.at(1.0, edit)

    edit()
    world.run()
    assert world.state(wanted) == "ACCEPTED"


def test_a_policy_that_cannot_be_read_fast_enough_is_too_slow() -> None:
    world = calm(allow(), GetParametersByPath=14.0)
    long_policy(world)
    wanted = world.invite()
    report = world.run()
    assert [(row[1], row[2]) for row in summary(report)] == [("ACCEPT", "RETRY_LATER")]
    assert "EVIDENCE_TOO_SLOW" in codes(report)
    assert report.failures
    assert world.state(wanted) == "OPEN"


def test_a_policy_that_takes_longer_than_a_run_to_read_fails_the_run() -> None:
    world = calm(allow(), GetParametersByPath=14.0)
    long_policy(world, 39)
    wanted = world.invite()
    report = world.run()
    assert [row[2] for row in summary(report)] == ["RETRY_LATER"]
    assert report.failures
    assert world.state(wanted) == "OPEN"


# The account shows where it is later than its list does


@pytest.mark.parametrize("lags", [1, 20, 55])
@pytest.mark.parametrize("joined_ago", [0, 10])
def test_an_account_that_does_not_show_yet_that_it_has_joined_is_not_moved_again(lags: int, joined_ago: int) -> None:
    world = calm(allow())
    world.organization_lags = timedelta(seconds=lags)
    wanted = world.invite()
    world.join(OTHER_MANAGEMENT)
    world.note()
    world.now += timedelta(seconds=joined_ago)
    report = world.run()
    assert summary(report) == [(wanted, "NO_MATCH", "LEFT_PENDING")]
    assert world.state(wanted) == "OPEN"


def test_an_account_that_joined_and_left_is_not_locked_out() -> None:
    world = calm(allow())
    world.join(OTHER_MANAGEMENT)
    world.service.call("LeaveOrganization", MEMBER, {})
    wanted, began = world.invite(), world.now
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert timedelta(seconds=55) <= world.now - began < timedelta(seconds=90)


# Nobody waits for somebody else's trouble


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_an_allowed_invitation_does_not_wait_for_declines_that_never_succeed(seconds: float) -> None:
    world = calm(allow(), every=seconds)
    origins = [(f"o-unwanted{number:04}", f"77777777777{number}") for number in range(3)]
    for organization, management in origins:
        world.service.add_organization(organization, management)
    ids, accounts = [each for each, _ in origins], [each for _, each in origins]
    origin = {"OrganizationId": ids, "ManagementAccountId": accounts}
    world.policy(deny("No", Action="INVITE", Origin=origin, Respond="Decline"), name="no")
    for management in accounts:
        world.invite(management)
        world.now += timedelta(seconds=1)
    wanted, began = world.invite(), world.now
    world.faults = [fault_world.Fault("DeclineHandshake", Kind.CONCURRENT)]
    report = world.run()
    done = world.service.handshake(wanted).finished_at
    assert world.state(wanted) == "ACCEPTED"
    assert done is not None
    assert done - began < timedelta(seconds=10)
    assert sorted(row[2] for row in summary(report)) == ["ACCEPTED", "RETRY_LATER", "RETRY_LATER", "RETRY_LATER"]


# No call begins that could end after the deadline


@pytest.mark.parametrize("fault", [Kind.THROTTLED, Kind.SERVER_BEFORE, None], ids=["throttled", "5xx", "lands late"])
@pytest.mark.parametrize("seconds", [1.0, 9.0, 14.0])
def test_a_slow_list_of_many_pages_is_not_read_past_the_deadline(seconds: float, fault: Kind | None) -> None:
    world = calm(allow(), ListHandshakesForAccount=seconds)
    world.service.configure(empty_pages=3, accept_delay=timedelta(seconds=1000))
    world.invite()
    if fault:
        world.faults = [fault_world.Fault("AcceptHandshake", fault)]
    world.run()  # the judge looks at every call


@pytest.mark.parametrize("seed", [8229, 19446])
def test_seeds_that_once_were_cut_off(seed: int) -> None:
    fault_run(seed, row_of(seed)[1])


# Killed at any point


def test_a_run_that_is_killed_anywhere_is_finished_by_the_next() -> None:
    points = sum(map(killed_everywhere, range(FIRST_SEED, FIRST_SEED + KILLED_WORLDS)))
    assert points >= 200


def killed_everywhere(seed: int) -> int:
    """Kills the run of a world at its first step, its second, … until it ends by itself; how many points there were.

    A step is the moment before a call, the one after its effect and before its answer, and a wait.
    """
    for kill_at in itertools.count(1):
        world = random_world(seed)
        if seed % 2:
            world.faults = [fault_world.Fault(*PAIRS[seed % len(PAIRS)], share=0.5, times=3)]
        try:
            world.run(kill_at=kill_at)
        except Killed:
            settle(world)
        else:
            return kill_at - 1
    raise AssertionError("unreachable")


@pytest.mark.parametrize("lands_after", [0, 30, 400])
@pytest.mark.parametrize("accepted", [False, True], ids=["before the accept", "after the accept"])
def test_the_asynchronous_retry_finishes_what_was_killed_at_the_accept(lands_after: int, accepted: bool) -> None:
    world = FaultWorld(1)
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=lands_after))
    event = world.hint(wanted)
    world.kill_when = "AcceptHandshake", "after" if accepted else "before"
    with pytest.raises(Killed):
        world.run(event)
    assert world.service.accept_effects(wanted) == int(accepted)
    world.kill_when = "", ""
    world.now += timedelta(seconds=60)
    [record] = world.run(event).records
    assert record.outcome in (
        Outcome.ACCEPTED,
        Outcome.ALREADY_ACCEPTED,
        Outcome.RETRY_LATER,
        Outcome.ACCEPT_UNCONFIRMED,
    )
    settle(world)
    assert world.state(wanted) == "ACCEPTED"


# An accept whose effect may still come


@pytest.mark.parametrize(
    "edit",
    [
        lambda world: world.policy(deny(), name="brake"),
        lambda world: world.mode("observe"),
        lambda world: world.parameters.values.clear(),
        lambda world: world.parameters.values.update({f"{PREFIX}policy/half": "{"}),
        lambda world: (
            world.invite(OTHER_MANAGEMENT) and world.policy(allow(), allow("B", OTHER_ORGANIZATION, OTHER_MANAGEMENT))
        ),
    ],
    ids=["deny", "brake", "everything deleted", "half written", "a second invitation"],
)
@pytest.mark.parametrize(("lands_after", "outcome"), [(30, "ACCEPTED"), (1000, "ACCEPT_UNCONFIRMED")])
def test_a_lost_accept_is_never_told_as_left_alone(
    world: World, edit: Callable[[World], None], lands_after: int, outcome: str
) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=lands_after))
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))

    def once() -> None:
        world.on_sleep = lambda: None
        edit(world)

    world.on_sleep = once
    report = world.run()
    assert (wanted, "ACCEPT", outcome) in summary(report)
    assert world.accepts() == 1
    assert ("ACCEPT_UNCONFIRMED" in report.failures) == (outcome == "ACCEPT_UNCONFIRMED")


def test_a_lost_accept_whose_handshake_expires_meanwhile_is_not_told_as_left_alone(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=600))
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException", effect=Effect.AFTER))
    world.now = world.service.handshake(wanted).expires_at - timedelta(seconds=0.1)
    assert [row[2] for row in summary(world.run())] == ["ACCEPT_UNCONFIRMED"]


def test_a_lost_decline_is_settled_by_the_next_run(world: World) -> None:
    origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    world.policy(deny(Action="INVITE", Origin=origin, Respond="Decline"))
    unwanted = world.invite(OTHER_MANAGEMENT)
    faults: list[Exception] = [ReadTimeoutError(endpoint_url="x")]

    def before(operation: str) -> None:
        if operation == "DeclineHandshake" and faults:
            raise faults.pop()

    world.client.before = before
    world.on_sleep = lambda: world.policy(deny())
    assert [row[2] for row in summary(world.run())] == ["RETRY_LATER"]
    assert summary(world.run()) == [(unwanted, "DENY", "LEFT_PENDING")]


# Losing permissions right after joining


def test_the_organization_that_was_joined_proves_an_answered_accept(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=20))
    refused_once_accepted(world, "ListHandshakesForAccount", "DescribeHandshake")
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPTED")]
    assert report.failures == ()
    assert timedelta(seconds=20) <= world.now - world.service.handshake(wanted).requested_at < timedelta(seconds=60)


def test_the_organization_proves_no_accept_where_two_of_its_invitations_waited(world: World) -> None:
    """It may have been joined by the other one: a record must not say of this one that it was accepted."""
    world.policy(allow())
    world.invite()
    world.service.add_handshake("INVITE", ORGANIZATION, "mary@example.com")
    real = world.client.__getattr__("accept_handshake")

    def accepts_the_other(**request: Any) -> dict[str, Any]:
        [other] = [found.id for found in world.service.handshakes() if found.id != request["HandshakeId"]]
        real(HandshakeId=other)
        return {}

    world.client.accept_handshake = accepts_the_other
    refused_once_accepted(world, "ListHandshakesForAccount", "DescribeHandshake")
    assert sorted(row[2] for row in summary(world.run())) == ["ACCEPT_UNCONFIRMED", "RETRY_LATER"]


def test_an_answered_accept_that_nothing_shows_is_unconfirmed(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.configure(accept_delay=timedelta(seconds=20))
    refused_once_accepted(world, "ListHandshakesForAccount", "DescribeHandshake", "DescribeOrganization")
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "ACCEPT_UNCONFIRMED")]
    assert report.failures == ("ACCEPT_UNCONFIRMED",)


def test_the_answer_itself_is_proof(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    refused_once_accepted(world, "ListHandshakesForAccount", "DescribeHandshake", "DescribeOrganization")
    report = world.run()
    assert (summary(report), report.failures) == ([(wanted, "ACCEPT", "ACCEPTED")], ())


# Nothing is acted on what was seen before a wait, or before another act


def test_the_second_of_two_is_decided_on_what_the_first_ones_backoff_changed(world: World) -> None:
    origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    world.policy(allow(), deny("No", Action="INVITE", Origin=origin, Respond="Decline"))
    world.invite(OTHER_MANAGEMENT)
    world.invite()
    world.service.inject(Fault(operation="DeclineHandshake", code="TooManyRequestsException"))
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException"))
    world.on_sleep = lambda: world.policy(deny("Brake"), name="brake")
    assert [row[1:] for row in summary(world.run())] == [("DENY", "LEFT_PENDING")] * 2


def test_a_window_that_ends_while_another_is_answered_slowly_is_over(world: World) -> None:
    world.service.add_organization(
        "o-billingonly", "555555555555", members=[MEMBER], feature_set="CONSOLIDATED_BILLING"
    )
    world.service.call("EnableAllFeatures", "555555555555", {})
    ends = (world.now + timedelta(seconds=5)).isoformat().replace("+00:00", "Z")
    until = {"CurrentOrganization": "o-billingonly", "NotAfter": ends}
    enable = allow("Enable", "o-billingonly", "555555555555", "ENABLE_ALL_FEATURES")
    world.policy(enable, allow(Condition=until))
    wanted = world.invite()

    def before(operation: str) -> None:
        world.now += timedelta(seconds=10 if operation == "AcceptHandshake" else 0)

    world.client.before = before
    assert [row[1:] for row in summary(world.run())] == [("ACCEPT", "ACCEPTED"), ("NO_MATCH", "LEFT_PENDING")]
    assert world.state(wanted) == "OPEN"


def test_a_move_while_the_policy_is_read_again_stops_the_accept(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.service.inject(Fault(operation="DescribeOrganization", code="TooManyRequestsException"))
    waits = 0

    def while_waiting() -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            world.parameters.faults = [client_error("ThrottlingException") for _ in range(9)]
        elif waits == 2:
            world.join(OTHER_MANAGEMENT)
            world.now += timedelta(seconds=21)  # a move that is younger than that may be overlooked

    world.on_sleep = while_waiting
    assert (wanted, "NO_MATCH", "LEFT_PENDING") in summary(world.run())
    assert world.service.organization_of(MEMBER).id == OTHER_ORGANIZATION


@pytest.mark.parametrize("operation", ["DescribeOrganization", "GetParametersByPath"])
def test_nothing_is_sent_when_the_time_is_up(operation: str) -> None:
    world = calm(allow(), **{operation: 9.0})
    wanted = world.invite()
    world.timeout = 27.0  # it can be decided, and then 18 s are not left
    report = world.run()
    assert summary(report) == [(wanted, "ACCEPT", "RETRY_LATER")]
    assert report.failures == ("DEADLINE",)
    assert world.state(wanted) == "OPEN"


# Answers that cannot be believed


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"Parameters": None},
        {"Parameters": [{}]},
        {"Parameters": [{"Name": f"{PREFIX}policy/deny", "Type": "String"}]},
        {"Parameters": [{"Name": f"{PREFIX}policy/deny", "Type": "String", "Value": 5}]},
        {"Parameters": [{"Name": 7, "Type": "String", "Value": "{}"}]},
        {"Parameters": [{"Name": "x", "Type": "String", "Value": document(deny())}]},
        {"Parameters": [], "NextToken": {"a": 1}},
        {"Parameters": [], "NextToken": 5},
    ],
)
def test_a_page_of_parameters_that_may_hide_a_deny_is_unreadable(world: World, page: dict[str, Any]) -> None:
    world.policy(allow())
    world.invite()
    world.parameters.get_parameters_by_path = lambda **_: page  # type: ignore[method-assign]
    report = world.run()
    assert [row[1:] for row in summary(report)] == [("POLICY_INVALID", "RETRY_LATER")]
    assert report.failures == ("POLICY_UNREADABLE ResponseParserError",)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"7",
        b"<html>",
        b"\xff\xfe",
        b'{"Handshakes": 5}',
        b'{"Handshakes": ["x"]}',
        b'{"Handshakes": [[]]}',
        b'{"Handshakes": [{"ExpirationTimestamp": "soon"}]}',
        b'{"Handshakes": [{"ExpirationTimestamp": 1e30}]}',
        b'{"Handshakes": [{"Resources": ' + b"[" * 5000 + b"]" * 5000 + b"}]}",
        b'{"NextToken": ["a"]}',
    ],
)
def test_an_answer_that_is_not_the_models_fails_nothing_but_the_look(world: World, body: bytes) -> None:
    world.policy(allow())
    wanted = world.invite()
    honest, bodies = world.client.__getattr__("list_handshakes_for_account"), [body]

    def listing(**request: Any) -> dict[str, Any]:
        return parsed("ListHandshakesForAccount", bodies.pop()) if bodies else honest(**request)

    world.client.list_handshakes_for_account = listing
    report = world.run()
    assert report.failures == ()
    world.run()
    assert world.state(wanted) == "ACCEPTED"


@pytest.mark.parametrize(
    "answer", [None, {}, {"Handshake": None}, {"Handshake": {}}, {"Handshake": {"Id": "h-someoneelses1"}}]
)
@pytest.mark.parametrize("operation", ["accept_handshake", "decline_handshake", "describe_handshake"])
def test_an_answer_about_nothing_or_something_else_is_looked_up(world: World, operation: str, answer: Any) -> None:
    origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    world.policy(allow(), deny("No", Action="INVITE", Origin=origin, Respond="Decline"))
    world.invite()
    world.invite(OTHER_MANAGEMENT)
    honest = world.client.__getattr__(operation)
    setattr(world.client, operation, lambda **request: honest(**request) and answer)
    foreign = world.invite(target="999999999999")
    report = world.run(world.hint(foreign))
    assert sorted(row[2] for row in summary(report) if row[0] != foreign) == ["ACCEPTED", "DECLINED"]
    assert [row[1] for row in summary(report) if row[0] == foreign] == ["INELIGIBLE"]


def test_a_decline_that_was_answered_with_another_handshake_had_no_effect(world: World) -> None:
    origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    world.policy(deny("No", Action="INVITE", Origin=origin, Respond="Decline"))
    unwanted = world.invite(OTHER_MANAGEMENT)
    world.client.decline_handshake = lambda **_: {"Handshake": {"Id": "h-someoneelses1"}}
    assert summary(world.run()) == [(unwanted, "DECLINE", "RETRY_LATER")]


@pytest.mark.parametrize("tokens", ["the same", "fresh"])
@pytest.mark.parametrize("key", ["Handshakes", "Parameters"])
def test_a_list_without_an_end_ends(world: World, key: str, tokens: str) -> None:
    world.policy(allow())
    world.invite()
    numbers = itertools.count()

    def page(**_: Any) -> dict[str, Any]:
        return {key: [], "NextToken": "same" if tokens == "the same" else str(next(numbers))}

    if key == "Handshakes":
        world.client.list_handshakes_for_account = page
    else:
        world.parameters.get_parameters_by_path = page  # type: ignore[method-assign]
    [failure] = world.run().failures
    assert failure.endswith("RepeatedPage" if tokens == "the same" else "EndlessList")
    assert world.accepts() == 0


def test_no_page_is_asked_for_that_could_come_after_the_deadline() -> None:
    remaining = iter([30.0, 25.0, 17.9, 17.9, 17.9])
    clock = Clock(now=lambda: START, remaining=lambda: next(remaining), sleep=lambda _: None, random=lambda: 0.5)
    asked = itertools.count()
    with pytest.raises(retry.CALL_FAILURES):
        list(retry.pages(clock, lambda **_: {"NextToken": str(next(asked))}))
    assert next(asked) <= 2


def test_what_one_turn_could_not_read_is_told_though_the_next_can(world: World) -> None:
    world.policy(allow(), DECLINE)
    wanted, unwanted = world.invite(), world.invite(OTHER_MANAGEMENT)
    world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException"))

    def before(operation: str) -> None:
        if operation == "AcceptHandshake" and world.accepts() == 1:
            world.parameters.faults.append(client_error("AccessDeniedException"))

    world.client.before = before
    report = world.run()
    assert {row[0]: row[2] for row in summary(report)} == {wanted: "ACCEPTED", unwanted: "RETRY_LATER"}
    assert report.failures == ("POLICY_UNREADABLE AccessDeniedException",)


def test_a_handshake_that_two_pages_show_is_one(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    honest, first = world.client.__getattr__("list_handshakes_for_account"), [True]

    def listing(**request: Any) -> dict[str, Any]:
        request.pop("NextToken", None)
        return honest(**request) | ({"NextToken": "again"} if first and first.pop() else {})

    world.client.list_handshakes_for_account = listing
    assert summary(world.run()) == [(wanted, "ACCEPT", "ACCEPTED")]


@pytest.mark.parametrize(("first", "then", "decisions"), [("ACCEPTED", "OPEN", 1), ("OPEN", "ACCEPTED", 0)])
def test_a_handshake_is_as_the_later_page_shows_it(world: World, first: str, then: str, decisions: int) -> None:
    world.policy(allow())
    world.mode("observe")
    world.invite()
    [shown] = world.client.list_handshakes_for_account()["Handshakes"]
    pages = iter(
        [{"Handshakes": [shown | {"State": first}], "NextToken": "1"}, {"Handshakes": [shown | {"State": then}]}]
    )
    world.client.list_handshakes_for_account = lambda **_: next(pages)
    report = world.run()
    assert (report.listed, len(report.records)) == (1, decisions)


def test_a_finished_handshake_that_was_hinted_at_is_read_whole(world: World) -> None:
    world.policy(allow())
    wanted = world.invite()
    world.run()
    assert summary(world.run(world.hint(wanted))) == [(wanted, "INELIGIBLE", "ALREADY_ACCEPTED")]
    assert "DescribeHandshake" not in world.client.calls


@pytest.mark.parametrize(
    ("code", "outcomes"),
    [("ServiceException", ["RETRY_LATER", "ACCEPTED"]), ("TooManyRequestsException", ["ACCEPTED", "RETRY_LATER"])],
)
def test_once_an_invitation_may_have_been_accepted_no_other_is_answered(
    world: World, code: str, outcomes: list[str]
) -> None:
    world.policy(allow())
    world.invite()
    world.service.add_handshake("INVITE", ORGANIZATION, "mary@example.com")
    world.service.inject(Fault(operation="AcceptHandshake", code=code))
    report = world.run()
    assert [row[2] for row in summary(report)] == outcomes
    [other] = [record for record in report.records if record.outcome is Outcome.RETRY_LATER]
    assert other.reasons[-1].code == "ONE_INVITE_A_RUN"
    assert "accepted" not in other.reasons[-1].message
    assert len([found for found in world.service.handshakes() if found.accept_effects]) == 1


def test_an_invitation_that_certainly_was_not_accepted_does_not_hold_up_another(world: World) -> None:
    world.policy(allow())
    world.invite()
    world.service.add_handshake("INVITE", ORGANIZATION, "mary@example.com")
    reason = "HANDSHAKE_RATE_LIMIT_EXCEEDED"
    world.service.inject(
        Fault(operation="AcceptHandshake", code="HandshakeConstraintViolationException", reason=reason)
    )
    assert [row[2] for row in summary(world.run())] == ["RETRY_LATER", "ACCEPTED"]
