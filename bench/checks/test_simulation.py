"""The simulated fleet of `bench fleet`: what must hold of it whatever the figures are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from bench.simulation.fleet import Fleet, idle_calls
from bench.simulation.limits import HARSH, LIKELY, RETRIED_AFTER, SWEEP, Assumed, Bucket
from bench.simulation.members import Members, backoff, idle_run
from bench.simulation.virtual_time import Loop
from handshake_acceptor.reporting.record import Report
from local.world import PREFIX, deny, document

ACCOUNTS = 50


@pytest.mark.parametrize("assumed", [LIKELY, HARSH], ids=["likely", "harsh"])
@pytest.mark.parametrize("relay", [True, False], ids=["relay", "sweep alone"])
def test_nothing_foreign_is_accepted_and_nothing_is_lost(assumed: Assumed, relay: bool) -> None:
    fleet = Fleet(ACCOUNTS, replace(assumed, foreign_share=0.5), relay=relay).run()

    assert (fleet.wrong, fleet.lost, len(fleet.times)) == (0, 0, ACCOUNTS)
    assert sum(len(account.service.handshakes()) == 2 for account in fleet.accounts) > ACCOUNTS / 4


def test_with_the_sweep_alone_nobody_waits_longer_than_one_period_and_one_run() -> None:
    fleet = Fleet(ACCOUNTS, LIKELY, relay=False).run()

    assert fleet.times[-1] <= SWEEP + fleet.longest_run
    for account in fleet.accounts:
        assert account.listed_at - SWEEP < account.began <= account.listed_at + SWEEP
        assert account.accepted_at is not None
        assert account.accepted_at - account.began <= fleet.longest_run < LIKELY.cold + 60


def test_the_same_fleet_is_the_same_twice() -> None:
    first, second = (Fleet(ACCOUNTS, LIKELY, relay=True).run() for _ in range(2))

    assert first.times == second.times
    assert (first.calls, first.refused, first.seconds) == (second.calls, second.refused, second.seconds)


def test_with_every_record_lost_the_relay_is_the_sweep_alone() -> None:
    deaf = Fleet(ACCOUNTS, replace(LIKELY, lost_share=1.0), relay=True).run()
    alone = Fleet(ACCOUNTS, LIKELY, relay=False).run()

    assert deaf.times == alone.times
    assert deaf.calls == alone.calls
    assert deaf.relay_runs == 0


def test_with_the_relay_most_do_not_wait_for_the_sweep() -> None:
    fleet, alone = (Fleet(ACCOUNTS, LIKELY, relay=relay).run() for relay in (True, False))

    assert fleet.times[ACCOUNTS // 2] < alone.times[ACCOUNTS // 2] / 3
    assert fleet.relay_runs == fleet.calls["PutEvents"] == ACCOUNTS


def test_a_hint_that_outruns_the_list_fails_and_is_tried_again_after_a_minute() -> None:
    early = replace(
        LIKELY, record_median=1.0, late_share=0.0, lost_share=0.0, twice_share=0.0, listed_mean=1e9, listed_most=30.0
    )
    fleet = Fleet(ACCOUNTS, early, relay=True).run()

    assert fleet.failed_runs == ACCOUNTS
    assert fleet.lost == 0
    assert 60 < fleet.times[ACCOUNTS // 2] < 90


def test_what_no_statement_allows_is_lost_and_counted() -> None:
    fleet = Fleet(3, LIKELY, relay=True)
    for account in fleet.accounts:
        account.parameters.values[f"{PREFIX}policy/brake"] = document(deny("Brake"))

    fleet.run()

    assert (fleet.lost, fleet.wrong, fleet.times) == (3, 0, [])


@pytest.mark.parametrize("foreign", [0.0, 1.0], ids=["idle", "a foreign invitation waits"])
def test_an_idle_run_makes_the_calls_that_are_counted_and_changes_nothing(foreign: float) -> None:
    fleet = Fleet(1, replace(LIKELY, foreign_share=foreign), relay=False)
    (account,) = fleet.accounts
    before = account.service.handshakes()

    swept(fleet)

    assert fleet.calls == idle_calls(1, foreign=account.foreign)
    assert account.service.handshakes() == before


@pytest.mark.parametrize("polite", [True, False])
@pytest.mark.parametrize(("rate", "served"), [(1.0, (True, True)), (0.1, (False, True)), (0.0, (False, False))])
def test_an_idle_run_that_is_throttled_is_played_as_the_function_does_it(
    rate: float, served: tuple[bool, bool], polite: bool
) -> None:
    """`served`: a polite sweep, and one that insists, as what is not a sweep does."""
    fleet = Fleet(1, replace(LIKELY, foreign_share=0.0, landing_share=0.0), relay=False)
    (account,) = fleet.accounts
    account.list()
    account.service.call("AcceptHandshake", account.id, {"HandshakeId": account.handshake_id})
    fleet.organization["ListHandshakesForAccount"] = empty(rate)
    report = swept(fleet, {"source": "aws.scheduler"} if polite else {})

    loop, over = Loop(), list[tuple[float, bool]]()
    calls, throttled = Counter[str](), Counter[str]()
    waits = backoff(account.dice("run 1"))
    idle_run(
        loop,
        empty(rate),
        waits,
        LIKELY.reading,
        calls,
        throttled,
        lambda *result: over.append(result),
        polite=polite,
    )
    loop.run()

    assert (calls, throttled) == (fleet.calls, +fleet.refused)
    assert throttled.total() > 3
    [(took, was_served)] = over
    # The policy is read beside the list there, and so takes no time; after a list that was given up it does.
    assert took == pytest.approx(fleet.loop.now + (LIKELY.reading if polite and not was_served else 0.0))
    assert was_served is served[0 if polite else 1]
    assert (report.unlooked is None) is (was_served or not polite)
    assert (report.failures == ()) is (was_served or polite)


def swept(fleet: Fleet, event: dict[str, str] | None = None) -> Report:
    """One run of the fleet's one account, by default a sweep."""
    (account,) = fleet.accounts
    reports: list[Report] = []
    event = {"source": "aws.scheduler"} if event is None else event
    sweep = partial(account.reconcile, event, partial(fleet.before, account))
    fleet.loop.process(0.0, lambda: reports.append(sweep()))
    fleet.loop.run()
    return reports[0]


