"""One run: look at the world, decide, act, record. Whatever woke it, it does the same.

Safe to repeat and to overlap with another run at every step. Nothing is accepted on what was seen before a wait:
before every further attempt the handshakes, the policy and the account are read, and all is decided, again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from handshake_acceptor import retry
from handshake_acceptor.errors import Answer, Failure, classify
from handshake_acceptor.handshake import Handshake, Reason, State, Unusable
from handshake_acceptor.look import LIST_UNREADABLE, NOT_SEEN, ListUnreadable, Looker
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.plan import Plan, plan
from handshake_acceptor.record import Outcome, Record, Report
from handshake_acceptor.trigger import Trigger


class Reconcile:
    """One run of the function for one account."""

    def __init__(
        self,
        organizations: Organizations,
        looker: Looker,
        clock: retry.Clock,
        emit: Callable[[Record], None],
    ) -> None:
        """`emit` is called once for each decision, as soon as its outcome is known."""
        self._organizations = organizations
        self._looker = looker
        self._clock = clock
        self._emit = emit
        self._records: list[Record] = []
        self._failures: list[str] = []

    def run(self, trigger: Trigger) -> Report:
        """Looks, decides, acts and records. What the other side did wrong is in `Report.failures`, never raised."""
        self._trigger = trigger
        self._wanted = {trigger.handshake_id} - {""}
        try:
            view = self._looker.look(self._wanted)
        except ListUnreadable as error:
            self._failures.append(str(error))
            view = self._looker.blind(self._wanted, error)
        moved = False
        for each in plan(view, trigger, self._clock.now()):
            settled = each
            moves = each.outcome is None and each.is_invite and not each.declines
            if moves and moved:
                settled = each.ended(
                    Outcome.RETRY_LATER, Reason("ONE_INVITE_A_RUN", "another was accepted in this run")
                )
            elif each.outcome is None:
                settled = self._act(each)
                untouched = settled.outcome in (Outcome.LEFT_PENDING, Outcome.OBSERVED, Outcome.NEEDS_HUMAN)
                moved = moved or (moves and not untouched)
            self._settle(settled)
        failures = tuple(dict.fromkeys([*self._looker.failures, *self._failures]))
        return Report(tuple(self._records), failures, view.listed, view.snapshot)

    def _settle(self, settled: Plan) -> None:
        assert settled.outcome is not None  # noqa: S101 - every plan that is left to settle has ended
        if any(reason.code == NOT_SEEN for reason in settled.reasons) and settled.outcome is Outcome.RETRY_LATER:
            self._failures.append("HINTED_HANDSHAKE_NOT_SEEN")
        if settled.outcome is Outcome.ACCEPT_UNCONFIRMED:
            self._failures.append("ACCEPT_UNCONFIRMED")
        record = Record(
            handshake=settled.handshake,
            decision=settled.decision,
            outcome=settled.outcome,
            reasons=settled.reasons,
            trigger=self._trigger,
            mode=settled.mode,
            attempts=settled.attempts,
        )
        self._records.append(record)
        self._emit(record)

    def _act(self, planned: Plan) -> Plan:
        """Accepts or declines, with retries until the deadline, and says what became of it."""
        send = self._organizations.decline if planned.declines else self._organizations.accept
        current, sent, lost = planned, 0, False
        self._wanted.add(planned.handshake.id)
        try:
            for attempt in retry.retrying(self._clock, retry.is_retry_now):
                with attempt:
                    if sent or self._looker.is_stale:
                        current = replace(self._again(current, lost), attempts=sent)
                        if current.outcome is not None or current.decision.kind is not planned.decision.kind:
                            return _stopped(current)
                    sent += 1
                    current = replace(current, attempts=sent)
                    try:
                        answer = send(current.handshake.id)
                    except retry.CALL_FAILURES as error:
                        lost = lost or classify(error).ambiguous
                        raise
                    return current.ended(Outcome.DECLINED) if current.declines else self._confirm(current, answer)
        except ListUnreadable as error:
            self._failures.append(str(error))
            return _unsettled(current, lost, Reason(LIST_UNREADABLE, str(error)))
        except retry.CALL_FAILURES as error:
            return self._refused(current, classify(error), lost)
        raise AssertionError("unreachable: the attempts return or raise")

    def _again(self, planned: Plan, lost: bool) -> Plan:
        """Looks and decides again, as if for the first time. `lost`: an attempt of ours may have had its effect."""
        try:
            view = self._looker.look(self._wanted)
        except ListUnreadable:
            if lost and (over := _over(planned, self._looker.describe(planned.handshake.id), _ANSWER_LOST)):
                return over
            raise
        plans = {each.handshake.id: each for each in plan(view, self._trigger, self._clock.now())}
        current = plans[planned.handshake.id]
        if over := _over(planned, current.handshake, _ANSWER_LOST if lost else None):
            return over
        if lost and isinstance(current.handshake, Unusable):
            return _unsettled(planned, lost, *current.reasons)
        return current

    def _confirm(self, planned: Plan, answer: Handshake | Unusable) -> Plan:
        """An accept that was answered is not yet one that was seen: AWS can answer before it reads `ACCEPTED`."""
        seen = answer if _state(answer) is State.ACCEPTED else self._watch(planned.handshake.id)
        if _state(seen) is State.ACCEPTED:
            return replace(planned, handshake=seen).ended(Outcome.ACCEPTED)
        return _over(planned, seen, None) or _unsettled(planned, lost=True)

    def _refused(self, planned: Plan, failure: Failure, lost: bool) -> Plan:
        """What is left when the last attempt was not answered with success."""
        reason = _failed(failure)
        if failure.answer is Answer.RETRY_NOW:
            self._failures.append(f"DEADLINE {failure.code}")
            return _unsettled(planned, lost, reason)
        if failure.answer is Answer.LOOK or lost:
            # Two runs at the same moment: the other's accept may not be visible yet.
            waits = lost or failure.code == "HandshakeAlreadyInStateException"
            seen = self._watch(planned.handshake.id) if waits else self._looker.sight(planned.handshake.id)
            over = _over(planned, seen, _ANSWER_LOST if lost else None)
            return over or _unsettled(planned, waits, reason)
        later = failure.answer is Answer.RETRY_LATER
        return planned.ended(Outcome.RETRY_LATER if later else Outcome.NEEDS_HUMAN, reason)

    def _watch(self, handshake_id: str) -> Handshake | Unusable:
        """Looks until the handshake is over, or until the deadline."""

        def is_open(seen: Handshake | Unusable) -> bool:
            return not isinstance(seen, Handshake) or seen.state.pending

        return retry.until(self._clock, lambda: self._looker.sight(handshake_id), is_open)


_ANSWER_LOST = Reason("ANSWER_LOST", "the answer to an attempt was lost, but the handshake shows that it succeeded")


def _over(planned: Plan, seen: Handshake | Unusable, lost: Reason | None) -> Plan | None:
    """What a handshake that is over means for a plan to act on it; None if it is not over.

    `lost` is given where an attempt of ours may have been what ended it.
    """
    state = _state(seen)
    if state is None or state.pending:
        return None
    done = replace(planned, handshake=seen)
    if state is State.ACCEPTED and lost and not planned.declines:
        return done.ended(Outcome.ACCEPTED, lost)
    if state is State.ACCEPTED:
        return done.ended(Outcome.ALREADY_ACCEPTED)
    if state is State.DECLINED and lost and planned.declines:
        return done.ended(Outcome.DECLINED, lost)
    return done.ended(Outcome.LEFT_PENDING, Reason("NOT_PENDING", f"it is {state} now", (("state", state.value),)))


def _unsettled(planned: Plan, lost: bool, *reasons: Reason) -> Plan:
    """The next run settles it."""
    if lost and not planned.declines:
        text = "an accept was sent, but the handshake does not read ACCEPTED yet"
        return planned.ended(Outcome.ACCEPT_UNCONFIRMED, *reasons, Reason("ACCEPT_UNCONFIRMED", text))
    return planned.ended(Outcome.RETRY_LATER, *reasons)


def _stopped(current: Plan) -> Plan:
    """A plan that is no longer what it was begun as; where it should be something else, the next run does that."""
    if current.outcome is not None:
        return current
    return current.ended(Outcome.RETRY_LATER, Reason("DECISION_CHANGED", "the decision changed during this run"))


def _failed(failure: Failure) -> Reason:
    facts = (("reason", failure.reason),) if failure.reason else ()
    return Reason(failure.code, failure.advice or "AWS answers this for now", facts)


def _state(handshake: Handshake | Unusable) -> State | None:
    return handshake.state if isinstance(handshake, Handshake) else None
