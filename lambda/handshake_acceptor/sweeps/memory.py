"""When a sweep leaves the account's list alone: what one process remembers of its looks, and what follows. Pure.

All accounts of an organization share 6 `ListHandshakesForAccount` a second ("Throttling limits" of
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html): enough for 1,800 members that
sweep every five minutes. Beyond that, sweeps that insist only keep each other from looking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from handshake_acceptor.policy.decide import Policy
from handshake_acceptor.policy.snapshot import PolicySnapshot
from handshake_acceptor.reporting.record import Outcome, Record
from handshake_core.handshake import Handshake

PATIENCE = 8.0
"""Seconds within which a sweep's list is asked for again while it is throttled: with the last call less than ten."""
POLITE = timedelta(hours=12)
"""How long a process stays polite, half of it more or less by chance: not all try again at the same time."""
BLIND = timedelta(hours=2)
"""A process that has not seen its list for so long fails every run, until it has."""
LONGEST_PERIOD = 9
"""Minutes between sweeps. Lambda keeps a process that nobody uses for little longer, and whoever forgets would step
back anew with every sweep, unheard: beyond this a sweep insists like every other run."""
_HOUR = 3600
_TRIED_AGAIN = (Outcome.RETRY_LATER, Outcome.ACCEPT_UNCONFIRMED, Outcome.NEEDS_HUMAN)


def gives_up(waited: float, longest_wait: float) -> bool:
    """Whether a sweep stops asking: its next wait could end more than `PATIENCE` seconds after the first throttling."""
    return waited + longest_wait > PATIENCE


def minute_of(account_id: str) -> int:
    """The minute of the hour at which a polite process looks. The accounts of an organization are spread over all."""
    return crc32(account_id.encode()) % 60


@dataclass(frozen=True, slots=True)
class LastLook:
    """What the last run came to that saw the account's list."""

    at: datetime
    """When it began."""
    snapshot: PolicySnapshot
    """What it decided by."""
    records: tuple[Record, ...]
    """Of what still waited when it ended."""

    def waiting(self, now: datetime) -> tuple[Record, ...]:
        """The records of what has not expired since."""
        return tuple(
            each
            for each in self.records
            if not isinstance(each.handshake, Handshake) or each.handshake.expires_at > now
        )

    def wants_another(self, snapshot: PolicySnapshot, now: datetime) -> bool:
        """Whether to skip the list could delay something: what waits is to be tried again, or is decided otherwise now.

        The event that tells of a change of policy or mode may be lost, and none tells that a statement's time has come.
        """
        if snapshot != self.snapshot or any(each.outcome in _TRIED_AGAIN for each in self.records):
            return True
        return bool(self.records) and any(self.at < edge <= now for edge in _edges(snapshot))


@dataclass(slots=True)
class SweepMemory:
    """What one process remembers of its looks. It may be lost at any time: a new process looks, until it has looked.

    The wall clock may be set back between two runs. What was seen at a time that is still to come says nothing.
    """

    began: datetime | None = None
    """When its first run began."""
    looked_at: datetime | None = None
    """When the last run began that saw the list."""
    polite_until: datetime | None = None
    last: LastLook | None = None

    def skips(self, now: datetime, minute: int) -> bool:
        """Whether a sweep that begins at `now` leaves the list alone: it has been seen since that minute was last."""
        if self.looked_at is None or self.polite_until is None or now >= self.polite_until:
            return False
        since = (now.timestamp() - 60 * minute) % _HOUR
        return 0 <= (now - self.looked_at).total_seconds() <= since

    def looked(self, at: datetime, last: LastLook | None = None) -> None:
        """A run that began at that time has seen the list."""
        self.looked_at, self.last = at, last

    def gave_up(self, now: datetime, chance: float) -> None:
        """A sweep's list was throttled until it gave up; `chance` is uniform in [0, 1)."""
        self.polite_until = now + POLITE * (0.5 + chance)

    def is_blind(self, now: datetime) -> bool:
        """Whether this has to be heard."""
        seen = self.looked_at or self.began
        return seen is not None and not timedelta(0) <= now - seen < BLIND


def _edges(snapshot: PolicySnapshot) -> Iterable[datetime]:
    """When what the policy says changes by itself."""
    statements = snapshot.policy.statements if isinstance(snapshot.policy, Policy) else ()
    return (edge for each in statements for edge in (each.not_before, each.not_after) if edge is not None)
