"""Polite sweeps: when a sweep leaves the list alone, what it says then, and what never waits for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.reporting.record import Outcome, Report
from handshake_acceptor.sweeps.memory import BLIND, POLITE, SweepMemory, gives_up, minute_of
from handshake_acceptor.sweeps.polite import NO_LOOK
from handshake_core.handshake import Handshake
from local.service.handshake_service import Fault
from local.world import MEMBER, OTHER_MANAGEMENT, OTHER_ORGANIZATION, PREFIX, World, allow, client_error, deny

SWEEP = timedelta(minutes=5)
LIST = "ListHandshakesForAccount"
SKIPPED = ["GetParametersByPath"]
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Polite(World):
    """An account whose process remembers its looks, and whose list can be throttled for as long as one likes."""

    def __init__(self) -> None:
        super().__init__(sweeps=SweepMemory())
        self.policy(allow())
        self.throttled: Callable[[], bool] = lambda: False
        self.code = "TooManyRequestsException"
        self.client.before = self._before

    def _before(self, operation: str) -> None:
        if operation == LIST and self.throttled():
            raise client_error(self.code, operation)

    @property
    def looks(self) -> SweepMemory:
        """What the process remembers."""
        assert self.sweeps is not None
        return self.sweeps

    @property
    def lists(self) -> int:
        """Of the last run."""
        return self.client.calls.count(LIST)

    def sweep(self) -> Report:
        """The next one on schedule."""
        due = self.now + SWEEP
        report = self.run()
        self.now = max(self.now, due)
        return report

    def throttle(self) -> Report:
        """One sweep meets a list that is throttled all through, and no other does."""
        self.throttled = lambda: True
        report = self.sweep()
        self.throttled = lambda: False
        return report

    def become_polite(self) -> None:
        """Looks a minute after the account's own, so that the next look is most of an hour off, then is throttled."""
        passed = timedelta(minutes=(self.now.minute - minute_of(MEMBER)) % 60, seconds=self.now.second)
        self.now += HOUR - passed + timedelta(minutes=1)
        assert self.sweep().unlooked is None
        self.throttle()

    def slot(self) -> None:
        """Until the account's minute of the hour."""
        while self.now.minute != minute_of(MEMBER):
            self.now += timedelta(minutes=1)


@pytest.fixture
def world() -> Polite:
    return Polite()


def skipped(report: Report) -> bool:
    return report.unlooked is not None and report.unlooked.skipped


# Giving up


def test_a_sweep_whose_list_is_throttled_gives_up_within_ten_seconds_and_does_not_fail(world: Polite) -> None:
    began = world.now
    world.throttled = lambda: True

    report = world.run()

    assert world.now - began <= timedelta(seconds=10)
    assert world.lists > 5
    assert (report.failures, report.postponed) == ((), ("LIST_UNREADABLE TooManyRequestsException",))
    assert report.records == ()
    assert report.unlooked is not None
    assert not report.unlooked.skipped


@pytest.mark.parametrize("dice", [0.0, 0.999])
def test_no_wait_begins_that_could_end_after_the_patience(world: Polite, dice: float) -> None:
    world.random.random = lambda: dice  # type: ignore[method-assign]
    world.throttled = lambda: True
    began = world.now

    world.run()

    assert world.now - began <= timedelta(seconds=8)
    assert world.lists == (8 if dice == 0 else 7)


