"""The simulated hour: one management account invites a fleet, and every invited account's function does what it does.

Every run that an invitation causes is the function's own code, over a handshake service of the account's own; what is
shared is the time, the buckets of the organization and of the management account, and the relay. A sweep that finds
nothing to accept is counted, not run: a test shows that it makes the calls that are counted. So the lists of accounts
that have joined do not meet in their organization's bucket here; `members` is about these.

The relay is modelled as time and calls: a run a record, a PutEvents a run.
"""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import timedelta
from functools import partial
from math import ceil
from random import Random
from typing import Any

from bench.simulation.account import Invited
from bench.simulation.limits import PER_ACCOUNT, PUT_EVENTS, RETRIED_AFTER, SWEEP, Assumed, Bucket
from bench.simulation.virtual_time import Loop
from handshake_acceptor.reporting.record import Outcome
from handshake_core.retry import Clock
from local.world import START, client_error

HOUR = 3600.0
SWEEPS = int(HOUR / SWEEP)
"""Of every account in the hour."""
GIVEN_UP = 3 * HOUR
"""What is not accepted by then is lost."""
IDLE_METRICS = frozenset({"Pending", "NotAllowed", "HoursLeft"})
"""What a sweep sends where a foreign invitation waits; elsewhere it sends nothing."""
CONFLICTS = "AcceptHandshake, concurrent modification"


def idle_calls(sweeps: int, *, foreign: bool) -> dict[str, int]:
    """The calls of sweeps that find nothing to accept: two, and a third where a foreign invitation waits."""
    calls = {"ListHandshakesForAccount": sweeps, "GetParametersByPath": sweeps}
    return calls | ({"DescribeOrganization": sweeps} if foreign else {})


