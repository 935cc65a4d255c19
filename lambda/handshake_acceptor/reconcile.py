"""One run: observe, decide, act in turns, record. Whatever woke it, it does the same.

Safe to repeat and to overlap with another run at every step. A call that changes something is sent only on evidence
that is young enough at that moment (`evidence`); what is too old is read, and everything is decided, again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from handshake_acceptor.observed import LIST_UNREADABLE, NOT_SEEN, ObservedState
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.plan import Plan, plan
from handshake_acceptor.reporting.record import Outcome, Record, Report
from handshake_acceptor.state import ListUnreadable, NoEvidence, StateReader
from handshake_acceptor.trigger import Trigger
from handshake_core import retry
from handshake_core.errors import DEADLINE, Failure, Remedy, classify
from handshake_core.handshake import Action, Handshake, InvalidHandshake, Reason, State


class SendState(Enum):
    """What is known of a run's attempts at one handshake, all of them together."""

    NOTHING = "none can have had an effect"
    BY_ANOTHER = "none had, for another run was faster"
    LOST = "one may have had: its answer was lost"
    ANSWERED = "one has had, or will have: it was answered"


@dataclass
class Turn:
    """One handshake that is to be acted on, and how far that has come."""

    plan: Plan
    due: datetime
    """When it may be acted on again."""
    sent: SendState = SendState.NOTHING
    sent_earlier: bool = False
    """Whether an earlier run of this process sent the same, and it may have had its effect since."""
    confirms: bool = False
    """Nothing more is sent: it is only looked at."""
    looks: int = 0
    alone: bool = True
    """Whether no other invitation of its organization was seen: then the account's own organization proves it."""
    failure: Failure | None = None
    """Of the last attempt, where seconds may cure it."""
    reasons: tuple[Reason, ...] = ()
    """Why nothing more is sent."""

    @property
    def may_move_account(self) -> bool:
        """Whether an attempt at it has, or may have, accepted an invitation."""
        return self.plan.is_invite and not self.plan.declines and self.sent is not SendState.NOTHING


@dataclass
class Memory:
    """What one process remembers from run to run. It may be lost at any time."""

    unconfirmed: dict[str, Turn] = field(default_factory=dict)
    """What was sent and not seen to succeed, by handshake id: the next run settles it first."""
    stands: set[tuple[str, str]] = field(default_factory=set)
    """(handshake id, organization) of joins that the account was given a minute to show, and did not."""


