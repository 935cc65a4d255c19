"""What a run observes: this account's handshakes, its policy and, only if something is pending, the account itself.

Everything observed has a time, and `evidence` says whether it may still be acted on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta

from handshake_acceptor.evidence import YOUNG, AccountAnswer, Evidence, Observation, is_young
from handshake_acceptor.observed import (
    LIST_UNREADABLE,
    NOT_SEEN,
    NOT_SEEN_FOR_NOW,
    Listing,
    ObservedState,
    is_into,
    is_pending,
    joins_of,
    unknown_account,
    urgency,
)
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.snapshot import PolicySnapshot, Reading
from handshake_acceptor.policy.store import PolicyStore
from handshake_core import retry
from handshake_core.errors import DEADLINE, Failure, Remedy, classify
from handshake_core.handshake import Account, Handshake, InvalidHandshake, Reason, Role, invalid_handshake

POLICY_UNSTABLE = "POLICY_UNSTABLE"
EVIDENCE_TOO_SLOW = "EVIDENCE_TOO_SLOW"
NO_EVIDENCE = {
    POLICY_UNSTABLE: "somebody is editing the policy: three readings in a row differ",
    EVIDENCE_TOO_SLOW: "what it takes to decide could not be read fast enough to act on it",
    DEADLINE: "there was no time left to read what it takes to decide",
}

MOST_READINGS = 3
"""So often is the policy read for one act, at most."""
MOST_SLOW_READINGS = 2
"""Readings in a row that each took too long to be acted on: a policy of so many pages is not read faster."""
ACCOUNT_LAGS = timedelta(seconds=60)
"""How long the account is looked at again while it does not show an invitation that reads as accepted."""


class ListUnreadable(Exception):
    """The account's own handshakes could not be listed."""

    def __init__(self, code: str, later: bool) -> None:
        """`later`: AWS wants us to ask later, so that the run need not fail."""
        super().__init__(f"{LIST_UNREADABLE} {code}")
        self.code = code
        self.later = later