@pytest.mark.parametrize(("waited", "longest", "over"), [(0, 8, False), (7.9, 0.1, False), (7.9, 0.2, True)])
def test_patience_counts_the_wait_that_is_to_come(waited: float, longest: float, over: bool) -> None:
    assert gives_up(waited, longest) is over


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"source": "aws.ssm", "name": f"{PREFIX}mode"},
        {"source": "handshake-acceptor.relay", "handshake_id": "h-examplehandshakeid111"},
        {"source": "handshake-acceptor.manual"},
        {"source": "aws.scheduler", "handshake_id": "h-examplehandshakeid111"},
        {"something": "else"},
    ],
    ids=["manual", "policy change", "hint", "run", "sweep that names a handshake", "unknown"],
)
def test_whatever_else_wakes_it_looks_with_all_retries(world: Polite, event: dict[str, str]) -> None:
    world.become_polite()
    began, tries = world.now, Counter[str]()

    def for_a_minute() -> bool:
        tries["list"] += 1
        return world.now - began < timedelta(seconds=60)

    world.throttled = for_a_minute

    report = world.run(event)

    assert report.unlooked is None
    assert tries["list"] > 9
    assert "LIST_UNREADABLE TooManyRequestsException" not in report.failures


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServiceException"])
def test_a_list_that_fails_otherwise_fails_the_sweep_and_makes_no_process_polite(world: Polite, code: str) -> None:
    world.run()
    world.code = code

    report = world.throttle()

    assert (report.failures, report.unlooked) == ((f"LIST_UNREADABLE {code}",), None)
    world.sweep()
    assert world.lists == 1


def paged(world: Polite, pages: int) -> None:
    """So many invitations of strangers, each on a page of its own."""
    world.service.configure(page_size=1)
    for number in range(pages):
        management = f"{700_000_000_000 + number}"
        world.service.add_organization(f"o-stranger{number:04d}", management)
        world.invite(management)


@pytest.mark.parametrize("served", [1, 2, 11])
def test_a_list_that_is_throttled_before_its_last_page_is_given_up_like_one_that_is_so_from_the_first(
    world: Polite, served: int
) -> None:
    paged(world, 12)
    throttled, began = iter([False] * served), world.now
    world.throttled = lambda: next(throttled, True)

    report = world.run()

    assert world.now - began <= timedelta(seconds=10)
    assert world.lists > served + 5
    assert (report.failures, report.postponed) == ((), ("LIST_UNREADABLE TooManyRequestsException",))
    assert (report.records, report.unlooked is not None) == ((), True)


def test_a_list_that_was_served_whole_once_is_not_given_up(world: Polite) -> None:
    paged(world, 1)
    invited = world.invite()
    world.service.inject(Fault(operation="AcceptHandshake", code="ServiceException"))
    throttled = iter([False, False, *[True] * 12])
    world.throttled = lambda: next(throttled, False)

    report = world.run()

    assert world.lists > 2 + 12
    assert (report.failures, report.unlooked, world.state(invited)) == ((), None, "ACCEPTED")


# Stepping back


def test_after_it_gave_up_a_process_looks_once_an_hour_at_a_minute_of_its_account(world: Polite) -> None:
    world.become_polite()

    looks = []
    for _ in range(5 * 12):
        began = world.now
        if not skipped(world.sweep()):
            looks.append(began)

    assert len(looks) == 5
    for each in looks:
        assert (each.minute - minute_of(MEMBER)) % 60 < 5


def test_a_skipped_sweep_makes_one_call_takes_no_time_and_decides_nothing(world: Polite) -> None:
    world.become_polite()
    world.invite(OTHER_MANAGEMENT)
    began, reads = world.now, world.parameters.reads

    report = world.run()

    assert skipped(report)
    assert (world.client.calls, world.parameters.reads - reads) == ([], 1)
    assert world.now == began
    assert (report.records, report.failures, report.postponed) == ((), (), ())
    assert report.snapshot.mode.value == "enforce"


@pytest.mark.parametrize(("chance", "hours"), [(0.0, 6), (0.5, 12), (0.999, 18)])
def test_politeness_lasts_twelve_hours_half_of_them_more_or_less_by_chance(chance: float, hours: int) -> None:
    memory = SweepMemory(looked_at=NOON)
    memory.gave_up(NOON, chance)
    assert memory.polite_until is not None
    ends = memory.polite_until
    assert abs(ends - NOON - timedelta(hours=hours)) < timedelta(minutes=1)
    memory.looked(ends - timedelta(seconds=2))
    minute = (ends.minute - 30) % 60
    assert memory.skips(ends - timedelta(seconds=1), minute)
    assert not memory.skips(ends, minute)


