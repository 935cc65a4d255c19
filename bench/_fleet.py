"""The simulated hour: one management account invites a fleet, and every invited account's function does what it does.

Every run that an invitation causes is the function's own code, over a handshake service of the account's own; what is
shared is the time, the buckets of the organization and of the management account, and the relay. A sweep that finds
nothing to accept is counted, not run: a test shows that it makes the calls that are counted. So the lists of accounts
that have joined do not meet in their organization's bucket here; `_members` is about these.

The relay is modelled as time and calls: a run a record, a PutEvents a run.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

from bench._fleet_limits import PER_ACCOUNT, PUT_EVENTS, RETRIED_AFTER, SWEEP, TIMEOUT, Assumed, Bucket
from bench._virtual_time import Loop
from handshake_acceptor import look
from handshake_acceptor import trigger as triggers
from handshake_acceptor.look import Looker
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy_store import PolicyStore
from handshake_acceptor.reconcile import Reconcile
from handshake_acceptor.record import Outcome, Report
from handshake_acceptor.retry import Clock
from handshake_acceptor.telemetry import Telemetry
from local.handshake_service import HandshakeService
from tests.faults.fault_world import Inline
from tests.unit.world import (
    MANAGEMENT,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    START,
    OrganizationsClient,
    Parameters,
    allow,
    client_error,
    deny,
    document,
)

HOUR = 3600.0
SWEEPS = int(HOUR / SWEEP)
"""Of every account in the hour."""
GIVEN_UP = 3 * HOUR
"""What is not accepted by then is lost."""


class Names:
    """Stands for logger and metrics: keeps the names of the metrics that are sent."""

    def __init__(self) -> None:
        self.metric_set: set[str] = set()
        self.info = self.error = lambda *_, **__: None
        self.flush_metrics = lambda: None

    def add_metric(self, name: str, *_: object) -> None:
        self.metric_set.add(str(name))


@dataclass
class Invited:
    """One account, and what became of it."""

    number: int
    seed: str
    foreign: bool
    """Whether a foreign invitation waits there, too."""
    phase: float
    """When the first sweep of the hour is due."""
    service: HandshakeService
    parameters: Parameters
    invited_at: float = 0.0
    listed_at: float = 0.0
    began: float = 0.0
    """When the run that accepted was due."""
    runs: int = 0
    swept: int = 0
    """Sweeps of the hour that were run, not counted."""
    buckets: dict[str, Bucket] = field(default_factory=lambda: {name: Bucket(*of) for name, of in PER_ACCOUNT.items()})
    metrics: set[tuple[str, int]] = field(default_factory=set)
    """Each metric with the hour in which it was sent."""

    @property
    def id(self) -> str:
        return f"{self.number:012d}"

    @property
    def handshake_id(self) -> str:
        return f"h-{self.number:010d}ours"

    def dice(self, purpose: str) -> Random:
        """Chance of its own for every purpose: what happens to one account, or without a relay, changes no other's."""
        return Random(f"{self.seed} {self.number} {purpose}")

    @property
    def accepted_at(self) -> float | None:
        """When the service says that it was accepted."""
        finished_at = self.service.handshake(self.handshake_id).finished_at
        return (finished_at - START).total_seconds() if finished_at else None


