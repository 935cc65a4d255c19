"""What the reader of the state asks for, how often, and what it says of what it could not read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from handshake_acceptor.observed import ObservedState, unknown_account
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.decide import InvalidPolicy, Policy, PolicyError
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.snapshot import PolicySnapshot, Reading
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.state import ListUnreadable, NoEvidence, StateReader
from handshake_core.handshake import Account, Handshake, Reason, Role, State, invalid_handshake
from handshake_core.retry import MARGIN, Clock
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    SideBySide,
    World,
    allow,
    client_error,
    deny,
)

LIST, DESCRIBE, ACCOUNT = "ListHandshakesForAccount", "DescribeHandshake", "DescribeOrganization"
NOBODYS = "h-nosuchhandshake"
UNKNOWN = unknown_account(MEMBER, "aws")
STANDALONE = Account(MEMBER, "aws", Role.STANDALONE, "NONE")


@pytest.fixture
def world() -> World:
    world = World()
    world.policy(allow())
    world.random = SimpleNamespace(random=lambda: 1.0)  # type: ignore[assignment] # every backoff is as long as it can be
    return world


def reader_of(world: World, timeout: float = 240.0) -> StateReader:
    deadline = world.now + timedelta(seconds=timeout)
    clock = Clock(
        now=lambda: world.now,
        remaining=lambda: (deadline - world.now).total_seconds(),
        sleep=world.sleep,
        random=world.random.random,
    )
    organizations, store = Organizations(world.client, clock), PolicyStore(world.parameters, clock, PREFIX)
    return StateReader(organizations, store, SideBySide(world), clock, MEMBER, "aws")


def refuses(world: World, operation: str, code: str, times: int = 9999) -> None:
    """So many of the next calls of an operation fail; the world's own `before` is replaced."""
    left = [times]

    def before(called: str) -> None:
        if called == operation and left[0] > 0:
            left[0] -= 1
            raise client_error(code, operation)

    world.client.before = before


def takes(world: World, **seconds: float) -> None:
    """Every call of an operation takes so long."""

    def before(operation: str) -> None:
        world.now += timedelta(seconds=seconds.get(operation, 0.0))

    world.client.before = before
    honest = world.parameters.get_parameters_by_path

    def slowly(**request: Any) -> dict[str, Any]:
        world.now += timedelta(seconds=seconds.get("GetParametersByPath", 0.0))
        return honest(**request)

    world.parameters.get_parameters_by_path = slowly  # type: ignore[method-assign]


def not_seen(code: str, failure: str) -> Any:
    text = "this account's list does not show it, and DescribeHandshake is refused"
    return invalid_handshake(NOBODYS, code, text, failure, finished=True)


# The first look


def test_a_look_shows_what_is_pending_with_policy_and_account(world: World) -> None:
    wanted = world.invite()
    state = reader_of(world).look()
    assert [each.id for each in state.handshakes] == [wanted]
    assert (state.account, state.account_failure, state.listed) == (STANDALONE, None, 1)
    assert state.snapshot.mode is Mode.ENFORCE
    assert isinstance(state.snapshot.policy, Policy)
    assert (world.client.calls, world.parameters.reads) == ([LIST, ACCOUNT], 1)


def test_an_idle_look_asks_for_no_account(world: World) -> None:
    world.join()
    world.client.calls.clear()
    state = reader_of(world).look()
    assert (state.handshakes, state.account, state.listed) == ((), UNKNOWN, 1)
    assert (world.client.calls, world.parameters.reads) == ([LIST], 1)


def test_the_most_urgent_comes_first_and_what_is_finished_only_where_it_is_wanted(world: World) -> None:
    later = world.invite()
    finished = world.invite(OTHER_MANAGEMENT)
    world.service.call("DeclineHandshake", MEMBER, {"HandshakeId": finished})
    world.now -= timedelta(hours=1)
    sooner = world.service.add_handshake("INVITE", OTHER_ORGANIZATION, MEMBER)
    world.now += timedelta(hours=1)
    assert [each.id for each in reader_of(world).look().handshakes] == [sooner, later]
    reader = reader_of(world)
    assert {each.id for each in reader.look([finished]).handshakes} == {sooner, later, finished}
    assert DESCRIBE not in world.client.calls
    watching = reader_of(world)
    watching.look()
    watching.watch(finished)
    world.now += timedelta(seconds=21)
    assert {each.id for each in watching.refresh().handshakes} == {sooner, later, finished}