class Reconcile:
    """One run of the function for one account."""

    def __init__(
        self,
        organizations: Organizations,
        states: StateReader,
        clock: retry.Clock,
        emit: Callable[[Record], None],
        memory: Memory | None = None,
        run_id: str = "",
    ) -> None:
        """`emit` is called once for each decision, as soon as its outcome is known; `run_id` stands in each."""
        self._organizations = organizations
        self._states = states
        self._clock = clock
        self._emit = emit
        self._memory = Memory() if memory is None else memory
        self._run_id = run_id
        self._records: list[Record] = []

    def run(self, trigger: Trigger) -> Report:
        """Observes, decides, acts and records. What the other side did wrong is in the report, never raised."""
        self._trigger = trigger
        try:
            state = self._look()
            plans = [self._settle_earlier(each) for each in plan(state, trigger, self._clock.now())]
            for each in plans:
                if each.outcome is not None:
                    self._record(each)
            self._take_turns([self._turn(each) for each in plans if each.outcome is None])
        finally:
            self._states.close()
        failures, postponed = tuple(self._states.failures), tuple(self._states.postponed)
        return Report(tuple(self._records), failures, state.listed, state.snapshot, postponed)

    def _look(self) -> ObservedState:
        wanted = {self._trigger.handshake_id, *self._memory.unconfirmed} - {""}
        try:
            return self._states.look(wanted, self._memory.stands)
        except ListUnreadable as error:
            self._states.note(str(error), error.later)
            return self._states.unreadable(wanted, error)

    def _turn(self, planned: Plan) -> Turn:
        earlier = self._memory.unconfirmed.get(planned.handshake.id)
        same = earlier is not None and earlier.plan.declines is planned.declines
        return Turn(planned, due=self._clock.now(), sent_earlier=same)

    def _take_turns(self, turns: list[Turn]) -> None:
        """Each has its first attempt before any has its second, and then when its own backoff is over.

        A decline cannot be undone, and may rest on where the account is: none is sent while an accept of this run may
        yet move it.
        """
        for turn in turns:
            self._states.watch(turn.plan.handshake.id)
        while turns:
            # Turns stand in the order of their plans, and the first of those that are equal is taken.
            moving = any(each.may_move_account for each in turns)
            ready = [each for each in turns if not (moving and each.plan.declines)]
            turn = min(ready, key=lambda each: (each.plan.attempts > 0 or each.confirms, each.due))
            ended = self._take(turn)
            if ended is not None:
                turns.remove(turn)
                self._record(ended)
            if turn.may_move_account:
                unsure = ended is not None and ended.outcome is Outcome.ACCEPT_UNCONFIRMED
                for other in [each for each in turns if each is not turn]:
                    if unsure if other.plan.declines else other.plan.is_invite:
                        turns.remove(other)
                        self._record(self._unsettled(other, _MAY_MOVE if other.plan.declines else _ONE_INVITE_A_RUN))

    def _take(self, turn: Turn) -> Plan | None:
        """One attempt, or one look for a confirmation. None if there is to be another."""
        wait = max((turn.due - self._clock.now()).total_seconds(), 0.0)
        if not self._clock.has_time(wait):
            return self._out_of_time(turn)
        if wait:
            self._clock.sleep(wait)
        if not turn.confirms:
            try:
                return self._attempt(turn)
            except ListUnreadable as error:
                if turn.sent is SendState.NOTHING:
                    self._states.note(str(error), error.later)
                turn.reasons = (Reason(LIST_UNREADABLE, str(error)),)
            except NoEvidence as error:
                self._states.note(error.code, later=False)
                turn.reasons = (error.reason,)
            if turn.sent is SendState.NOTHING:
                return turn.plan.with_outcome(Outcome.RETRY_LATER, *turn.reasons)
            turn.confirms = True
        return self._confirm(turn)

    def _attempt(self, turn: Turn) -> Plan | None:
        """Decides again on evidence of this moment and, if it still is to be acted on, sends one call."""
        handshake_id = turn.plan.handshake.id
        seen = next(each for each in self._states.refresh().handshakes if each.id == handshake_id)
        if over := _terminal(turn, seen):
            return self._ended(turn, over)
        state = self._states.evidence()
        decided = {each.handshake.id: each for each in plan(state, self._trigger, self._clock.now())}[handshake_id]
        decided = replace(decided, attempts=turn.plan.attempts)
        if over := _terminal(turn, decided.handshake):
            return self._ended(turn, over)
        if decided.outcome is not None or decided.decision.kind is not turn.plan.decision.kind:
            return self._changed(turn, decided)
        if not self._clock.has_time():
            return self._out_of_time(turn)
        turn.plan = replace(decided, attempts=decided.attempts + 1)
        turn.alone = turn.alone and _is_alone(decided.handshake, state)
        send = self._organizations.decline if decided.declines else self._organizations.accept
        try:
            answer = send(handshake_id)
        except retry.CALL_FAILURES as error:
            return self._not_answered(turn, classify(error))
        self._states.after_call(changed=True)
        turn.sent, turn.confirms, turn.due = SendState.ANSWERED, True, self._clock.now()
        over = _terminal(turn, answer)
        return over and self._ended(turn, over)

    def _changed(self, turn: Turn, decided: Plan) -> Plan | None:
        """The decision changed during this run. Where it is another act now, the next run does that."""
        changed = Reason("DECISION_CHANGED", f"the decision became {decided.decision.kind} during this run")
        if turn.sent is SendState.LOST:
            turn.confirms, turn.reasons = True, (changed,)  # too late to take back: its effect may come yet
            return self._confirm(turn)
        return decided if decided.outcome is not None else decided.with_outcome(Outcome.RETRY_LATER, changed)

    def _not_answered(self, turn: Turn, failure: Failure) -> Plan | None:
        """What follows from an attempt that was not answered with success."""
        now = failure.remedy is Remedy.RETRY_NOW
        self._states.after_call(changed=failure.ambiguous or not now)
        if failure.ambiguous:
            turn.sent = SendState.LOST
        elif failure.code == "HandshakeAlreadyInStateException" and turn.sent is SendState.NOTHING:
            turn.sent = SendState.BY_ANOTHER
        if now:
            turn.failure = failure
            turn.due = self._clock.now() + timedelta(seconds=self._clock.backoff(turn.plan.attempts))
            return None
        turn.reasons = (failure.as_reason(),)
        if failure.remedy is Remedy.LOOK or turn.sent is SendState.LOST:
            turn.confirms, turn.due = True, self._clock.now()
            return None
        later = failure.remedy is Remedy.RETRY_LATER
        return turn.plan.with_outcome(Outcome.RETRY_LATER if later else Outcome.NEEDS_HUMAN, *turn.reasons)

    def _confirm(self, turn: Turn) -> Plan | None:
        """Looks once whether the handshake is over."""
        if over := _terminal(turn, self._fetch(turn)):
            return self._ended(turn, over)
        if turn.sent is SendState.NOTHING:
            return self._unsettled(turn, *turn.reasons)
        turn.looks += 1
        turn.due = self._clock.now() + timedelta(seconds=self._clock.backoff(turn.looks))
        return None

    def _fetch(self, turn: Turn) -> Handshake | InvalidHandshake:
        """The handshake as it is now. An organization can refuse every look at it as soon as it is joined."""
        wanted = turn.plan.handshake
        seen = self._states.fetch_one(wanted.id)
        if isinstance(seen, Handshake) or not isinstance(wanted, Handshake):
            return seen
        # The answer said that the invitation was accepted; what is missing is only that it has had its effect.
        answered = turn.sent is SendState.ANSWERED and turn.may_move_account and turn.alone
        if answered and self._states.organization() == wanted.organization_id:
            return replace(wanted, state=State.ACCEPTED)
        return seen

    def _out_of_time(self, turn: Turn) -> Plan:
        """No call may begin any more. The next run goes on."""
        if turn.confirms:
            return self._unsettled(turn, *turn.reasons)
        if turn.failure is None:
            self._states.note(DEADLINE, later=False)
            return self._unsettled(turn, Reason(DEADLINE, "there was no time left to try"))
        self._states.note(f"{DEADLINE} {turn.failure.code}", later=False)
        return self._unsettled(turn, turn.failure.as_reason())

    def _unsettled(self, turn: Turn, *reasons: Reason) -> Plan:
        """The next run settles it."""
        if turn.sent is not SendState.NOTHING:
            self._memory.unconfirmed[turn.plan.handshake.id] = turn
            if not turn.plan.declines:
                return turn.plan.with_outcome(Outcome.ACCEPT_UNCONFIRMED, *reasons, _UNCONFIRMED)
        return turn.plan.with_outcome(Outcome.RETRY_LATER, *reasons)

    def _ended(self, turn: Turn, ended: Plan) -> Plan:
        handshake = ended.handshake
        if turn.may_move_account and isinstance(handshake, Handshake) and handshake.state is State.ACCEPTED:
            self._states.joined(handshake)
        return ended

    def _settle_earlier(self, planned: Plan) -> Plan:
        """What became of a call that an earlier run of this process could not confirm."""
        turn = self._memory.unconfirmed.get(planned.handshake.id)
        if turn is None or planned.outcome is None:
            return planned  # it is still pending, and still to be acted on
        seen = planned.handshake if isinstance(planned.handshake, Handshake) else self._fetch(turn)
        if isinstance(seen, Handshake) and seen.state.pending:
            return planned  # decided anew; its effect may come yet, so it stays in mind
        over = _terminal(turn, seen)
        if over is None and self._clock.now() <= _expiry(turn.plan):
            return replace(self._unsettled(turn), attempts=0)
        del self._memory.unconfirmed[planned.handshake.id]
        if over is None:
            return planned
        confirmed = (_confirmed(turn.plan),) if over.outcome in (Outcome.ACCEPTED, Outcome.DECLINED) else ()
        return replace(over, attempts=0, reasons=tuple(dict.fromkeys(over.reasons + confirmed)))

    def _record(self, settled: Plan) -> None:
        assert settled.outcome is not None  # noqa: S101 - every plan that is recorded has ended
        if any(reason.code == NOT_SEEN for reason in settled.reasons) and settled.outcome is Outcome.RETRY_LATER:
            self._states.note("HINTED_HANDSHAKE_NOT_SEEN", later=False)
        if settled.outcome is Outcome.ACCEPT_UNCONFIRMED:
            self._states.note("ACCEPT_UNCONFIRMED", later=False)
        elif isinstance(settled.handshake, Handshake) and not settled.handshake.state.pending:
            self._memory.unconfirmed.pop(settled.handshake.id, None)
        record = Record(
            handshake=settled.handshake,
            decision=settled.decision,
            outcome=settled.outcome,
            reasons=settled.reasons,
            trigger=self._trigger,
            mode=settled.mode,
            attempts=settled.attempts,
            account_id=self._states.account_id,
            run_id=self._run_id,
        )
        self._records.append(record)
        self._emit(record)