class Fleet:
    """`run` it once, then read what happened."""

    def __init__(self, accounts: int, assumed: Assumed, *, relay: bool, seed: str = "fleet") -> None:
        self.assumed = assumed
        self.relay = relay
        self.loop = Loop()
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.runs = self.failed_runs = self.relay_runs = self.most_relays = 0
        self.seconds = self.relay_seconds = 0.0
        self.organization = {name: Bucket(*of) for name, of in assumed.per_organization.items()}
        self.put_events = Bucket(*PUT_EVENTS)
        self.accepting: Counter[str] = Counter()
        self.relays: list[float] = []
        """When each environment of the relay is free again."""
        self.accounts = [self._account(number, seed) for number in range(1, accounts + 1)]

    def run(self) -> Fleet:
        with patch.object(look, "ThreadPoolExecutor", Inline):
            self.loop.process(0.0, self._invite)
            self.loop.run()
        self._count_idle_sweeps()
        return self

    # What comes out

    @property
    def times(self) -> list[float]:
        """Seconds from the invitation's answer until it was accepted, in order."""
        return sorted(each.accepted_at - each.invited_at for each in self.accounts if each.accepted_at is not None)

    @property
    def longest_run(self) -> float:
        """From when a sweep or a hint was due until it had accepted."""
        return max(each.accepted_at - each.began for each in self.accounts if each.accepted_at is not None)

    @property
    def lost(self) -> int:
        """Accounts that should have joined and have not."""
        return sum(each.accepted_at is None for each in self.accounts)

    @property
    def wrong(self) -> int:
        """Foreign invitations that were accepted or declined, and any that was accepted twice."""
        handshakes = [found for each in self.accounts for found in each.service.handshakes()]
        foreign = sum(f.organization_id != ORGANIZATION and f.finished_at is not None for f in handshakes)
        return foreign + sum(found.accept_effects > 1 for found in handshakes)

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

    def _account(self, number: int, seed: str) -> Invited:
        service = HandshakeService(self._time)
        service.add_organization(ORGANIZATION, MANAGEMENT)
        service.add_organization(OTHER_ORGANIZATION, OTHER_MANAGEMENT)
        parameters = Parameters()
        parameters.values[f"{PREFIX}mode"] = "enforce"
        parameters.values[f"{PREFIX}policy/allowlist"] = document(allow())
        parameters.values[f"{PREFIX}policy/never"] = document(deny(Action="TRANSFER_RESPONSIBILITY"))
        dice = Random(f"{seed} {number}")
        foreign, phase = dice.random() < self.assumed.foreign_share, dice.random() * SWEEP
        account = Invited(number, seed, foreign, phase, service, parameters)
        landing = dice.uniform(*self.assumed.landing) if dice.random() < self.assumed.landing_share else 0.0
        service.configure(accept_delay=timedelta(seconds=landing), describe_refused_to_standalone=True)
        if foreign:
            self._send(account, OTHER_MANAGEMENT, f"h-{number:010d}theirs")
        return account

    def _send(self, account: Invited, management: str, handshake_id: str) -> None:
        account.service.choose_ids(handshake_id)
        target = {"Target": {"Type": "ACCOUNT", "Id": account.id}}
        account.service.call("InviteAccountToOrganization", management, target)

    def _invite(self) -> None:
        """One loop over all accounts, as fast as Organizations lets one caller be."""
        bucket, dice = Bucket(*PER_ACCOUNT["InviteAccountToOrganization"]), Random("sender")
        clock = Clock(now=self._time, remaining=lambda: 0.0, sleep=self.loop.sleep, random=dice.random)
        for account in self.accounts:
            attempt = 1
            while not self._invited(bucket):
                clock.wait(clock.backoff(attempt))
                attempt += 1
            account.invited_at = self.loop.now
            account.listed_at = self.loop.now + self.assumed.listed_delay(account.dice("listed"))
            self.loop.at(account.listed_at, partial(self._send, account, MANAGEMENT, account.handshake_id))
            due = account.phase
            while due <= self.loop.now:
                due += SWEEP
            self.loop.at(due, partial(self._sweep, account, due))
            if self.relay:
                self._record(account)

    def _invited(self, bucket: Bucket) -> bool:
        self.loop.sleep(self.assumed.inviting)
        served = bucket.take(self.loop.now)
        self._called("InviteAccountToOrganization", throttled=not served)
        return served

    def _record(self, account: Invited) -> None:
        dice = account.dice("record")
        delay = self.assumed.record_delay(dice)
        if delay is not None:
            self.loop.at(self.loop.now + delay + dice.uniform(*self.assumed.delivery), partial(self._tell, account))

    def _tell(self, account: Invited) -> None:
        """One run of the relay: an environment that is free, else a new one."""
        now, dice = self.loop.now, account.dice("hint")
        warm = bool(self.relays) and self.relays[0] <= now
        if warm:
            heapq.heappop(self.relays)
        seconds = self.assumed.relay_putting + (0.0 if warm else self.assumed.relay_cold)
        put_at = now + seconds
        heapq.heappush(self.relays, put_at)
        self.most_relays = max(self.most_relays, len(self.relays))
        self.relay_runs += 1
        self.relay_seconds += seconds
        self._called("PutEvents", throttled=not self.put_events.take(put_at))
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
        account.runs += 1
        report = self._reconcile(account, event)
        self.runs += 1
        self.seconds += self.loop.now - began + init
        accepted = {Outcome.ACCEPTED, Outcome.ACCEPT_UNCONFIRMED}
        if not account.began and any(record.outcome in accepted for record in report.records):
            account.began = due
        if report.failures:
            self.failed_runs += 1
            if tries < len(RETRIED_AFTER):
                self._wake(account, event, due, self.loop.now + RETRIED_AFTER[tries], tries + 1)

    def _reconcile(self, account: Invited, event: dict[str, Any]) -> Report:
        """What the function's handler does."""
        deadline, dice = self.loop.now + TIMEOUT, account.dice(f"run {account.runs}")
        clock = Clock(
            now=self._time, remaining=lambda: deadline - self.loop.now, sleep=self.loop.sleep, random=dice.random
        )
        client, names = OrganizationsClient(account.service, account.id), Names()
        client.before = partial(self._before, account, dice)
        organizations = Organizations(client, clock)
        store = PolicyStore(Policy(self, account), clock, PREFIX)
        looker = Looker(organizations, store, clock, account.id, "aws")
        telemetry = Telemetry(names, names, self._time)  # type: ignore[arg-type]
        trigger = triggers.parse(event)
        report = Reconcile(organizations, looker, clock, telemetry.decision).run(trigger)
        telemetry.run(report, trigger)
        account.metrics |= {(name, int(self.loop.now // HOUR)) for name in names.metric_set}
        return report

    def _before(self, account: Invited, dice: Random, operation: str) -> None:
        """The time that a call takes, and what AWS may answer instead of serving it."""
        accepts = operation == "AcceptHandshake"
        self.accepting[operation] += 1
        self.loop.sleep(self.assumed.accepting if accepts else self.assumed.reading)
        self.accepting[operation] -= 1
        buckets = [account.buckets[operation]]
        if operation in self.organization and (accepts or account.service.organization_of(account.id)):
            buckets.append(self.organization[operation])
        served = all(bucket.has(self.loop.now) for bucket in buckets)
        self._called(operation, throttled=not served)
        if not served:
            raise client_error("TooManyRequestsException", operation)
        for bucket in buckets:
            bucket.take(self.loop.now)
        if accepts and self.accepting[operation] and dice.random() < self.assumed.conflict_share:
            self.throttled["AcceptHandshake, concurrent modification"] += 1
            raise client_error("ConcurrentModificationException", operation)

    def _called(self, operation: str, *, throttled: bool = False) -> None:
        self.calls[operation] += 1
        if throttled:
            self.throttled[operation] += 1

    def _count_idle_sweeps(self) -> None:
        for account in self.accounts:
            self.calls.update(idle_calls(SWEEPS - account.swept, foreign=account.foreign))
            account.metrics |= {(name, 0) for name in IDLE_METRICS if account.foreign}

    def _time(self) -> Any:
        return START + timedelta(seconds=self.loop.now)


@dataclass(frozen=True)
class Policy:
    """Parameter Store for one account, counted."""

    fleet: Fleet
    account: Invited

    def get_parameters_by_path(self, **request: Any) -> dict[str, Any]:
        self.fleet._called("GetParametersByPath")
        return self.account.parameters.get_parameters_by_path(**request)


IDLE_METRICS = ("Pending", "NotAllowed", "HoursLeft")
"""What a sweep sends where a foreign invitation waits; elsewhere it sends nothing."""


def idle_calls(sweeps: int, *, foreign: bool) -> dict[str, int]:
    """The calls of sweeps that find nothing to accept: two, and a third where a foreign invitation waits."""
    calls = {"ListHandshakesForAccount": sweeps, "GetParametersByPath": sweeps}
    return calls | ({"DescribeOrganization": sweeps} if foreign else {})