def empty(rate: float) -> Bucket:
    bucket = Bucket(rate, 1.0)
    bucket.take(0.0)
    return bucket


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate=3, burst=5)

    assert sum(bucket.take(0.0) for _ in range(10)) == 5
    assert sum(bucket.take(1 + moment / 100) for moment in range(1000)) == pytest.approx(3 * 11, abs=1)


def test_processes_that_sleep_go_on_in_the_order_of_their_time() -> None:
    loop, seen, dice = Loop(), list[tuple[float, int]](), Random(1)

    def sleeper(number: int) -> None:
        for _ in range(20):
            loop.sleep(dice.random())
            seen.append((loop.now, number))

    for number in range(5):
        loop.process(0.0, partial(sleeper, number))
    loop.run()

    assert len(seen) == 100
    assert [moment for moment, _ in seen] == sorted(moment for moment, _ in seen)


def test_what_a_process_raises_ends_the_simulation() -> None:
    loop = Loop()
    loop.process(1.0, partial(dict[str, None]().__getitem__, "missing"))

    with pytest.raises(KeyError, match="missing"):
        loop.run()


def test_no_invitation_with_a_hint_waits_for_the_next_look() -> None:
    told = replace(LIKELY, lost_share=0.0, late_share=0.0)
    fleet, others = Fleet(ACCOUNTS, told, relay=True).step_back().run(), Fleet(ACCOUNTS, told, relay=True).run()

    assert fleet.lost == fleet.wrong == 0
    assert fleet.times[-1] <= others.times[-1] + RETRIED_AFTER[0]
    assert fleet.times[ACCOUNTS // 2] == pytest.approx(others.times[ACCOUNTS // 2], rel=0.1)


def test_one_without_a_hint_waits_for_the_next_look_and_no_longer() -> None:
    fleet = Fleet(ACCOUNTS, LIKELY, relay=False).step_back().run()

    assert fleet.lost == fleet.wrong == 0
    assert 2 * SWEEP < fleet.times[-1] < 3600 + SWEEP + fleet.longest_run


@pytest.mark.parametrize("number", [500, 2_500])
def test_members_that_are_polite_all_look_once_an_hour(number: int) -> None:
    hours = 3
    there = Members(number, SWEEP, LIKELY, hours * 3600, polite=True, since=3600).run()

    assert sum(there.looked) / len(there.looked) > 0.99
    assert there.sweeps == number * 12 * (hours - 1)
    assert there.blind_runs == 0
    assert (there.skipped + there.given_up == 0) is (number == 500)
    assert there.calls["GetParametersByPath"] == there.sweeps + there.given_up