def test_a_first_reading_that_seconds_cure_is_read_again_with_patience(world: World) -> None:
    world.parameters.faults = [client_error("ThrottlingException") for _ in range(3)]
    reader = reader_of(world)
    state = reader.look()
    assert isinstance(state.snapshot.policy, Policy)
    assert (world.parameters.reads, reader.failures, world.slept) == (4, [], [0.1, 0.2])


@pytest.mark.parametrize(
    ("code", "failures", "postponed"),
    [
        ("AccessDeniedException", ["POLICY_UNREADABLE AccessDeniedException"], []),
        ("SubscriptionRequiredException", [], ["POLICY_UNREADABLE SubscriptionRequiredException"]),
    ],
)
def test_a_policy_that_cannot_be_read_says_so(
    world: World, code: str, failures: list[str], postponed: list[str]
) -> None:
    world.parameters.faults = [client_error(code)]
    reader = reader_of(world)
    mistake = PolicyError(PREFIX, "", f"could not be read: {code}")
    assert reader.look().snapshot == PolicySnapshot(Mode.OBSERVE, InvalidPolicy((mistake,), unreadable=True))
    assert (reader.failures, reader.postponed, world.parameters.reads) == (failures, postponed, 1)


def test_a_policy_without_an_end_fails_the_run_and_asks_nobody_to_wait(world: World) -> None:
    world.parameters.get_parameters_by_path = lambda **_: {"Parameters": [], "NextToken": "x"}  # type: ignore[method-assign]
    reader = reader_of(world)
    reader.look()
    assert (reader.failures, reader.postponed) == (["POLICY_UNREADABLE RepeatedPage"], [])


@pytest.mark.parametrize(("code", "later"), [("AccessDeniedException", False), ("SubscriptionRequiredException", True)])
def test_a_list_that_cannot_be_read_is_raised_with_its_code(world: World, code: str, later: bool) -> None:
    refuses(world, LIST, code)
    reader = reader_of(world)
    with pytest.raises(ListUnreadable, match=f"^LIST_UNREADABLE {code}$") as raised:
        reader.look()
    assert (raised.value.code, raised.value.later) == (code, later)
    reader.close()


def test_a_list_without_an_end_is_raised_with_its_code(world: World) -> None:
    world.client.list_handshakes_for_account = lambda **_: {"Handshakes": [], "NextToken": "x"}
    with pytest.raises(ListUnreadable) as raised:
        reader_of(world).look()
    assert (raised.value.code, raised.value.later) == ("RepeatedPage", False)


def test_what_was_asked_for_is_told_where_the_list_cannot_be_read(world: World) -> None:
    text = "this account's handshakes could not be listed"
    told = invalid_handshake(NOBODYS, "LIST_UNREADABLE", text, "SomeException", finished=True)
    snapshot = PolicySnapshot(Mode.OBSERVE, InvalidPolicy((), unreadable=True))
    state = reader_of(world).unreadable([NOBODYS], ListUnreadable("SomeException", later=False))
    assert state == ObservedState((told,), snapshot, UNKNOWN, 0)


@pytest.mark.parametrize(
    ("code", "shown", "failures", "postponed"),
    [
        ("HandshakeNotFoundException", "NOT_SEEN", [], []),
        ("AccessDeniedException", "NOT_SEEN", [], []),
        ("TooManyRequestsException", "NOT_SEEN", ["DESCRIBE_HANDSHAKE TooManyRequestsException"], []),
        (
            "SubscriptionRequiredException",
            "NOT_SEEN_FOR_NOW",
            [],
            ["DESCRIBE_HANDSHAKE SubscriptionRequiredException"],
        ),
    ],
)
def test_what_aws_does_not_show_is_said_to_be_not_seen(
    world: World, code: str, shown: str, failures: list[str], postponed: list[str]
) -> None:
    refuses(world, DESCRIBE, code)
    reader = reader_of(world)
    state = reader.look([NOBODYS])
    assert state.handshakes == (not_seen(shown, code),)
    assert (reader.failures, reader.postponed) == (failures, postponed)
    assert state.listed == 0
    assert ACCOUNT not in world.client.calls


