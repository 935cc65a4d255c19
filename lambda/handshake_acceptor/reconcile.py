"""One run: look at the world, decide, act, record. Whatever woke it, it does the same.

Safe to repeat and to overlap with another run at every step. Nothing is accepted on what was seen before a wait:
before every further attempt the handshakes, the policy and the account are read, and all is decided, again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from handshake_acceptor import retry
from handshake_acceptor.errors import Answer, Failure, classify
from handshake_acceptor.handshake import Account, Action, Handshake, Reason, State, Unusable, unusable
from handshake_acceptor.organizations import Organizations, unknown_account
from handshake_acceptor.policy import Decision, DecisionKind, InvalidPolicy, PolicyError, decide
from handshake_acceptor.policy_documents import Mode
from handshake_acceptor.policy_store import PolicyStore, Snapshot
from handshake_acceptor.record import Outcome, Record, Report
from handshake_acceptor.trigger import Trigger

_NOT_SEEN = "NOT_SEEN"
_LIST_UNREADABLE = "LIST_UNREADABLE"


class ListUnreadable(Exception):
    """The account's own handshakes could not be listed."""


@dataclass(frozen=True, slots=True)
class View:
    """The world as one look showed it."""

    handshakes: tuple[Handshake | Unusable, ...]
    """Those that may still be answered, and those that were asked for in whatever state; the most urgent first."""
    snapshot: Snapshot
    account: Account
    listed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided about one handshake and, unless it is to be acted on, what becomes of it."""

    handshake: Handshake | Unusable
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

    def ended(self, outcome: Outcome, *reasons: Reason) -> Plan:
        """The same, with what became of it and why."""
        return replace(self, outcome=outcome, reasons=self.reasons + reasons)


def plan(view: View, trigger: Trigger, now: datetime) -> list[Plan]:
    """Decides every handshake of a view. Pure. Plans without an outcome are to be acted on, in this order."""
    plans = [_plan_one(handshake, view, trigger, now) for handshake in view.handshakes]
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
            each.ended(Outcome.NEEDS_HUMAN, reason)
            if each.is_invite and each.decision.kind is DecisionKind.ACCEPT
            else each
            for each in plans
        ]
    # Joining an organization changes what this account may accept, so invitations come last.
    return sorted(plans, key=lambda each: each.is_invite)


def _plan_one(handshake: Handshake | Unusable, view: View, trigger: Trigger, now: datetime) -> Plan:
    decision = decide(handshake, view.snapshot.policy, view.account, now)
    mode = view.snapshot.mode
    undecided = Plan(handshake, decision, None, decision.reasons, mode)
    codes = {reason.code for reason in decision.reasons}
    if decision.kind in (DecisionKind.ACCEPT, DecisionKind.DECLINE):
        return undecided if mode is Mode.ENFORCE else undecided.ended(Outcome.OBSERVED)
    if isinstance(handshake, Handshake) and handshake.state is State.ACCEPTED:
        return undecided.ended(Outcome.ALREADY_ACCEPTED)
    unreadable = isinstance(view.snapshot.policy, InvalidPolicy) and view.snapshot.policy.unreadable
    later = (
        codes & {"CURRENT_ORGANIZATION_UNKNOWN", _LIST_UNREADABLE}
        or (_NOT_SEEN in codes and trigger.is_young(now))
        or (decision.kind is DecisionKind.POLICY_INVALID and unreadable)
    )
    return undecided.ended(Outcome.RETRY_LATER if later else Outcome.LEFT_PENDING)


class Reconcile:
    """One run of the function for one account."""

    def __init__(
        self,
        organizations: Organizations,
        store: PolicyStore,
        clock: retry.Clock,
        account_id: str,
        partition: str,
        emit: Callable[[Record], None],
    ) -> None:
        """`emit` is called once for each decision, as soon as its outcome is known."""
        self._organizations = organizations
        self._store = store
        self._clock = clock
        self._account_id = account_id
        self._partition = partition
        self._emit = emit
        self._records: list[Record] = []
        self._failures: list[str] = []
        self._waits_seen = 0

    def run(self, trigger: Trigger) -> Report:
        """Looks, decides, acts and records. What the other side did wrong is in `Report.failures`, never raised."""
        self._trigger = trigger
        self._wanted = {trigger.handshake_id} - {""}
        try:
            view = self._look()
        except ListUnreadable as error:
            self._fail(str(error))
            view = self._blind(error)
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
        return Report(tuple(self._records), tuple(self._failures), view.listed, view.snapshot)

    def _settle(self, settled: Plan) -> None:
        assert settled.outcome is not None  # noqa: S101 - every plan that is left to settle has ended
        if any(reason.code == _NOT_SEEN for reason in settled.reasons) and settled.outcome is Outcome.RETRY_LATER:
            self._fail("HINTED_HANDSHAKE_NOT_SEEN")
        if settled.outcome is Outcome.ACCEPT_UNCONFIRMED:
            self._fail("ACCEPT_UNCONFIRMED")
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

    def _fail(self, failure: str) -> None:
        if failure not in self._failures:
            self._failures.append(failure)

    # Looking

    def _look(self) -> View:
        """Reads handshakes and policy side by side and, only if something is pending, the account.

        Raises `ListUnreadable`.
        """
        self._waits_seen = self._clock.waits
        with ThreadPoolExecutor(max_workers=1) as pool:
            reading = pool.submit(self._read_policy)
            listed = self._list()
            snapshot = reading.result()
        now = self._clock.now()
        relevant = [handshake for handshake in listed if _is_pending(handshake, now) or handshake.id in self._wanted]
        unlisted = self._wanted - {handshake.id for handshake in listed}
        relevant += [self._describe(handshake_id) for handshake_id in sorted(unlisted)]
        account = self._account(relevant, snapshot)
        while self._clock.waits != self._waits_seen:
            # Somebody waited since the policy was read: a Deny or the brake may have been set meanwhile.
            self._waits_seen = self._clock.waits
            snapshot = self._read_policy()
        return View(tuple(sorted(relevant, key=_urgency)), snapshot, account, len(listed))

    def _list(self) -> list[Handshake | Unusable]:
        try:
            return self._organizations.list()
        except retry.READ_FAILURES as error:
            raise ListUnreadable(f"{_LIST_UNREADABLE} {_code(error)}") from error

    def _read_policy(self) -> Snapshot:
        try:
            return self._store.read()
        except retry.READ_FAILURES as error:
            self._fail(f"POLICY_UNREADABLE {_code(error)}")
            mistake = PolicyError(self._store.prefix, "", f"could not be read: {_code(error)}")
            return Snapshot(Mode.OBSERVE, InvalidPolicy((mistake,), unreadable=True))

    def _describe(self, handshake_id: str) -> Handshake | Unusable:
        """A handshake that our list does not show. What AWS does not show either is `Unusable`."""
        try:
            return self._organizations.describe(handshake_id)
        except retry.CALL_FAILURES as error:
            failure = classify(error)
            if failure.answer is Answer.RETRY_NOW:
                self._fail(f"DESCRIBE_HANDSHAKE {failure.code}")
            text = "this account's list does not show it, and DescribeHandshake is refused"
            return unusable(handshake_id, _NOT_SEEN, text, failure.code, finished=True)

    def _account(self, handshakes: Iterable[Handshake | Unusable], snapshot: Snapshot) -> Account:
        unknown = unknown_account(self._account_id, self._partition)
        now = self._clock.now()
        undecided = any(isinstance(each, Handshake) and _is_pending(each, now) for each in handshakes)
        if not undecided or isinstance(snapshot.policy, InvalidPolicy):
            return unknown  # nothing is decided by it
        try:
            return self._organizations.account(self._account_id, self._partition)
        except retry.CALL_FAILURES as error:
            if classify(error).answer is Answer.RETRY_NOW:
                self._fail(f"DESCRIBE_ORGANIZATION {_code(error)}")
            return unknown

    def _blind(self, error: ListUnreadable) -> View:
        """The view of a run that could not list: only what was hinted at, so that whoever hinted finds an answer."""
        text = "this account's handshakes could not be listed"
        hinted = [unusable(each, _LIST_UNREADABLE, text, str(error), finished=True) for each in self._wanted]
        policy = InvalidPolicy((), unreadable=True)
        account = unknown_account(self._account_id, self._partition)
        return View(tuple(hinted), Snapshot(Mode.OBSERVE, policy), account, 0)

    # Acting

    def _act(self, planned: Plan) -> Plan:
        """Accepts or declines, with retries until the deadline, and says what became of it."""
        send = self._organizations.decline if planned.declines else self._organizations.accept
        current, sent, lost = planned, 0, False
        self._wanted.add(planned.handshake.id)
        try:
            for attempt in retry.retrying(self._clock, retry.is_retry_now):
                with attempt:
                    if sent or self._clock.waits != self._waits_seen:
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
            self._fail(str(error))
            return _unsettled(current, lost, Reason(_LIST_UNREADABLE, str(error)))
        except retry.CALL_FAILURES as error:
            return self._refused(current, classify(error), lost)
        raise AssertionError("unreachable: the attempts return or raise")

    def _again(self, planned: Plan, lost: bool) -> Plan:
        """Looks and decides again, as if for the first time. `lost`: an attempt of ours may have had its effect."""
        try:
            view = self._look()
        except ListUnreadable:
            if lost and (over := _over(planned, self._describe(planned.handshake.id), _ANSWER_LOST)):
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
            self._fail(f"DEADLINE {failure.code}")
            return _unsettled(planned, lost, reason)
        if failure.answer is Answer.LOOK or lost:
            # Two runs at the same moment: the other's accept may not be visible yet.
            waits = lost or failure.code == "HandshakeAlreadyInStateException"
            seen = self._watch(planned.handshake.id) if waits else self._sight(planned.handshake.id)
            over = _over(planned, seen, _ANSWER_LOST if lost else None)
            return over or _unsettled(planned, waits, reason)
        later = failure.answer is Answer.RETRY_LATER
        return planned.ended(Outcome.RETRY_LATER if later else Outcome.NEEDS_HUMAN, reason)

    def _watch(self, handshake_id: str) -> Handshake | Unusable:
        """Looks until the handshake is over, or until the deadline."""

        def is_open(seen: Handshake | Unusable) -> bool:
            return not isinstance(seen, Handshake) or seen.state.pending

        return retry.until(self._clock, lambda: self._sight(handshake_id), is_open)

    def _sight(self, handshake_id: str) -> Handshake | Unusable:
        try:
            for handshake in self._list():
                if handshake.id == handshake_id:
                    return handshake
        except ListUnreadable:
            pass  # an organization may take the permission away as soon as it is joined
        return self._describe(handshake_id)


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


def _code(error: BaseException) -> str:
    return classify(error).code if isinstance(error, retry.CALL_FAILURES) else type(error).__name__


def _is_pending(handshake: Handshake | Unusable, now: datetime) -> bool:
    if isinstance(handshake, Unusable):
        return not handshake.finished
    return handshake.state.pending and handshake.expires_at > now


def _state(handshake: Handshake | Unusable) -> State | None:
    return handshake.state if isinstance(handshake, Handshake) else None


def _urgency(handshake: Handshake | Unusable) -> tuple[bool, float, str]:
    if isinstance(handshake, Unusable):
        return True, 0.0, handshake.id
    return False, handshake.expires_at.timestamp(), handshake.id
