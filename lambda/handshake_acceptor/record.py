"""What a run says about each handshake: one record a decision, in the log and in what the function answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handshake_acceptor.policy.decide import Decision
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.snapshot import PolicySnapshot
from handshake_acceptor.trigger import Trigger
from handshake_core.handshake import Handshake, InvalidHandshake, Reason


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

    @property
    def pending(self) -> bool:
        """Whether the handshake still waits for an answer."""
        waits = self.handshake.state.pending if isinstance(self.handshake, Handshake) else not self.handshake.finished
        return waits and self.outcome not in (Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED, Outcome.DECLINED)

    def as_dict(self) -> dict[str, Any]:
        """The decision log record; null where a handshake that cannot be believed does not say."""
        known = self.handshake if isinstance(self.handshake, Handshake) else None
        return {
            "handshake_id": self.handshake.id or None,
            "action": known.action.value if known else None,
            "organization_id": known.organization_id if known else None,
            "management_account_id": known.management_account_id if known else None,
            "state": known.state.value if known else None,
            "expires_at": known.expires_at.isoformat() if known else None,
            "decision": self.decision.kind.value,
            "outcome": self.outcome.value,
            "sids": list(self.decision.sids),
            "reasons": [reason.as_dict() for reason in self.reasons],
            "policy_version": self.decision.policy_version or None,
            "mode": self.mode.value,
            "trigger": self.trigger.kind.value,
            "attempts": self.attempts,
        }


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