@pytest.mark.parametrize(
    ("code", "failures", "postponed"),
    [
        ("AccessDeniedException", [], []),
        ("TooManyRequestsException", ["DESCRIBE_ORGANIZATION TooManyRequestsException"], []),
        ("SubscriptionRequiredException", [], ["DESCRIBE_ORGANIZATION SubscriptionRequiredException"]),
    ],
)
def test_an_account_that_cannot_be_asked_for_is_unknown_with_a_reason(
    world: World, code: str, failures: list[str], postponed: list[str]
) -> None:
    world.invite()
    refuses(world, ACCOUNT, code)
    reader = reader_of(world)
    state = reader.look()
    assert state.account == UNKNOWN
    assert state.account_failure is not None
    assert (state.account_failure.code, reader.failures, reader.postponed) == (code, failures, postponed)


def test_what_could_not_be_done_is_noted_once(world: World) -> None:
    reader = reader_of(world)
    for failure, later in (("A", False), ("B", True), ("A", False), ("B", True), ("A", True), ("C", False)):
        reader.note(failure, later)
    assert (reader.failures, reader.postponed) == (["A", "C"], ["B", "A"])


# Read again


def test_what_is_young_is_not_asked_for_again(world: World) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    world.now += timedelta(seconds=20)
    reader.refresh()
    assert world.client.calls == [LIST, ACCOUNT]
    world.now += timedelta(microseconds=1)
    reader.refresh()
    assert world.client.calls == [LIST, ACCOUNT, ACCOUNT, LIST]


@pytest.mark.parametrize(("slow", "again"), [(LIST, ACCOUNT), (ACCOUNT, LIST)])
def test_only_what_is_old_is_asked_for_again(world: World, slow: str, again: str) -> None:
    """The first look asks for one after the other, the second for both at once: one of them takes ten seconds."""
    world.invite()
    reader = reader_of(world)
    reader.look()
    world.now += timedelta(seconds=21)
    takes(world, **{slow: 10.0})
    reader.refresh()
    world.client.calls.clear()
    world.now += timedelta(seconds=11)
    reader.refresh()
    assert world.client.calls == [again]


@pytest.mark.parametrize(("changed", "calls"), [(False, []), (True, [ACCOUNT, LIST])])
def test_after_a_call_the_policy_is_read_again_and_all_else_only_if_something_changed(
    world: World, changed: bool, calls: list[str]
) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    reader.evidence()
    assert reader.may_act
    world.client.calls.clear()
    reads = world.parameters.reads
    reader.after_call(changed=changed)
    assert not reader.may_act
    reader.evidence()
    assert reader.may_act
    assert (world.client.calls, world.parameters.reads) == (calls, reads + 1)


def test_evidence_is_had_from_a_reading_that_began_after_the_look(world: World) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    assert not reader.may_act
    world.policy(deny(), name="brake")
    state = reader.evidence()
    assert isinstance(state.snapshot.policy, Policy)
    assert len(state.snapshot.policy.statements) == 2
    assert (reader.may_act, world.parameters.reads, world.slept) == (True, 2, [])
    reader.evidence()
    assert world.parameters.reads == 2, "it still holds"


def test_a_reading_that_seconds_cure_is_waited_for_longer_each_time(world: World) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    world.parameters.faults = [client_error("ThrottlingException") for _ in range(5)]
    reader.evidence()
    assert (reader.may_act, world.parameters.reads, reader.failures) == (True, 7, [])
    assert world.slept == [0.1, 0.2, 0.4, 0.8, 1.6]


def test_what_was_observed_is_read_again_when_the_policy_was_waited_for_too_long(world: World) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    world.client.calls.clear()
    world.parameters.faults = [client_error("ThrottlingException")]
    world.on_sleep = lambda: setattr(world, "now", world.now + timedelta(seconds=20))
    reader.evidence()
    assert (reader.may_act, world.client.calls) == (True, [ACCOUNT, LIST])


@pytest.mark.parametrize(
    ("code", "failures", "postponed"),
    [
        ("AccessDeniedException", ["POLICY_UNREADABLE AccessDeniedException"], []),
        ("SubscriptionRequiredException", [], ["POLICY_UNREADABLE SubscriptionRequiredException"]),
    ],
)
def test_a_policy_that_cannot_be_read_again_is_no_evidence_and_is_told_at_once(
    world: World, code: str, failures: list[str], postponed: list[str]
) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    world.parameters.faults = [client_error(code)]
    assert reader.evidence().snapshot.unreadable
    assert not reader.may_act
    assert (reader.failures, reader.postponed, world.parameters.reads) == (failures, postponed, 2)