class NoEvidence(Exception):
    """Nothing can be acted on in this run; `code` is a key of `NO_EVIDENCE`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = Reason(code, NO_EVIDENCE[code])


class StateReader:
    """Observes one account for one run. It changes nothing.

    `failures` collects what a minute may cure, `postponed` what AWS wants us to ask for later.
    """

    def __init__(
        self,
        organizations: Organizations,
        store: PolicyStore,
        reader: Executor,
        clock: retry.Clock,
        account_id: str,
        partition: str,
    ) -> None:
        """`reader` reads one thing while another is read."""
        self.failures: list[str] = []
        self.postponed: list[str] = []
        self._organizations = organizations
        self._store = store
        self._reader = reader
        self._clock = clock
        self.account_id = account_id
        self._partition = partition
        self._snapshot = PolicySnapshot(Mode.OBSERVE, InvalidPolicy((), unreadable=True))
        self._evidence = Evidence()
        self._differences = 0  # how many of the last readings differed from the one before, in a row
        self._slow_readings = 0
        self._read_list_again = False
        self._joined: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._stands: set[tuple[str, str]] = set()
        self._first: Future[Reading]

    def look(self, wanted: Collection[str] = (), stands: set[tuple[str, str]] | None = None) -> ObservedState:
        """The first look of a run: handshakes and policy side by side; the account only if something is pending.

        `wanted` are ids to show in whatever state, and to describe where the list does not show them. `stands` holds
        (handshake id, organization) of joins that were waited for in vain, and grows. Raises `ListUnreadable`.
        """
        self._wanted |= set(wanted)
        self._stands = self._stands if stands is None else stands
        self._first = self._reader.submit(self._store.reading, patient=False)
        listed = self._list()
        now = self._clock.now()
        undecided = any(isinstance(each, Handshake) and is_pending(each, now) for each in listed.handshakes)
        if undecided:
            self._observed(listed, self._account())
        else:
            nobody = AccountAnswer(unknown_account(self.account_id, self._partition))  # nothing is decided by it
            self._evidence = self._evidence.observed(Observation(listed, nobody))
        if (undecided and not self._first.done()) or not self._took(self._first.result, early=True):
            self._read_policy()
        return self._state()

    def close(self) -> None:
        """Waits for what is still under way, so that nothing of a run goes on after it."""
        self._first.exception()

    def watch(self, handshake_id: str) -> None:
        """From now on that handshake is shown in whatever state."""
        self._wanted.add(handshake_id)

    def refresh(self) -> ObservedState:
        """What is observed now: handshakes and account are read again where they are too old to act on.

        Raises `ListUnreadable`.
        """
        if not self._evidence.is_young(self._clock.now()):
            self._observed(*self._look_again(None if self._evidence.changed else self._evidence.observation))
        return self._state()

    def evidence(self) -> ObservedState:
        """What may be acted on at this moment, or what says that nothing may.

        Whatever is too old is read again. Raises `ListUnreadable` and `NoEvidence`.
        """
        readings = 0
        while not self.may_act:
            if readings == MOST_READINGS or self._slow_readings == MOST_SLOW_READINGS:
                raise NoEvidence(EVIDENCE_TOO_SLOW)
            self.refresh()
            if not self._clock.has_time():
                raise NoEvidence(DEADLINE)
            self._read_policy()  # what was observed may be too old when that was throttled for long
            readings += 1
            if self._snapshot.unreadable:
                break
            if self._differences > 1:
                raise NoEvidence(POLICY_UNSTABLE)
        return self._state()

    @property
    def may_act(self) -> bool:
        """Whether a call that changes something may be sent at this moment on what was read last."""
        return self._evidence.permits(self._clock.now())

    def after_call(self, *, changed: bool) -> None:
        """A call was sent: the policy is to be read again before the next one.

        Handshakes and account too if that `changed` something, or may have.
        """
        self._evidence = self._evidence.after_call(changed=changed)

    def joined(self, handshake: Handshake) -> None:
        """The run saw that invitation accepted: the account must show it, or have had time to."""
        self._joined[handshake.id] = handshake.organization_id

    def fetch_one(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """One handshake as the list shows it, or as it is described; nothing is tried twice."""
        try:
            for handshake in self._organizations.list({handshake_id}, patient=False).handshakes:
                if handshake.id == handshake_id:
                    return handshake
        except retry.READ_FAILURES:
            pass  # an organization may take the permission away as soon as it is joined
        try:
            return self._organizations.describe(handshake_id, patient=False)
        except retry.CALL_FAILURES as error:
            return _not_seen(handshake_id, classify(error))

    def organization(self) -> str:
        """The id of the organization that this account is in now; "UNKNOWN" if it could not be found out at once."""
        try:
            return self._organizations.account(self.account_id, self._partition, patient=False).organization
        except retry.CALL_FAILURES:
            return unknown_account(self.account_id, self._partition).organization

    def unreadable(self, wanted: Iterable[str], error: ListUnreadable) -> ObservedState:
        """What a run knows that could not list: only what was asked for, so that whoever hinted finds an answer."""
        text = "this account's handshakes could not be listed"
        hinted = [invalid_handshake(each, LIST_UNREADABLE, text, error.code, finished=True) for each in wanted]
        policy = InvalidPolicy((), unreadable=True)
        account = unknown_account(self.account_id, self._partition)
        return ObservedState(tuple(hinted), PolicySnapshot(Mode.OBSERVE, policy), account, 0)

    def note(self, failure: str, later: bool) -> None:
        """Keeps what the run could not do: it fails, unless AWS wants us to ask `later`."""
        told = self.postponed if later else self.failures
        if failure not in told:
            told.append(failure)

    def _state(self) -> ObservedState:
        observation = self._evidence.observation
        assert observation is not None  # noqa: S101 - a run begins with a look
        return ObservedState(
            tuple(sorted(self._relevant(observation.listed), key=urgency)),
            self._snapshot,
            observation.answer.account,
            observation.listed.count,
            observation.answer.failure,
        )

    def _look_again(self, seen: Observation | None = None) -> tuple[Listing, AccountAnswer]:
        """Handshakes and account, side by side; what is young enough of what was `seen` is not asked for again."""
        now = self._clock.now()
        listed = seen.listed if seen and is_young(seen.listed.arrived_at, now) else None
        answer = seen.answer if seen and is_young(seen.answer.arrived_at, now) else None
        asking = None if answer else self._reader.submit(self._account)
        try:
            listed = listed or self._list()
        finally:
            answer = asking.result() if asking else answer
        assert answer is not None  # noqa: S101 - kept or asked for
        return listed, answer

    def _observed(self, listed: Listing, answer: AccountAnswer) -> None:
        if not self._read_list_again and any(is_into(each, answer.account) for each in listed.handshakes):
            # Another run accepted after our list was read: it is pending there, and no statement would allow it now.
            self._read_list_again = True
            listed = self._list()
        since: dict[tuple[str, str], datetime] = {}
        looks = 0
        while late := self._late(listed, answer.account):
            self._evidence = self._evidence.observed(Observation(listed, answer, settled=False))
            now, looks = self._clock.now(), looks + 1
            waited = {each: now - since.setdefault(each, now) for each in late}
            self._stands |= {each for each, time in waited.items() if time >= ACCOUNT_LAGS}
            left = (ACCOUNT_LAGS - min(waited.values())).total_seconds()
            if left <= 0:
                break
            pause = min(max(self._clock.backoff(looks), 1.0), left)
            if not self._clock.has_time(pause):
                return  # it is not settled, so nothing is acted on
            self._clock.sleep(pause)
            listed, answer = self._look_again()
        self._evidence = self._evidence.observed(Observation(listed, answer))

    def _late(self, listed: Listing, account: Account) -> set[tuple[str, str]]:
        """Joins that the account does not show, though the invitation reads as accepted and has not expired.

        AWS says nowhere when a handshake was accepted, and an account may have left again: it is looked at for a
        minute from when each was first seen, and then what it says stands, in this process.
        """
        if account.role is Role.UNKNOWN:
            return set()  # nothing is decided on it
        now = self._clock.now()
        joins = {each.id: each.organization_id for each in joins_of(listed, now)} | self._joined
        late = {(key, account.organization) for key, joined in joins.items() if joined != account.organization}
        return late - self._stands

    def _list(self) -> Listing:
        try:
            listed = self._organizations.list(self._wanted)
        except retry.READ_FAILURES as error:
            later = isinstance(error, retry.CALL_FAILURES) and classify(error).remedy is Remedy.RETRY_LATER
            raise ListUnreadable(retry.error_code(error), later) from error
        unlisted = self._wanted - {each.id for each in listed.handshakes}
        return listed.with_more(self._describe(handshake_id) for handshake_id in sorted(unlisted))

    def _describe(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """A handshake that our list does not show. What AWS does not show either is an `InvalidHandshake`."""
        try:
            return self._organizations.describe(handshake_id)
        except retry.CALL_FAILURES as error:
            failure = classify(error)
            if failure.remedy in (Remedy.RETRY_NOW, Remedy.RETRY_LATER):
                self.note(f"DESCRIBE_HANDSHAKE {failure.code}", failure.remedy is Remedy.RETRY_LATER)
            return _not_seen(handshake_id, failure)

    def _relevant(self, listed: Listing) -> Iterable[Handshake | InvalidHandshake]:
        """What is pending, and what is wanted in whatever state."""
        now = self._clock.now()
        return (each for each in listed.handshakes if is_pending(each, now) or each.id in self._wanted)

    def _read_policy(self) -> None:
        self._took(self._store.reading, patient=True)

    def _took(self, read: Callable[[], Reading], *, patient: bool = False, early: bool = False) -> bool:
        """Takes a reading of the policy as the last one. False: it failed, and may be repeated, unless `patient`."""
        before, reading = self._evidence.reading, None
        try:
            reading = read()
            self._snapshot = reading.snapshot
            self._differences = self._differences + 1 if before and before.stamps != reading.stamps else 0
            self._slow_readings = self._slow_readings + 1 if reading.ended - reading.began > YOUNG else 0
        except retry.READ_FAILURES as error:
            if not patient and retry.is_retry_now(error):
                return False
            later = isinstance(error, retry.CALL_FAILURES) and classify(error).remedy is Remedy.RETRY_LATER
            self.note(f"POLICY_UNREADABLE {retry.error_code(error)}", later)
            mistake = PolicyError(self._store.prefix, "", f"could not be read: {retry.error_code(error)}")
            self._snapshot = PolicySnapshot(Mode.OBSERVE, InvalidPolicy((mistake,), unreadable=True))
        self._evidence = self._evidence.with_reading(reading, early=early)
        return True

    def _account(self) -> AccountAnswer:
        account, reason = unknown_account(self.account_id, self._partition), None
        try:
            account = self._organizations.account(self.account_id, self._partition)
        except retry.CALL_FAILURES as error:
            failure = classify(error)
            reason = failure.as_reason()
            if failure.remedy in (Remedy.RETRY_NOW, Remedy.RETRY_LATER):
                self.note(f"DESCRIBE_ORGANIZATION {failure.code}", failure.remedy is Remedy.RETRY_LATER)
        return AccountAnswer(account, reason, self._clock.now())


def _not_seen(handshake_id: str, failure: Failure) -> InvalidHandshake:
    code = NOT_SEEN_FOR_NOW if failure.remedy is Remedy.RETRY_LATER else NOT_SEEN
    text = "this account's list does not show it, and DescribeHandshake is refused"
    return invalid_handshake(handshake_id, code, text, failure.code, finished=True)
