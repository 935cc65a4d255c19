"""What a run says about each handshake: one record a decision, in the log and in what the function answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from handshake_acceptor.policy.decide import Decision, DecisionKind
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.snapshot import PolicySnapshot
from handshake_acceptor.trigger import Trigger
from handshake_core.handshake import Handshake, InvalidHandshake, Reason

MORE_REASONS: Final = "MORE_REASONS"
"""The code of the reason that counts those of the decision that a record leaves out."""
_MOST_TOLD: Final = 20
"""Of a decision's Sids and reasons. A policy can have more than a line of the log and an event hold: 256 KB each."""


class Outcome(StrEnum):
    """What became of a handshake in this run."""

    ACCEPTED = "ACCEPTED"
    ALREADY_ACCEPTED = "ALREADY_ACCEPTED"
    """By another run, or by somebody else."""
    ACCEPT_UNCONFIRMED = "ACCEPT_UNCONFIRMED"
    """An accept was sent, and the handshake does not read `ACCEPTED` yet: the next run settles it."""
    OBSERVED = "OBSERVED"
    """Mode is `observe`: it would have been acted on."""
    DECLINED = "DECLINED"
    LEFT_PENDING = "LEFT_PENDING"
    """Left as it is."""
    RETRY_LATER = "RETRY_LATER"
    NEEDS_HUMAN = "NEEDS_HUMAN"


@dataclass(frozen=True, slots=True)
class Record:
    """One decision and what became of it. Nothing in it is an e-mail address, a name or a note."""

    handshake: Handshake | InvalidHandshake
    decision: Decision
    outcome: Outcome
    reasons: tuple[Reason, ...]
    trigger: Trigger
    mode: Mode
    attempts: int
    """Accept or decline calls that were sent."""
    account_id: str = ""
    run_id: str = ""
    """The invocation's request id, which finds the run in the log."""

    @property
    def pending(self) -> bool:
        """Whether the handshake still waits for an answer."""
        waits = self.handshake.state.pending if isinstance(self.handshake, Handshake) else not self.handshake.finished
        return waits and self.outcome not in (Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED, Outcome.DECLINED)

    @property
    def needs_person(self) -> bool:
        """Whether it waits for somebody: nothing that AWS does, and no later run, brings it further.

        A stranger's invitation that no statement speaks of, and one that a Deny leaves pending, need nobody.
        """
        if self.outcome is Outcome.NEEDS_HUMAN:
            return True
        if not self.pending or self.outcome not in (Outcome.LEFT_PENDING, Outcome.OBSERVED):
            return False
        if self.decision.kind is DecisionKind.INELIGIBLE and isinstance(self.handshake, InvalidHandshake):
            return True  # it may be the very one that is awaited
        return self.decision.near_miss or self.decision.kind in (DecisionKind.POLICY_INVALID, DecisionKind.ACCEPT)

    @property
    def summary(self) -> str:
        """One line for a person: what, why, what to do. As `plain_line` has it."""
        known = self.handshake if isinstance(self.handshake, Handshake) else None
        what = (
            f"{known.action} from {known.organization_id} of {known.management_account_id}" if known else "A handshake"
        )
        into = f" to account {self.account_id}" if self.account_id else ""
        since = f", sent {known.requested_at.isoformat(timespec='seconds')}" if known and known.requested_at else ""
        # What came of it stands after every statement that allows it; of what nothing matches the nearest is first.
        reasons = self._told
        told = reasons[:2] if self.decision.kind is DecisionKind.NO_MATCH else (*reasons[:1], *reasons[1:][-1:])
        why = "; ".join(reason.message.rstrip(".") for reason in told)
        return plain_line(f"{what}{into}{since}: {_SAID[self.outcome]}" + (f": {why}." if why else "."))

    @property
    def _told(self) -> tuple[Reason, ...]:
        """The reasons, of the decision's own the first ones. One that counts the others stands in their place."""
        others = self.decision.reasons[_MOST_TOLD:]
        if not others:
            return self.reasons
        count = len(others)
        text = f"and {count:,} more reason{'s' if count > 1 else ''}"
        more, left_out = Reason(MORE_REASONS, text, (("count", str(count)),)), frozenset(others[1:])
        return tuple(more if each == others[0] else each for each in self.reasons if each not in left_out)

    def as_dict(self) -> dict[str, Any]:
        """The decision log record; null where a handshake that cannot be believed does not say.

        It names twenty statements at most; what is decided rests on all.
        """
        known = self.handshake if isinstance(self.handshake, Handshake) else None
        return {
            "handshake_id": self.handshake.id or None,
            "account_id": self.account_id or None,
            "action": known.action.value if known else None,
            "organization_id": known.organization_id if known else None,
            "management_account_id": known.management_account_id if known else None,
            "state": known.state.value if known else None,
            "since": known.requested_at.isoformat() if known and known.requested_at else None,
            "expires_at": known.expires_at.isoformat() if known else None,
            "decision": self.decision.kind.value,
            "outcome": self.outcome.value,
            "sids": list(self.decision.sids[:_MOST_TOLD]),
            "reasons": [reason.as_dict() for reason in self._told],
            "policy_version": self.decision.policy_version or None,
            "mode": self.mode.value,
            "trigger": self.trigger.kind.value,
            "attempts": self.attempts,
            "needs_person": self.needs_person,
            "near_miss": self.decision.near_miss,
            "summary": self.summary,
            "run_id": self.run_id or None,
        }


def plain_line(text: str) -> str:
    """A line for a person, of 600 characters at most.

    It has no character that JSON escapes: it is put into the texts of others as it is.
    """
    printable = "".join(each if each.isprintable() else " " for each in text)
    line = " ".join(printable.replace('"', "'").replace("\\", "/").split())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


_LONGEST_LINE = 600
_SAID = {
    Outcome.ACCEPTED: "accepted",
    Outcome.ALREADY_ACCEPTED: "was accepted already",
    Outcome.ACCEPT_UNCONFIRMED: "accepted, and not seen to be yet; the next run looks again",
    Outcome.OBSERVED: "would be acted on, but the mode is observe; release the brake when it is to happen",
    Outcome.DECLINED: "declined",
    Outcome.LEFT_PENDING: "left pending",
    Outcome.RETRY_LATER: "not settled yet; a later run tries again",
    Outcome.NEEDS_HUMAN: "needs a person",
}


@dataclass(frozen=True, slots=True)
class Unlooked:
    """What a sweep has to say that did not see the account's list."""

    skipped: bool
    """Whether it did not ask for it."""
    last_look: datetime | None
    """When the last run of this process began that saw it."""
    records: tuple[Record, ...] = ()
    """What that one said of those that still wait."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found and did."""

    records: tuple[Record, ...]
    failures: tuple[str, ...]
    """What a minute may cure: the run must end as failed."""
    listed: int
    snapshot: PolicySnapshot
    postponed: tuple[str, ...] = ()
    """What AWS wants to be asked later: no failure of the run."""
    unlooked: Unlooked | None = None
    """None where the run looked, or tried with all its might."""