def test_a_policy_that_stays_throttled_is_unreadable_when_there_is_no_time_to_wait(world: World) -> None:
    world.invite()
    reader = reader_of(world)
    reader.look()
    world.parameters.faults = [client_error("ThrottlingException") for _ in range(999)]
    assert reader.evidence().snapshot.unreadable
    assert reader.failures == ["POLICY_UNREADABLE ThrottlingException"]
    assert not reader.may_act


@pytest.mark.parametrize(("left", "has"), [(MARGIN, True), (MARGIN - 0.001, False)])
def test_nothing_is_read_that_could_end_after_the_deadline(world: World, left: float, has: bool) -> None:
    world.invite()
    reader, began = reader_of(world), world.now
    reader.look()
    reads = world.parameters.reads
    world.now = began + timedelta(seconds=240 - left)
    world.client.calls.clear()
    reader._evidence = reader._evidence.observed(  # young again: only the policy is to be read
        replace(
            reader._evidence.observation,  # type: ignore[type-var]
            listed=replace(reader._evidence.observation.listed, arrived_at=world.now),  # type: ignore[union-attr]
            answer=replace(reader._evidence.observation.answer, arrived_at=world.now),  # type: ignore[union-attr]
        )
    )
    if has:
        reader.evidence()
        assert reader.may_act
        return
    with pytest.raises(NoEvidence, match=r"^DEADLINE$") as raised:
        reader.evidence()
    assert raised.value.reason == Reason("DEADLINE", "there was no time left to read what it takes to decide")
    assert (raised.value.code, world.parameters.reads) == ("DEADLINE", reads)


def readings_of(world: World, reader: StateReader, *readings: tuple[float, int, str]) -> list[int]:
    """The next readings: seconds that each takes, its pages, its stamps. How many of them were made."""
    left, made = list(readings), [0]
    honest = reader._store.reading

    def reading(*, patient: bool = True) -> Reading:
        seconds, pages, stamps = left.pop(0)
        made[0] += 1
        began = world.now
        world.now += timedelta(seconds=seconds)
        return replace(honest(patient=patient), began=began, ended=world.now, pages=pages, stamps=(stamps,))

    reader._store.reading = reading  # type: ignore[method-assign]
    return made


UNSTABLE = ("POLICY_UNSTABLE", "somebody is editing the policy: three readings in a row differ")
TOO_SLOW = ("EVIDENCE_TOO_SLOW", "what it takes to decide could not be read fast enough to act on it")


@pytest.mark.parametrize(
    ("readings", "made", "says"),
    [
        # The first is the look's own; one page is of one moment.
        ([(0, 1, "a"), (0, 1, "b")], 2, None),
        ([(0, 2, "a"), (0, 2, "a")], 2, None),
        ([(0, 2, "a"), (0, 2, "b"), (0, 2, "b")], 3, None),
        ([(0, 2, "a"), (0, 2, "b"), (0, 2, "c")], 3, UNSTABLE),
        ([(0, 1, "a"), (20, 1, "a"), (0, 1, "a")], 2, None),
        ([(0, 2, "a"), (20, 2, "b"), (0, 2, "b")], 3, None),
        # Two in a row that took longer than what is young.
        # (The look does not wait for a reading that is not there when all else is: it begins another.)
        ([(20.1, 1, "a"), (20.1, 1, "a"), (20.1, 1, "a"), (0, 1, "a")], 3, TOO_SLOW),
        ([(20.1, 1, "a"), (20.1, 1, "a"), (0, 1, "a")], 3, None),
        ([(0, 1, "a"), (20.1, 1, "a"), (20.1, 1, "a"), (0, 1, "a")], 3, TOO_SLOW),
        ([(20, 2, "a"), (20, 2, "a"), (20, 2, "b"), (20, 2, "b")], 4, None),
        ([(20.1, 1, "a"), (0, 1, "a")], 2, None),
        ([(0, 1, "a"), (20.1, 1, "a"), (0, 1, "a")], 3, None),
    ],
)
def test_how_often_the_policy_is_read_for_one_act(
    world: World, readings: list[tuple[float, int, str]], made: int, says: tuple[str, str] | None
) -> None:
    world.invite()
    reader = reader_of(world)
    counted = readings_of(world, reader, *readings)
    reader.look()
    if says is None:
        reader.evidence()
        assert reader.may_act
    else:
        with pytest.raises(NoEvidence, match=f"^{says[0]}$") as raised:
            reader.evidence()
        assert (raised.value.code, raised.value.reason) == (says[0], Reason(*says))
    assert counted == [made]


