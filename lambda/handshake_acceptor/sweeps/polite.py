"""A run: a sweep that steps back where its list is throttled, or one that looks, as all others do. See `memory`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from handshake_acceptor.observed import LIST_UNREADABLE
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.snapshot import PolicySnapshot
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reporting.record import Report, Unlooked
from handshake_acceptor.sweeps.memory import LastLook, SweepMemory, gives_up, minute_of
from handshake_acceptor.trigger import Trigger, TriggerKind
from handshake_core import retry
from handshake_core.errors import classify

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient

NO_LOOK = "NO_LOOK"
"""The failure of a run whose process has not seen the account's list for two hours."""


class PoliteSweeps:
    """The runs of one process, for one account."""

    def __init__(
        self, memory: SweepMemory, client: OrganizationsClient, store: PolicyStore, clock: retry.Clock, account_id: str
    ) -> None:
        """`memory` is the process's, everything else one invocation's."""
        self._memory = memory
        self._client = client
        self._store = store
        self._clock = clock
        self._minute = minute_of(account_id)

    def run(self, trigger: Trigger, look: Callable[[Organizations], Report], *, insists: bool = False) -> Report:
        """What `look` finds; or, of a sweep that steps back, what the last look found.

        Nothing but a sweep that names no handshake ever steps back, and none that `insists`.
        """
        began = self._clock.now()
        self._memory.began = self._memory.began or began
        client, clock = self._client, self._clock
        steps_back = trigger.kind is TriggerKind.SWEEP and not trigger.handshake_id and not insists
        if steps_back:
            if skipped := self._skipped():
                return skipped
            patient = _Patient(client, clock)
            client = cast("OrganizationsClient", patient)
            clock = replace(clock, remaining=patient.remaining)
        report = look(Organizations(client, clock))
        if steps_back and patient.gave_up:
            return self._given_up(report)
        if not any(each.startswith(LIST_UNREADABLE) for each in (*report.failures, *report.postponed)):
            waiting = tuple(record for record in report.records if record.pending)
            self._memory.looked(began, LastLook(began, report.snapshot, waiting))
        return report

    def _skipped(self) -> Report | None:
        """A sweep that leaves the list alone; None if it is to look."""
        now, last = self._clock.now(), self._memory.last
        if last is None or not self._memory.skips(now, self._minute):
            return None
        try:
            snapshot = self._store.reading(patient=False).snapshot
        except retry.READ_FAILURES:
            return None  # the one that looks tries again, and says so
        if last.wants_another(snapshot, now):
            return None
        return Report((), (), 0, snapshot, unlooked=self._unlooked(skipped=True))

    def _given_up(self, looked: Report) -> Report:
        """A sweep whose list was throttled for too long. Its policy was not looked at, and may have a mistake."""
        now = self._clock.now()
        self._memory.gave_up(now, self._clock.random())
        failures = [NO_LOOK] if self._memory.is_blind(now) else []
        try:
            snapshot = self._store.read()
        except retry.READ_FAILURES as error:
            failures.append(f"POLICY_UNREADABLE {retry.error_code(error)}")
            snapshot = PolicySnapshot(Mode.OBSERVE, InvalidPolicy((), unreadable=True))
        postponed = (*looked.postponed, *looked.failures)
        return Report((), tuple(failures), 0, snapshot, postponed, self._unlooked(skipped=False))

    def _unlooked(self, *, skipped: bool) -> Unlooked:
        last = self._memory.last
        return Unlooked(skipped, last.at if last else None, last.waiting(self._clock.now()) if last else ())


class _Patient:
    """The Organizations client of one sweep, which gives its list up after `PATIENCE` seconds of throttling.

    On whichever page it is throttled: until all pages were served once, nothing rests on any. It does not retry. It
    tells the one retry layer, by `remaining`, that no time is left.
    """

    def __init__(self, client: OrganizationsClient, clock: retry.Clock) -> None:
        self.gave_up = False
        self._client: Any = client
        self._clock = clock
        self._longest_wait = replace(clock, random=lambda: 1.0).backoff
        self._throttled_at: datetime | None = None
        self._tries = 0
        self._served = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def remaining(self) -> float:
        """Seconds until the invocation is cut off; none where the list was given up."""
        return 0.0 if self.gave_up else self._clock.remaining()

    def list_handshakes_for_account(self, **kwargs: Any) -> dict[str, Any]:
        """Calls once, and gives up where the answer says so."""
        self._tries += 1
        try:
            answer: dict[str, Any] = self._client.list_handshakes_for_account(**kwargs)
        except ClientError as error:
            if classify(error).throttled and not self._served:
                now = self._clock.now()
                self._throttled_at = self._throttled_at or now
                waited = (now - self._throttled_at).total_seconds()
                self.gave_up = gives_up(waited, self._longest_wait(self._tries))
            raise
        self._tries = 0
        self._served = self._served or not answer.get("NextToken")
        return answer
