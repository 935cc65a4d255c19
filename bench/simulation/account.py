"""One invited account of the simulated fleet: its handshakes, its policy, and a run of the function's own code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bench.simulation.limits import PER_ACCOUNT, SWEEP, TIMEOUT, Assumed, Bucket
from bench.simulation.virtual_time import Loop
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Reconcile
from handshake_acceptor.reporting.record import Report
from handshake_acceptor.reporting.telemetry import Telemetry
from handshake_acceptor.state import StateReader
from handshake_acceptor.sweeps.memory import SweepMemory
from handshake_acceptor.sweeps.polite import PoliteSweeps
from handshake_acceptor.trigger import Trigger
from handshake_core.retry import Clock
from local.service.handshake_service import HandshakeService, State
from local.world import (
    MANAGEMENT,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    START,
    Inline,
    OrganizationsClient,
    Parameters,
    allow,
    deny,
    document,
)

Before = Callable[[Random, str], None]
"""Called with a run's chance and an operation ahead of every call; it may wait, and raise what AWS answers instead."""


class Invited:
    """One account, and what became of it. All times are seconds of the simulation."""

    def __init__(self, number: int, seed: str, assumed: Assumed, loop: Loop) -> None:
        self.id = f"{number:012d}"
        self.handshake_id = f"h-{number:010d}ours"
        self.invited_at = self.listed_at = 0.0
        self.began = 0.0
        """When the sweep or the hint was due whose run accepted; 0 before."""
        self.runs = 0
        self.swept = 0
        """Sweeps of the hour that were run, not counted."""
        self.buckets = {name: Bucket(*of) for name, of in PER_ACCOUNT.items()}
        self.metrics: set[str] = set()
        self.looks = SweepMemory()
        """What its process remembers; here no process ends."""
        self.parameters = Parameters()
        self.parameters.values[f"{PREFIX}mode"] = "enforce"
        self.parameters.values[f"{PREFIX}policy/allowlist"] = document(allow())
        self.parameters.values[f"{PREFIX}policy/never"] = document(deny(Action="TRANSFER_RESPONSIBILITY"))
        self._seed = f"{seed} {number}"
        self._loop = loop
        dice = self.dice("account")
        self.phase = dice.random() * SWEEP
        """When its first sweep is due."""
        self.foreign = dice.random() < assumed.foreign_share
        """Whether a foreign invitation waits there, too."""
        landing = dice.uniform(*assumed.landing) if dice.random() < assumed.landing_share else 0.0
        self.service = HandshakeService(self.now)
        self.service.add_organization(ORGANIZATION, MANAGEMENT)
        self.service.add_organization(OTHER_ORGANIZATION, OTHER_MANAGEMENT)
        self.service.configure(accept_delay=timedelta(seconds=landing), describe_refused_to_standalone=True)
        if self.foreign:
            self._receive(OTHER_MANAGEMENT, f"h-{number:010d}theirs")

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.now)

    def dice(self, purpose: str) -> Random:
        """Chance of its own for every purpose: what happens to one account, or without a relay, changes no other's."""
        return Random(f"{self._seed} {purpose}")

    def list(self) -> None:
        """From now on the account's list shows the invitation that is to be accepted."""
        self._receive(MANAGEMENT, self.handshake_id)

    def _receive(self, management: str, handshake_id: str) -> None:
        self.service.choose_ids(handshake_id)
        target = {"Target": {"Type": "ACCOUNT", "Id": self.id}}
        self.service.call("InviteAccountToOrganization", management, target)

    @property
    def accepted_at(self) -> float | None:
        """When the service says that it was accepted."""
        found = self.service.handshake(self.handshake_id)
        if found.state is not State.ACCEPTED or found.finished_at is None:
            return None
        return (found.finished_at - START).total_seconds()

    @property
    def wrong(self) -> int:
        """Foreign invitations that were answered, and any that was accepted twice."""
        return sum(
            found.accept_effects > 1 or (found.organization_id != ORGANIZATION and found.finished_at is not None)
            for found in self.service.handshakes()
        )

    def reconcile(self, event: dict[str, Any], before: Before) -> Report:
        """What the function's handler does."""
        self.runs += 1
        deadline, dice = self._loop.now + TIMEOUT, self.dice(f"run {self.runs}")
        clock = Clock(
            now=self.now, remaining=lambda: deadline - self._loop.now, sleep=self._loop.sleep, random=dice.random
        )
        asked = OrganizationsClient(self.service, self.id)
        asked.before = lambda operation: before(dice, operation)
        client: Any = asked  # these three stand for botocore's clients, logger and metrics
        reads: Any = _Reads(self, before, dice)
        store = PolicyStore(reads, clock, PREFIX)
        names = _Names()
        both: Any = names
        telemetry = Telemetry(both, both, self.now)
        trigger = Trigger.from_event(event)

        def look(organizations: Organizations) -> Report:
            looker = StateReader(organizations, store, Inline(), clock, self.id, "aws")
            return Reconcile(organizations, looker, clock, telemetry.decision).run(trigger)

        report = PoliteSweeps(self.looks, client, store, clock, self.id).run(trigger, look)
        telemetry.run(report, trigger)
        self.metrics |= names.metric_set
        return report


class _Reads:
    """Parameter Store, as a run reads it."""

    def __init__(self, account: Invited, before: Before, dice: Random) -> None:
        self._account, self._before, self._dice = account, before, dice

    def get_parameters_by_path(self, **request: Any) -> dict[str, Any]:
        self._before(self._dice, "GetParametersByPath")
        return self._account.parameters.get_parameters_by_path(**request)


class _Names:
    """Stands for logger and metrics: keeps the names of the metrics that are sent."""

    def __init__(self) -> None:
        self.metric_set: set[str] = set()
        self.info = self.error = lambda *_, **__: None
        self.flush_metrics = lambda: None

    def add_metric(self, name: str, *_: object) -> None:
        self.metric_set.add(str(name))