def test_a_look_that_is_due_is_tried_with_every_sweep_until_it_succeeds(world: Polite) -> None:
    world.become_polite()
    world.slot()
    for _ in range(3):
        assert not skipped(world.throttle())
    assert world.sweep().unlooked is None
    assert skipped(world.sweep())


def test_a_new_process_looks_until_it_has_looked(world: Polite) -> None:
    for _ in range(3):
        assert world.throttle().unlooked is not None
        assert world.lists > 5
    assert world.sweep().unlooked is None


def test_a_process_that_was_never_throttled_always_looks(world: Polite) -> None:
    assert [world.sweep().unlooked for _ in range(30)] == [None] * 30


def test_the_accounts_of_an_organization_look_at_every_minute() -> None:
    minutes = Counter(minute_of(f"{number:012d}") for number in range(10_000))
    assert len(minutes) == 60
    assert max(minutes.values()) < 1.3 * 10_000 / 60


@pytest.mark.parametrize("seconds", range(0, 3600, 170))
def test_the_hour_is_counted_from_the_accounts_minute(seconds: int) -> None:
    """A look skips every sweep until that minute comes again, and none from then on."""
    minute, looked_at = 17, NOON + timedelta(seconds=seconds)
    memory = SweepMemory(looked_at=looked_at, polite_until=NOON + POLITE)
    again = looked_at.replace(minute=minute, second=0)
    again += HOUR if again <= looked_at else timedelta(0)

    assert memory.skips(looked_at, minute)
    assert memory.skips(again - timedelta(seconds=1), minute)
    assert not memory.skips(again, minute)
    assert not memory.skips(again + HOUR - timedelta(seconds=1), minute)


def test_a_sweep_looks_that_begins_before_the_last_look_by_the_clock() -> None:
    """The clock was set back: nothing says when the list was seen."""
    memory = SweepMemory(looked_at=NOON, polite_until=NOON + POLITE)
    before = [NOON - timedelta(minutes=minutes) for minutes in range(1, 600, 7)]
    assert [now for now in before for minute in range(0, 60, 7) if memory.skips(now, minute)] == []


def test_a_process_whose_clock_was_set_back_looks_and_goes_on_as_before(world: Polite) -> None:
    world.become_polite()
    assert skipped(world.sweep())
    world.now -= timedelta(hours=5)

    assert world.sweep().unlooked is None
    assert skipped(world.sweep())


# What never waits


def test_an_invitation_with_a_hint_does_not_wait_for_the_hour(world: Polite) -> None:
    world.become_polite()
    invited = world.invite()
    assert skipped(world.sweep())

    world.run(world.hint(invited))

    assert world.state(invited) == "ACCEPTED"


def test_what_aws_wants_to_be_asked_later_is_tried_again_with_every_sweep(world: Polite) -> None:
    world.become_polite()
    code, reason = "HandshakeConstraintViolationException", "HANDSHAKE_RATE_LIMIT_EXCEEDED"
    world.service.inject(Fault(operation="AcceptHandshake", code=code, reason=reason, times=2))
    invited = world.invite()
    [record] = world.run(world.hint(invited)).records
    assert record.outcome is Outcome.RETRY_LATER

    assert not skipped(world.throttle())
    assert not skipped(world.sweep())
    world.sweep()

    assert world.state(invited) == "ACCEPTED"
    world.sweep()
    assert skipped(world.sweep())


def test_a_sweep_settles_what_was_sent_and_not_confirmed_with_all_retries(world: Polite) -> None:
    world.become_polite()
    invited = world.invite()
    world.service.configure(accept_delay=timedelta(minutes=6))
    [record] = world.run(world.hint(invited)).records
    assert record.outcome is Outcome.ACCEPT_UNCONFIRMED
    began = world.now
    world.throttled = lambda: world.now - began < timedelta(seconds=60)

    report = world.run()

    assert report.unlooked is None
    assert [each.handshake.id for each in report.records] == [invited]