class Fleet:
    """`run` it once, then read what happened."""

    def __init__(self, accounts: int, assumed: Assumed, *, relay: bool, seed: str = "fleet") -> None:
        self.assumed = assumed
        self.relay = relay
        self.loop = Loop()
        self.calls: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Of the calls, those that were throttled or in conflict."""
        self.runs = self.failed_runs = self.relay_runs = self.most_relays = 0
        self.seconds = self.relay_seconds = 0.0
        self.organization = {name: Bucket(*of) for name, of in assumed.per_organization.items()}
        self.accounts = [Invited(number, seed, assumed, self.loop) for number in range(1, accounts + 1)]
        self._put_events = Bucket(*PUT_EVENTS)
        self._accepting = 0
        self._relays: list[float] = []  # when each environment of the relay is free again

    def step_back(self) -> Fleet:
        """Every account has just looked, and its process is polite from now on."""
        for account in self.accounts:
            account.reconcile({}, lambda *_: None)
            account.looks.gave_up(account.now(), 1.0)
        return self

    def run(self) -> Fleet:
        self.loop.process(0.0, self._invite)
        self.loop.run()
        for account in self.accounts:
            self.calls.update(idle_calls(SWEEPS - account.swept, foreign=account.foreign))
            account.metrics |= IDLE_METRICS if account.foreign else frozenset()
        return self

    # What comes out

    @property
    def times(self) -> list[float]:
        """Seconds from the invitation's answer until it was accepted, in order."""
        return sorted(each.accepted_at - each.invited_at for each in self.accounts if each.accepted_at is not None)

    @property
    def longest_run(self) -> float:
        """From when a sweep or a hint was due until it had accepted, with the tries of it that failed."""
        return self.answers[-1]

    @property
    def answers(self) -> list[float]:
        """Seconds from when the sweep or the hint was due whose run accepted until it had, in order."""
        return sorted(each.accepted_at - each.began for each in self.accounts if each.accepted_at is not None)

    @property
    def lost(self) -> int:
        """Accounts that should have joined and have not."""
        return sum(each.accepted_at is None for each in self.accounts)

    @property
    def wrong(self) -> int:
        return sum(each.wrong for each in self.accounts)

    @property
    def most_open(self) -> int:
        """The most invitations that were open at once."""
        steps = [(each.invited_at, 1) for each in self.accounts]
        steps += [(each.accepted_at, -1) for each in self.accounts if each.accepted_at is not None]
        now_open = most = 0
        for _, step in sorted(steps):
            now_open += step
            most = max(most, now_open)
        return most

    # The management account

    def _invite(self) -> None:
        """One loop over all accounts, as fast as Organizations lets one caller be."""
        bucket = Bucket(*PER_ACCOUNT["InviteAccountToOrganization"])
        clock = Clock(
            now=lambda: START, remaining=lambda: 0.0, sleep=self.loop.sleep, random=Random("sender").random
        )  # only its backoff is used
        for account in self.accounts:
            attempt = 1
            while not self._invited(bucket):
                clock.sleep(clock.backoff(attempt))
                attempt += 1
            account.invited_at = self.loop.now
            account.listed_at = self.loop.now + self.assumed.listed_delay(account.dice("listed"))
            self.loop.at(account.listed_at, account.list)
            due = account.phase + SWEEP * max(0, ceil((self.loop.now - account.phase) / SWEEP))
            self.loop.at(due, partial(self._sweep, account, due))
            if self.relay:
                self._record(account)

    def _invited(self, bucket: Bucket) -> bool:
        self.loop.sleep(self.assumed.inviting)
        served = bucket.take(self.loop.now)
        self._called("InviteAccountToOrganization", served=served)
        return served

    def _record(self, account: Invited) -> None:
        dice = account.dice("record")
        delay = self.assumed.record_delay(dice)
        if delay is not None:
            self.loop.at(self.loop.now + delay + dice.uniform(*self.assumed.delivery), partial(self._tell, account))

    def _tell(self, account: Invited) -> None:
        """One run of the relay: in an environment that is free, else in a new one."""
        now, dice = self.loop.now, account.dice("hint")
        warm = bool(self._relays) and self._relays[0] <= now
        if warm:
            heapq.heappop(self._relays)
        seconds = self.assumed.relay_putting + (0.0 if warm else self.assumed.relay_cold)
        put_at = now + seconds
        heapq.heappush(self._relays, put_at)
        self.most_relays = max(self.most_relays, len(self._relays))
        self.relay_runs += 1
        self.relay_seconds += seconds
        self._called("PutEvents", served=self._put_events.take(now))
        time = (START + timedelta(seconds=put_at)).isoformat()
        hint = {"source": "handshake-acceptor.relay", "time": time, "handshake_id": account.handshake_id}
        for _ in range(2 if dice.random() < self.assumed.twice_share else 1):
            due = put_at + dice.uniform(*self.assumed.delivery)
            self._wake(account, hint, due, due)

    # The invited accounts

    def _sweep(self, account: Invited, due: float) -> None:
        if account.began or due > GIVEN_UP:
            return  # from here on sweeps are counted
        account.swept += due < HOUR
        late = account.dice(f"sweep {due}").uniform(*self.assumed.schedule)
        self._wake(account, {"source": "aws.scheduler"}, due, due + late)
        self.loop.at(due + SWEEP, partial(self._sweep, account, due + SWEEP))

    def _wake(self, account: Invited, event: dict[str, Any], due: float, when: float, tries: int = 0) -> None:
        cold = account.dice(f"cold {when}").random() < self.assumed.cold_share
        init = self.assumed.cold if cold else 0.0
        self.loop.process(when + init, partial(self._run, account, event, due, init, tries))

    def _run(self, account: Invited, event: dict[str, Any], due: float, init: float, tries: int) -> None:
        began = self.loop.now
        report = account.reconcile(event, partial(self.before, account))
        self.runs += 1
        self.seconds += self.loop.now - began + init
        accepted = {Outcome.ACCEPTED, Outcome.ACCEPT_UNCONFIRMED}
        if not account.began and any(record.outcome in accepted for record in report.records):
            account.began = due
        if report.failures:
            self.failed_runs += 1
            if tries < len(RETRIED_AFTER):
                self._wake(account, event, due, self.loop.now + RETRIED_AFTER[tries], tries + 1)

    def before(self, account: Invited, dice: Random, operation: str) -> None:
        """The time that a call takes, and what AWS may answer instead of serving it."""
        if operation == "GetParametersByPath":
            self._called(operation)
            return
        accepts = operation == "AcceptHandshake"
        self._accepting += accepts
        self.loop.sleep(self.assumed.accepting if accepts else self.assumed.reading)
        self._accepting -= accepts
        buckets = [account.buckets[operation]]
        if operation in self.organization and (accepts or account.service.organization_of(account.id)):
            buckets.append(self.organization[operation])
        served = all(bucket.has(self.loop.now) for bucket in buckets)
        self._called(operation, served=served)
        if not served:
            raise client_error("TooManyRequestsException", operation)
        for bucket in buckets:
            bucket.take(self.loop.now)
        if accepts and self._accepting and dice.random() < self.assumed.conflict_share:
            self.refused[CONFLICTS] += 1
            raise client_error("ConcurrentModificationException", operation)

    def _called(self, operation: str, *, served: bool = True) -> None:
        self.calls[operation] += 1
        self.refused[operation] += not served
