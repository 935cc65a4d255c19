"""One run: look at the world, decide, act, record. Whatever woke it, it does the same.

Safe to repeat and to overlap with another run at every step. Nothing is accepted on a policy that was read before a
wait: before every further attempt the handshakes, the policy and the account are read, and all is decided, again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.plan import Plan, plan
from handshake_acceptor.record import Outcome, Record, Report
from handshake_acceptor.state import LIST_UNREADABLE, NOT_SEEN, ListUnreadable, StateReader
from handshake_acceptor.trigger import Trigger
from handshake_core import retry
from handshake_core.errors import Failure, Remedy, classify
from handshake_core.handshake import Handshake, InvalidHandshake, Reason, State

DEADLINE = "DEADLINE"
"""The failure of a run that had no time left for something that seconds cure."""


class Reconcile:
    """One run of the function for one account."""

    def __init__(
        self,
        organizations: Organizations,
        looker: StateReader,
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
                text = "a run answers one invitation, and another came first"
                settled = each.ended(Outcome.RETRY_LATER, Reason("ONE_INVITE_A_RUN", text))
            elif each.outcome is None:
                settled = self._act(each)
                self._looker.expire()
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
        current, sent = planned, Sent.NOTHING
        self._wanted.add(planned.handshake.id)
        try:
            for attempt in retry.retrying(self._clock, retry.is_retry_now):
                with attempt:
                    if self._looker.is_stale and self._clock.has_time():
                        current = self._again(current, sent)
                        if current.outcome is not None:
                            return current
                    if not self._clock.has_time():
                        self._failures.append(DEADLINE)
                        return _unsettled(current, sent, Reason(DEADLINE, "there was no time left to try"))
                    current = replace(current, attempts=current.attempts + 1)
                    try:
                        answer = send(current.handshake.id)
                    except retry.CALL_FAILURES as error:
                        if classify(error).ambiguous:
                            sent = Sent.LOST
                        raise
                    return _over(current, answer, Sent.ANSWERED) or self._await(current, Sent.ANSWERED)
        except ListUnreadable as error:
            settled = self._await(current, sent, Reason(LIST_UNREADABLE, str(error)))
            if settled.outcome is Outcome.RETRY_LATER:
                self._failures.append(str(error))
            return settled
        except retry.CALL_FAILURES as error:
            return self._refused(current, classify(error), sent)
        raise AssertionError("unreachable: the attempts return or raise")

    def _again(self, current: Plan, sent: Sent) -> Plan:
        """Looks and decides again, as if for the first time. Has an outcome unless it is to be sent (again)."""
        view = self._looker.look(self._wanted)
        while self._looker.is_stale and self._clock.has_time():
            view = self._looker.look(self._wanted)
        plans = {each.handshake.id: each for each in plan(view, self._trigger, self._clock.now())}
        decided = replace(plans[current.handshake.id], attempts=current.attempts)
        if over := _over(current, decided.handshake, sent):
            return over
        if decided.outcome is None and decided.decision.kind is current.decision.kind:
            return decided
        changed = Reason("DECISION_CHANGED", f"the decision became {decided.decision.kind} during this run")
        if sent is Sent.LOST:
            return self._await(current, sent, changed)  # too late to take back: its effect may come yet
        # Where it should be something else, the next run does that.
        return decided if decided.outcome is not None else decided.ended(Outcome.RETRY_LATER, changed)

    def _refused(self, planned: Plan, failure: Failure, sent: Sent) -> Plan:
        """What is left when the last attempt was not answered with success."""
        reason = _failed(failure)
        if failure.remedy is Remedy.RETRY_NOW:
            self._failures.append(f"{DEADLINE} {failure.code}")
            return _unsettled(planned, sent, reason)
        if failure.code == "HandshakeAlreadyInStateException" and sent is Sent.NOTHING:
            sent = Sent.BY_ANOTHER
        if failure.remedy is Remedy.LOOK or sent is Sent.LOST:
            return self._await(planned, sent, reason)
        later = failure.remedy is Remedy.RETRY_LATER
        return planned.ended(Outcome.RETRY_LATER if later else Outcome.NEEDS_HUMAN, reason)

    def _await(self, planned: Plan, sent: Sent, *reasons: Reason) -> Plan:
        """Looks until the handshake is over or, where something was sent, until the deadline."""

        def goes_on(seen: Handshake | InvalidHandshake) -> bool:
            return sent is not Sent.NOTHING and _over(planned, seen, sent) is None

        if not self._clock.has_time():
            return _unsettled(planned, sent, *reasons)
        seen = retry.until(self._clock, lambda: self._sight(planned, sent), goes_on)
        return _over(planned, seen, sent) or _unsettled(planned, sent, *reasons)

    def _sight(self, planned: Plan, sent: Sent) -> Handshake | InvalidHandshake:
        """The handshake as it is now. An organization can refuse every look at it as soon as it is joined."""
        seen = self._looker.sight(planned.handshake.id)
        if isinstance(seen, Handshake) or not isinstance(planned.handshake, Handshake):
            return seen
        # The answer said that the invitation was accepted; what is missing is only that it has had its effect.
        answered = sent is Sent.ANSWERED and planned.is_invite and not planned.declines
        if answered and self._looker.organization() == planned.handshake.organization_id:
            return replace(planned.handshake, state=State.ACCEPTED)
        return seen


class Sent(Enum):
    """What is known of a run's attempts at one handshake, all of them together."""

    NOTHING = "none can have had an effect"
    BY_ANOTHER = "none had, for another run was faster"
    LOST = "one may have had: its answer was lost"
    ANSWERED = "one has had, or will have: it was answered"


def _over(planned: Plan, seen: Handshake | InvalidHandshake, sent: Sent) -> Plan | None:
    """What a handshake that is over means for a plan to act on it; None if it is not over."""
    state = seen.state if isinstance(seen, Handshake) else None
    if state is None or state.pending:
        return None
    done = replace(planned, handshake=seen)
    if state is (State.DECLINED if planned.declines else State.ACCEPTED) and sent in (Sent.LOST, Sent.ANSWERED):
        reasons = (_ANSWER_LOST,) if sent is Sent.LOST else ()
        return done.ended(Outcome.DECLINED if planned.declines else Outcome.ACCEPTED, *reasons)
    if state is State.ACCEPTED:
        return done.ended(Outcome.ALREADY_ACCEPTED)
    return done.ended(Outcome.LEFT_PENDING, Reason("NOT_PENDING", f"it is {state} now", (("state", state.value),)))


_ANSWER_LOST = Reason("ANSWER_LOST", "the answer to an attempt was lost, but the handshake shows that it succeeded")


def _unsettled(planned: Plan, sent: Sent, *reasons: Reason) -> Plan:
    """The next run settles it."""
    if sent is Sent.NOTHING or planned.declines:
        return planned.ended(Outcome.RETRY_LATER, *reasons)
    text = "an accept was sent, but the handshake does not read ACCEPTED yet"
    return planned.ended(Outcome.ACCEPT_UNCONFIRMED, *reasons, Reason("ACCEPT_UNCONFIRMED", text))


def _failed(failure: Failure) -> Reason:
    facts = (("reason", failure.reason),) if failure.reason else ()
    return Reason(failure.code, failure.advice or "AWS answers this for now", facts)