@pytest.mark.parametrize("edit", ["policy", "mode", "mistake"])
def test_a_change_of_policy_or_mode_whose_event_was_lost_is_acted_on_by_the_next_sweep(
    world: Polite, edit: str
) -> None:
    world.mode("observe" if edit == "mode" else "enforce")
    foreign = world.invite(OTHER_MANAGEMENT)
    world.policy(allow("Theirs", OTHER_ORGANIZATION, OTHER_MANAGEMENT) if edit == "mode" else allow())
    world.become_polite()
    assert skipped(world.sweep())

    if edit == "mode":
        world.mode("enforce")
    elif edit == "policy":
        world.policy(allow("Theirs", OTHER_ORGANIZATION, OTHER_MANAGEMENT))
    else:
        world.parameters.values[f"{PREFIX}policy/second"] = "{"
    report = world.sweep()

    assert report.unlooked is None
    assert world.state(foreign) == ("OPEN" if edit == "mistake" else "ACCEPTED")
    assert isinstance(report.snapshot.policy, InvalidPolicy) is (edit == "mistake")


@pytest.mark.parametrize("bound", ["NotBefore", "NotAfter"])
def test_a_statement_whose_time_comes_is_acted_on_by_the_next_sweep(world: Polite, bound: str) -> None:
    edge = (world.now + timedelta(hours=3, minutes=2)).isoformat().replace("+00:00", "Z")
    invited = world.invite()
    if bound == "NotBefore":
        world.policy(allow(Condition={bound: edge}))
    else:
        world.policy(allow(), deny(Condition={bound: edge}))
    while world.now < datetime.fromisoformat(edge) - SWEEP:
        world.sweep()
    world.now = datetime.fromisoformat(edge) - timedelta(seconds=2)
    world.run()
    world.looks.gave_up(world.now, 0.5)
    world.now += timedelta(seconds=1)
    assert skipped(world.run())
    world.now += timedelta(seconds=2)

    world.run()

    assert world.state(invited) == "ACCEPTED"


def test_the_moment_at_which_a_statement_begins_is_in_its_time(world: Polite) -> None:
    edge = NOON.replace(minute=(minute_of(MEMBER) + 10) % 60)
    world.now = edge - SWEEP
    world.policy(allow(Condition={"NotBefore": edge.isoformat().replace("+00:00", "Z")}))
    invited = world.invite()
    world.looks.gave_up(world.now, 0.5)
    world.sweep()

    assert world.now == edge
    world.sweep()

    assert world.state(invited) == "ACCEPTED"


@pytest.mark.parametrize("waits", [True, False])
def test_a_statement_whose_time_came_before_the_last_look_or_where_nothing_waits_changes_nothing(
    world: Polite, waits: bool
) -> None:
    world.become_polite()
    last = world.looks.last
    assert last is not None
    edge = last.at if waits else last.at + timedelta(minutes=1)
    world.policy(allow(Condition={"NotAfter": edge.isoformat().replace("+00:00", "Z")}))
    if waits:
        world.invite(OTHER_MANAGEMENT)
    world.now = last.at
    world.run()
    world.now += timedelta(minutes=2)

    assert skipped(world.run())


def test_a_policy_that_cannot_be_read_is_looked_at_with_all_retries(world: Polite) -> None:
    world.become_polite()
    world.parameters.faults = [client_error("ThrottlingException", "GetParametersByPath")]

    report = world.sweep()

    assert (report.unlooked, report.failures) == (None, ())
    assert world.lists == 1