def test_after_three_readings_that_may_not_be_acted_on_it_is_too_slow(world: World) -> None:
    """Two equal readings in a row, but something changed after each."""
    world.invite()
    reader = reader_of(world)
    counted = readings_of(world, reader, *[(0, 1, "a")] * 9)
    reader.look()
    honest = reader._took

    def took(*arguments: Any, **more: Any) -> bool:
        done = honest(*arguments, **more)
        reader.after_call(changed=False)
        return done

    reader._took = took  # type: ignore[method-assign]
    with pytest.raises(NoEvidence) as raised:
        reader.evidence()
    assert (raised.value.reason, counted) == (Reason(*TOO_SLOW), [4])


# An account that lags behind what the list shows


def lagging(world: World, seconds: float | None) -> str:
    """An invitation that reads as accepted beside an account that reads as standalone, for so long."""
    joined = world.invite()
    world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": joined})
    world.invite(OTHER_MANAGEMENT)
    honest, began = world.client.__getattr__("describe_organization"), world.now

    def describe(**request: Any) -> dict[str, Any]:
        answer = honest(**request)
        if seconds is None or world.now - began < timedelta(seconds=seconds):
            raise client_error("AWSOrganizationsNotInUseException", ACCOUNT)
        return answer

    world.client.describe_organization = describe
    world.client.calls.clear()
    return joined


def test_an_account_that_lags_is_waited_for(world: World) -> None:
    lagging(world, 10)
    stands: set[tuple[str, str]] = set()
    reader, began = reader_of(world), world.now
    state = reader.look(stands=stands)
    assert state.account == Account(MEMBER, "aws", Role.MEMBER, ORGANIZATION)
    assert world.now - began == timedelta(seconds=sum(world.slept))
    assert world.slept == [1, 1, 1, 1, 1.6, 3.2, 6.4]
    assert stands == set()
    reader.evidence()
    assert reader.may_act


def test_what_the_account_says_stands_after_a_minute_and_once_a_process(world: World) -> None:
    joined = lagging(world, None)
    stands: set[tuple[str, str]] = set()
    reader, began = reader_of(world), world.now
    state = reader.look(stands=stands)
    assert (state.account, sum(world.slept)) == (STANDALONE, 60)
    assert world.now - began == timedelta(seconds=60)
    assert stands == {(joined, "NONE")}
    reader.evidence()
    assert reader.may_act
    world.slept.clear()
    again = reader_of(world)
    assert again.look(stands=stands).account == STANDALONE
    assert world.slept == []
    reader_of(world).look()
    assert sum(world.slept) == 60, "another process waits for itself"


def test_the_account_is_looked_at_every_second_at_most(world: World) -> None:
    lagging(world, None)
    world.random = SimpleNamespace(random=lambda: 0.0)  # type: ignore[assignment]
    reader_of(world).look()
    assert world.slept == [1] * 60


def test_what_lags_when_the_time_is_up_is_not_acted_on(world: World) -> None:
    lagging(world, None)
    stands: set[tuple[str, str]] = set()
    reader = reader_of(world, timeout=MARGIN + 5)
    assert reader.look(stands=stands).account == STANDALONE
    assert (stands, world.slept) == (set(), [1, 1, 1, 1])
    with pytest.raises(NoEvidence, match=r"DEADLINE|EVIDENCE_TOO_SLOW"):
        reader.evidence()
    assert not reader.may_act


def test_an_account_whose_organization_is_unknown_is_not_waited_for(world: World) -> None:
    lagging(world, None)
    del world.client.__dict__["describe_organization"]
    refuses(world, ACCOUNT, "AccessDeniedException")
    assert reader_of(world).look().account == UNKNOWN
    assert world.slept == []


def test_an_invitation_that_would_have_expired_by_now_is_not_waited_for(world: World) -> None:
    lagging(world, None)
    world.now += timedelta(days=16)
    wanted = world.invite(OTHER_MANAGEMENT)
    assert [each.id for each in reader_of(world).look().handshakes] == [wanted]
    assert world.slept == []


