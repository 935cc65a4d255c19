"""What a call may rest on: every bound, exactly at it and one microsecond beyond."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from handshake_acceptor.evidence import JUST_READ, YOUNG, AccountAnswer, Evidence, Observation, is_young
from handshake_acceptor.observed import Listing, unknown_account
from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.snapshot import PolicySnapshot, Reading
from local.world import MEMBER, START

ONE = timedelta(microseconds=1)
NOTHING = PolicySnapshot(Mode.OBSERVE, InvalidPolicy(()))
ACCOUNT = unknown_account(MEMBER, "aws")


def at(seconds: float, more: timedelta = timedelta(0)) -> timedelta:
    return timedelta(seconds=seconds) + more


def observation(listed: float = 0.0, account: float | None = 0.0, settled: bool = True) -> Observation:
    asked = None if account is None else START + at(account)
    return Observation(Listing((), 0, START + at(listed)), AccountAnswer(ACCOUNT, None, asked), settled)


def reading(
    began: timedelta = timedelta(0), ended: timedelta | None = None, pages: int = 1, stamps: tuple[object, ...] = ("a",)
) -> Reading:
    return Reading(NOTHING, START + began, START + (began if ended is None else ended), pages, stamps)


def test_the_bounds_are_those_of_the_promise() -> None:
    assert YOUNG.total_seconds() == 20
    assert JUST_READ.total_seconds() == 2


@pytest.mark.parametrize(
    ("listed", "account", "began", "ended", "now", "permitted"),
    [
        # All at one instant.
        (0, 0, at(0), at(0), at(0), True),
        # The reading ended at most 2 s ago.
        (0, 0, at(0), at(1), at(3), True),
        (0, 0, at(0), at(1), at(3, ONE), False),
        # It began at most 20 s ago.
        (0, 0, at(0), at(19), at(20), True),
        (0, 0, at(0), at(19), at(20, ONE), False),
        # It began after the list had arrived, and after the account had.
        (5, 0, at(5), at(5), at(5), True),
        (5, 0, at(5, -ONE), at(5), at(5), False),
        (0, 5, at(5), at(5), at(5), True),
        (0, 5, at(5, -ONE), at(5), at(5), False),
        # It began at most 20 s after the earlier of the two.
        (0, 10, at(20), at(20), at(20), True),
        (0, 10, at(20, ONE), at(20, ONE), at(20, ONE), False),
        (10, 0, at(20), at(20), at(20), True),
        (10, 0, at(20, ONE), at(20, ONE), at(20, ONE), False),
        # Their own age does not count: they were 20 s old when the reading began, and that may be 20 s ago.
        (0, 0, at(20), at(39), at(40), True),
        (0, 0, at(20), at(39), at(40, ONE), False),
        # A clock that was set back proves nothing.
        (0, 0, at(5), at(5), at(5, -ONE), False),
        (0, 0, at(4), at(5), at(5, -ONE), False),
    ],
)
def test_every_bound_of_time(
    listed: float, account: float, began: timedelta, ended: timedelta, now: timedelta, permitted: bool
) -> None:
    evidence = Evidence(observation(listed, account), reading(began, ended))
    assert evidence.permits(START + now) is permitted


GOOD = Evidence(observation(), reading())
TWO_PAGES = replace(GOOD, reading=reading(pages=2), before=reading(pages=2))


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(),
        replace(GOOD, observation=None),
        replace(GOOD, reading=None),
        replace(GOOD, reading=None, before=reading()),
        replace(GOOD, changed=True),
        replace(GOOD, spent=True),
        replace(GOOD, observation=observation(settled=False)),
        replace(GOOD, observation=observation(account=None)),
        replace(TWO_PAGES, before=None),
        replace(TWO_PAGES, before=reading(pages=2, stamps=("b",))),
        replace(TWO_PAGES, reading=reading(pages=3, stamps=("b",))),
        replace(TWO_PAGES, before=reading(began=-at(20, ONE), pages=2)),
    ],
    ids=[
        "nothing",
        "nothing observed",
        "no reading",
        "the last reading failed",
        "changed since",
        "spent",
        "unsettled",
        "account not asked for",
        "two pages, read once",
        "two pages, another before",
        "three pages, another after",
        "two pages, the one before too long ago",
    ],
)
def test_what_lacks_one_thing_permits_nothing(evidence: Evidence) -> None:
    assert not evidence.permits(START)


@pytest.mark.parametrize(
    "evidence",
    [
        GOOD,
        TWO_PAGES,
        replace(TWO_PAGES, before=reading(began=-at(20), pages=2)),
        replace(TWO_PAGES, before=reading(pages=1)),  # what it says counts, not how many pages it took
        replace(GOOD, before=reading(stamps=("b",))),  # one page is of one moment, whatever was there before
    ],
)
def test_what_has_everything_permits(evidence: Evidence) -> None:
    assert evidence.permits(START)


def test_a_new_observation_wants_a_new_reading_and_forgets_what_changed() -> None:
    evidence = replace(GOOD, changed=True).observed(observation(listed=1))
    assert evidence == Evidence(observation(listed=1), reading(), None, changed=False, spent=True)
    assert not evidence.permits(START + at(1))
    assert evidence.with_reading(reading(at(1))).permits(START + at(1))


@pytest.mark.parametrize("early", [True, False])
def test_an_early_reading_is_never_acted_on_though_its_times_would_do(early: bool) -> None:
    evidence = Evidence().observed(observation()).with_reading(reading(), early=early)
    assert evidence.permits(START) is not early
    assert evidence.with_reading(reading()).permits(START), "the next one may be"


def test_an_early_reading_counts_as_the_one_before() -> None:
    early = Evidence().observed(observation()).with_reading(reading(pages=2), early=True)
    assert early.with_reading(reading(pages=2)).permits(START)
    assert not early.with_reading(reading(pages=2, stamps=("b",))).permits(START)


def test_two_equal_readings_with_one_that_failed_between_them_are_not_in_a_row() -> None:
    evidence = TWO_PAGES.with_reading(None)
    assert (evidence.reading, evidence.before) == (None, reading(pages=2))
    evidence = evidence.with_reading(reading(pages=2))
    assert not evidence.permits(START)
    assert evidence.with_reading(reading(pages=2)).permits(START)


@pytest.mark.parametrize(
    ("was", "changed", "is_now"), [(False, False, False), (False, True, True), (True, False, True), (True, True, True)]
)
def test_a_call_spends_the_reading_and_what_changed_stays_changed(was: bool, changed: bool, is_now: bool) -> None:
    evidence = replace(GOOD, changed=was).after_call(changed=changed)
    assert evidence == replace(GOOD, changed=is_now, spent=True)
    assert evidence.with_reading(reading()).permits(START) is not is_now
    assert evidence.is_young(START) is not is_now


@pytest.mark.parametrize(("listed", "account"), [(0, 0), (0, 5), (5, 0)])
def test_what_was_observed_is_young_for_twenty_seconds_after_the_earlier_answer(listed: float, account: float) -> None:
    evidence = Evidence(observation(listed, account))
    assert evidence.is_young(START + at(20))
    assert not evidence.is_young(START + at(20, ONE))


@pytest.mark.parametrize("evidence", [Evidence(), Evidence(observation(account=None)), replace(GOOD, changed=True)])
def test_what_was_not_observed_or_has_changed_is_not_young(evidence: Evidence) -> None:
    assert not evidence.is_young(START)


def test_what_never_arrived_is_not_young() -> None:
    assert not is_young(None, START)