def _is_alone(handshake: Handshake | InvalidHandshake, state: ObservedState) -> bool:
    """Whether no other invitation of its organization is shown."""
    others = (each for each in state.handshakes if isinstance(each, Handshake) and each.id != handshake.id)
    return isinstance(handshake, Handshake) and not any(
        each.action is Action.INVITE and each.organization_id == handshake.organization_id for each in others
    )


def _terminal(turn: Turn, seen: Handshake | InvalidHandshake) -> Plan | None:
    """What a handshake that is over means for a plan to act on it; None if it is not over."""
    planned, sent = turn.plan, turn.sent
    state = seen.state if isinstance(seen, Handshake) else None
    if state is None or state.pending:
        return None
    done = replace(planned, handshake=seen)
    wanted = State.DECLINED if planned.declines else State.ACCEPTED
    if state is wanted and (sent in _OURS or turn.sent_earlier):
        reasons = (_ANSWER_LOST,) if sent is SendState.LOST else () if sent in _OURS else (_confirmed(planned),)
        return done.with_outcome(Outcome.DECLINED if planned.declines else Outcome.ACCEPTED, *reasons)
    if state is State.ACCEPTED:
        return done.with_outcome(Outcome.ALREADY_ACCEPTED)
    reason = Reason("NOT_PENDING", f"it is {state} now", (("state", state.value),))
    return done.with_outcome(Outcome.LEFT_PENDING, reason)


def _confirmed(planned: Plan) -> Reason:
    call = "decline" if planned.declines else "accept"
    return Reason(f"{call.upper()}_CONFIRMED", f"an earlier run sent the {call}, and could not confirm it then")


def _expiry(planned: Plan) -> datetime:
    assert isinstance(planned.handshake, Handshake)  # noqa: S101 - nothing else is ever accepted
    return planned.handshake.expires_at


_OURS = (SendState.LOST, SendState.ANSWERED)
_ANSWER_LOST = Reason("ANSWER_LOST", "the answer to an attempt was lost, but the handshake shows that it succeeded")
_UNCONFIRMED = Reason("ACCEPT_UNCONFIRMED", "an accept was sent, but the handshake does not read ACCEPTED yet")
_MAY_MOVE = Reason("ACCEPT_UNCONFIRMED", "an accept that was sent may yet move the account, and this cannot be undone")
_ONE_INVITE_A_RUN = Reason("ONE_INVITE_A_RUN", "a run answers one invitation, and another came first")
