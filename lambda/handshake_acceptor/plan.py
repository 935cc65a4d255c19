"""What becomes of each handshake of an observed state: decided by policy and mode, all of them together. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from handshake_acceptor.observed import LIST_UNREADABLE, NOT_SEEN, NOT_SEEN_FOR_NOW, ObservedState
from handshake_acceptor.policy.decide import Decision, DecisionKind, decide
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.reporting.record import Outcome
from handshake_acceptor.trigger import Trigger
from handshake_core.handshake import Action, Handshake, InvalidHandshake, Reason, State

_ACCOUNT_UNKNOWN = "CURRENT_ORGANIZATION_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided about one handshake and, unless it is to be acted on, what becomes of it."""

    handshake: Handshake | InvalidHandshake
    decision: Decision
    outcome: Outcome | None
    reasons: tuple[Reason, ...]
    mode: Mode
    attempts: int = 0

    @property
    def is_invite(self) -> bool:
        """Whether accepting it would move the account."""
        return isinstance(self.handshake, Handshake) and self.handshake.action is Action.INVITE

    @property
    def declines(self) -> bool:
        """Whether to act on it is to decline it."""
        return self.decision.kind is DecisionKind.DECLINE

    def with_outcome(self, outcome: Outcome, *reasons: Reason) -> Plan:
        """The same, with what became of it and why."""
        return replace(self, outcome=outcome, reasons=self.reasons + reasons)


def plan(state: ObservedState, trigger: Trigger, now: datetime) -> list[Plan]:
    """Decides every handshake of an observed state. Plans without an outcome are to be acted on, in this order."""
    plans = [_plan_one(handshake, state, trigger, now) for handshake in state.handshakes]
    invited_by = {
        each.handshake.organization_id
        for each in plans
        if isinstance(each.handshake, Handshake) and each.is_invite and each.decision.kind is DecisionKind.ACCEPT
    }
    if len(invited_by) > 1:
        # An account can be in one organization only, and accepting a second invitation would move it again.
        text = "invitations from several organizations are allowed at once: allow one, or cancel the others"
        reason = Reason("AMBIGUOUS", text, (("seen", tuple(sorted(invited_by))),))
        plans = [
            each.with_outcome(Outcome.NEEDS_HUMAN, reason)
            if each.is_invite and each.decision.kind is DecisionKind.ACCEPT
            else each
            for each in plans
        ]
    # Joining changes what this account may accept, so invitations come after what else is accepted; what cannot be
    # undone comes last.
    return sorted(plans, key=lambda each: (each.declines, each.is_invite))


def _plan_one(handshake: Handshake | InvalidHandshake, state: ObservedState, trigger: Trigger, now: datetime) -> Plan:
    decision = decide(handshake, state.snapshot.policy, state.account, now)
    mode = state.snapshot.mode
    undecided = Plan(handshake, decision, None, decision.reasons, mode)
    codes = {reason.code for reason in decision.reasons}
    if decision.kind in (DecisionKind.ACCEPT, DecisionKind.DECLINE):
        return undecided if mode is Mode.ENFORCE else undecided.with_outcome(Outcome.OBSERVED)
    if isinstance(handshake, Handshake) and handshake.state is State.ACCEPTED:
        return undecided.with_outcome(Outcome.ALREADY_ACCEPTED)
    if _ACCOUNT_UNKNOWN in codes and state.account_failure:
        undecided = replace(undecided, reasons=(*undecided.reasons, state.account_failure))
    later = (
        codes & {_ACCOUNT_UNKNOWN, LIST_UNREADABLE, NOT_SEEN_FOR_NOW}
        or (NOT_SEEN in codes and trigger.is_young(now))
        or (decision.kind is DecisionKind.POLICY_INVALID and state.snapshot.unreadable)
    )
    return undecided.with_outcome(Outcome.RETRY_LATER if later else Outcome.LEFT_PENDING)
