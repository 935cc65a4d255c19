"""What was read and when, and the one place that says whether it may be acted on. Pure.

A call that changes something rests on handshakes, account and policy as they stand now. AWS has no snapshot of the
three and can take seconds for each answer, so every reading has a time, and time is the only criterion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handshake_acceptor.observed import Listing
from handshake_acceptor.policy.snapshot import Reading
from handshake_core.handshake import Account, Reason

YOUNG = timedelta(seconds=20)
"""How long after it arrived an answer is young. A Deny that is older than this is never overlooked."""
JUST_READ = timedelta(seconds=2)
"""How long after it ended a reading of the policy may be acted on."""


def is_young(arrived_at: datetime | None, now: datetime) -> bool:
    """Whether an answer that arrived then is at most `YOUNG` old at `now`, when a reading of the policy begins."""
    return arrived_at is not None and now - arrived_at <= YOUNG


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """The account as it answered, and when."""

    account: Account
    failure: Reason | None = None
    """Why its organization could not be found out."""
    arrived_at: datetime | None = None
    """None if it was not asked for."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The account's handshakes and the account itself."""

    listed: Listing
    answer: AccountAnswer
    settled: bool = True
    """Whether the account shows the invitations that read as accepted, or had its minute to."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an act may rest on."""

    observation: Observation | None = None
    reading: Reading | None = None
    """The last reading of policy and mode; None if it failed."""
    before: Reading | None = None
    """The reading before it; None if there was none, or it failed."""
    changed: bool = False
    """Whether something may have been changed since the observation."""
    spent: bool = False
    """Whether the policy is to be read again in any case: the last reading began before all else was observed, or a
    call was sent on it already."""

    def is_young(self, now: datetime) -> bool:
        """Whether a reading of the policy that begins at `now` completes it."""
        seen = self.observation
        if seen is None or self.changed:
            return False
        return is_young(seen.listed.arrived_at, now) and is_young(seen.answer.arrived_at, now)

    def permits(self, now: datetime) -> bool:
        """Whether a call that changes something may be sent at `now`."""
        seen, policy = self.observation, self.reading
        if seen is None or not seen.settled or seen.answer.arrived_at is None or self.changed:
            return False
        if policy is None or self.spent:
            return False
        # A page each from two moments is a policy that never was: two readings with the same stamps are one that was,
        # when the first of them began. So that must not be long ago either.
        before = self.before
        twice = before is not None and before.stamps == policy.stamps and policy.began - before.began <= YOUNG
        whole = policy.pages == 1 or twice
        arrived = (seen.listed.arrived_at, seen.answer.arrived_at)
        return (
            whole
            and policy.began >= max(arrived)
            and policy.began - min(arrived) <= YOUNG
            and timedelta(0) <= now - policy.began <= YOUNG
            and timedelta(0) <= now - policy.ended <= JUST_READ
        )

    def observed(self, observation: Observation) -> Evidence:
        """The same with a newer observation."""
        return replace(self, observation=observation, changed=False, spent=True)

    def with_reading(self, reading: Reading | None, *, early: bool = False) -> Evidence:
        """The same with a newer reading of the policy; None if it failed. `early`: it began before the observation."""
        return replace(self, reading=reading, before=self.reading, spent=early)

    def after_call(self, *, changed: bool) -> Evidence:
        """The same after a call was sent on it; `changed` if that had an effect, or may have had one."""
        return replace(self, spent=True, changed=self.changed or changed)