@pytest.mark.parametrize("code", ["TooManyRequestsException", "AccessDeniedException", "SubscriptionRequiredException"])
def test_a_run_that_could_not_list_is_no_look(world: Polite, code: str) -> None:
    """The third is one that AWS wants to be asked later: such a run does not fail."""
    world.become_polite()
    looked_at = world.looks.looked_at
    world.code, world.throttled = code, lambda: True

    world.run({})

    assert world.looks.looked_at == looked_at


def test_a_hint_at_nothing_makes_no_later_sweep_look(world: Polite) -> None:
    world.become_polite()
    report = world.run(world.hint("h-examplehandshakeid111"))
    assert [each.outcome for each in report.records] == [Outcome.RETRY_LATER]
    assert skipped(world.sweep())


# What is repeated


def test_a_sweep_that_saw_nothing_repeats_what_the_last_look_saw(world: Polite) -> None:
    world.invite(OTHER_MANAGEMENT)
    world.become_polite()
    [seen] = [each for each in world.emitted if each.handshake.id][-1:]

    for report in (world.sweep(), world.throttle()):
        assert report.unlooked is not None
        assert report.unlooked.records == (seen,)
        assert report.records == ()


def test_what_has_expired_since_is_not_repeated(world: Polite) -> None:
    world.invite(OTHER_MANAGEMENT)
    world.become_polite()
    last = world.looks.last
    assert last is not None
    [record] = last.records
    assert isinstance(record.handshake, Handshake)
    expires_at = record.handshake.expires_at
    assert last.waiting(expires_at - timedelta(seconds=1)) == (record,)
    assert last.waiting(expires_at) == ()


def test_a_sweep_that_gave_up_says_what_is_wrong_with_the_policy_now(world: Polite) -> None:
    world.parameters.values[f"{PREFIX}policy/second"] = "{"
    report = world.throttle()
    assert isinstance(report.snapshot.policy, InvalidPolicy)
    assert not report.snapshot.unreadable


def test_a_sweep_that_can_read_neither_fails(world: Polite) -> None:
    world.run()
    world.parameters.faults = [client_error("AccessDeniedException", "GetParametersByPath")] * 9
    assert world.throttle().failures == ("POLICY_UNREADABLE AccessDeniedException",)


# Blindness


@pytest.mark.parametrize("seen", [SweepMemory(began=NOON), SweepMemory(began=NOON - HOUR, looked_at=NOON)])
def test_a_process_is_blind_from_two_hours_on(seen: SweepMemory) -> None:
    assert not seen.is_blind(NOON + BLIND - timedelta(seconds=1))
    assert seen.is_blind(NOON + BLIND)


@pytest.mark.parametrize("seen", [SweepMemory(began=NOON), SweepMemory(began=NOON - HOUR, looked_at=NOON)])
def test_a_process_whose_clock_was_set_back_is_blind_until_it_looks(seen: SweepMemory) -> None:
    now = NOON - timedelta(hours=5)
    assert seen.is_blind(now)
    seen.looked(now)
    assert not seen.is_blind(now)


def test_a_process_that_has_not_looked_for_two_hours_fails_every_run_until_it_has(world: Polite) -> None:
    world.become_polite()
    looked_at = world.looks.looked_at
    assert looked_at is not None
    world.throttled = lambda: True

    while (began := world.now) < looked_at + timedelta(hours=4):
        report = world.sweep()
        if began >= looked_at + BLIND:
            assert report.failures == (NO_LOOK,)
        elif began + timedelta(seconds=10) < looked_at + BLIND:
            assert report.failures == ()

    world.throttled = lambda: False
    assert world.sweep().failures == ()
    assert skipped(world.sweep())


def test_a_process_that_never_looked_is_blind_two_hours_after_its_first_run(world: Polite) -> None:
    began, heard = world.now, []
    world.throttled = lambda: True
    while world.now < began + timedelta(hours=3):
        at = world.now
        if world.sweep().failures:
            heard.append(at)
    assert began + BLIND - timedelta(seconds=10) <= heard[0] <= began + BLIND + SWEEP
    assert len(heard) == 12