def test_what_the_run_itself_saw_accepted_is_waited_for_though_the_list_does_not_show_it(world: World) -> None:
    accepted, _ = world.invite(), world.invite(OTHER_MANAGEMENT)
    reader = reader_of(world)
    shown = next(each for each in reader.look().handshakes if each.id == accepted)
    assert isinstance(shown, Handshake)
    reader.joined(replace(shown, state=State.ACCEPTED))
    reader.after_call(changed=True)

    def lands_at_last() -> None:
        if len(world.slept) == 3:
            world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": accepted})

    world.on_sleep = lands_at_last
    assert reader.refresh().account.organization == ORGANIZATION
    assert world.slept == [1, 1, 1]


def test_a_list_that_lags_behind_the_account_is_read_once_more(world: World) -> None:
    wanted = world.invite()
    behind = world.client.list_handshakes_for_account()
    world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})
    answers = [behind]
    honest = world.client.__getattr__("list_handshakes_for_account")
    world.client.list_handshakes_for_account = lambda **request: answers.pop() if answers else honest(**request)
    world.client.calls.clear()
    assert reader_of(world).look().handshakes == ()
    assert world.client.calls == [ACCOUNT, LIST]


def test_a_list_that_lags_behind_the_account_is_read_once_more_in_a_run(world: World) -> None:
    wanted = world.invite()
    behind, reads = world.client.list_handshakes_for_account(), [0]
    world.service.call("AcceptHandshake", MEMBER, {"HandshakeId": wanted})

    def listing(**_: Any) -> dict[str, Any]:
        reads[0] += 1
        return behind

    world.client.list_handshakes_for_account = listing
    reader = reader_of(world)
    reader.look()
    assert reads == [2]
    world.now += timedelta(seconds=21)
    reader.refresh()
    assert reads == [3]


# One handshake, or the account, at once


def test_one_handshake_is_read_from_the_list(world: World) -> None:
    world.invite(OTHER_MANAGEMENT)
    finished = world.invite()
    world.service.call("DeclineHandshake", MEMBER, {"HandshakeId": finished})
    seen = reader_of(world).fetch_one(finished)
    assert isinstance(seen, Handshake)
    assert (seen.id, seen.state, seen.listed, world.client.calls) == (finished, State.DECLINED, True, [LIST])


def test_one_handshake_is_described_where_the_list_is_refused(world: World) -> None:
    wanted = world.invite()
    refuses(world, LIST, "AccessDeniedException")
    seen = reader_of(world).fetch_one(wanted)
    assert isinstance(seen, Handshake)
    assert (seen.id, seen.listed) == (wanted, False)


@pytest.mark.parametrize(
    ("code", "shown"), [("TooManyRequestsException", "NOT_SEEN"), ("OptInRequired", "NOT_SEEN_FOR_NOW")]
)
def test_one_handshake_that_is_nowhere_to_be_seen_is_asked_for_once(world: World, code: str, shown: str) -> None:
    def before(operation: str) -> None:
        raise client_error(code, operation)

    world.client.before = before
    reader = reader_of(world)
    assert reader.fetch_one(NOBODYS) == not_seen(shown, code)
    assert (world.client.calls, world.slept) == ([LIST, DESCRIBE], [])
    assert (reader.failures, reader.postponed) == ([], [])


def test_the_organization_is_asked_for_once(world: World) -> None:
    reader = reader_of(world)
    assert reader.organization() == "NONE"
    world.join()
    assert reader.organization() == ORGANIZATION
    world.client.calls.clear()
    refuses(world, ACCOUNT, "TooManyRequestsException")
    assert reader.organization() == "UNKNOWN"
    assert (world.client.calls, world.slept) == ([ACCOUNT], [])


def test_an_account_that_manages_its_organization_is_told_from_a_member(world: World) -> None:
    world.invite()
    world.client.describe_organization = lambda **_: {
        "Organization": {"Id": OTHER_ORGANIZATION, "MasterAccountId": MEMBER}
    }
    assert reader_of(world).look().account == Account(MEMBER, "aws", Role.MANAGEMENT, OTHER_ORGANIZATION)
    world.client.describe_organization = lambda **_: {
        "Organization": {"Id": ORGANIZATION, "MasterAccountId": MANAGEMENT}
    }
    assert reader_of(world).look().account == Account(MEMBER, "aws", Role.MEMBER, ORGANIZATION)
