"""One look at the world: this account's handshakes, its policy and, only if something is pending, itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta

from handshake_acceptor.organizations import Listing, Organizations, unknown_account
from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.store import PolicySnapshot, PolicyStore
from handshake_core import retry
from handshake_core.errors import Remedy, classify
from handshake_core.handshake import Account, Action, Handshake, InvalidHandshake, invalid_handshake

NOT_SEEN = "NOT_SEEN"
"""The reason code of a handshake that AWS does not show us."""
LIST_UNREADABLE = "LIST_UNREADABLE"

FRESH = timedelta(seconds=10)
"""How long after it was read the account's organization is a ground to act. Organizations itself takes longer to show
a change everywhere; the policy is held to more, and is read again after every wait."""


class ListUnreadable(Exception):
    """The account's own handshakes could not be listed."""


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The world as one look showed it."""

    handshakes: tuple[Handshake | InvalidHandshake, ...]
    """Those that may still be answered, and those that were asked for in whatever state; the most urgent first."""
    snapshot: PolicySnapshot
    account: Account
    listed: int


class StateReader:
    """Looks for one account. Reads only; `failures` collects what a minute may cure."""

    def __init__(
        self,
        organizations: Organizations,
        store: PolicyStore,
        reader: Executor,
        clock: retry.Clock,
        account_id: str,
        partition: str,
    ) -> None:
        """`reader` reads the policy while the handshakes are listed."""
        self.failures: list[str] = []
        self._organizations = organizations
        self._store = store
        self._reader = reader
        self._clock = clock
        self._account_id = account_id
        self._partition = partition
        self._waits_seen = -1
        self._account_seen = clock.now()

    @property
    def is_stale(self) -> bool:
        """Whether what was decided on the last look is no ground to act any more.

        Somebody acted, or waited since the policy was read, or the account was looked at too long ago.
        """
        return self._clock.waits != self._waits_seen or self._clock.now() - self._account_seen > FRESH

    def expire(self) -> None:
        """Somebody acted: what was decided before that is to be decided again."""
        self._waits_seen = -1

    def look(self, wanted: Collection[str] = ()) -> ObservedState:
        """Reads handshakes and policy side by side and, only if something is pending, the account.

        The handshakes are read once more where the account turns out to be in an organization that still invites it.
        `wanted` are ids to show in whatever state, and to describe where the list does not show them.
        Raises `ListUnreadable`.
        """
        self._waits_seen = self._clock.waits
        reading = self._reader.submit(self._read_policy)
        try:
            listed = self.list(wanted)
        finally:
            snapshot = reading.result()  # whatever became of the list, nothing of this look goes on after it
        relevant = self._relevant(listed, wanted)
        account = self._account(relevant, snapshot)
        self._account_seen = self._clock.now()
        if any(is_into(each, account) for each in relevant):
            # Another run accepted after our list was read: it is pending there, and no statement would allow it now.
            listed = self.list(wanted)
            relevant = self._relevant(listed, wanted)
        while self._clock.waits != self._waits_seen and self._clock.has_time():
            # Somebody waited since the policy was read: a Deny or the brake may have been set meanwhile.
            self._waits_seen = self._clock.waits
            snapshot = self._read_policy()
        return ObservedState(tuple(sorted(relevant, key=urgency)), snapshot, account, listed.count)

    def list(self, wanted: Collection[str]) -> Listing:
        """The account's handshakes. Raises `ListUnreadable`."""
        try:
            return self._organizations.list(wanted)
        except retry.READ_FAILURES as error:
            raise ListUnreadable(f"{LIST_UNREADABLE} {retry.error_code(error)}") from error

    def describe(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """A handshake that our list does not show. What AWS does not show either is `InvalidHandshake`."""
        try:
            return self._organizations.describe(handshake_id)
        except retry.CALL_FAILURES as error:
            failure = classify(error)
            if failure.remedy is Remedy.RETRY_NOW:
                self._fail(f"DESCRIBE_HANDSHAKE {failure.code}")
            text = "this account's list does not show it, and DescribeHandshake is refused"
            return invalid_handshake(handshake_id, NOT_SEEN, text, failure.code, finished=True)

    def sight(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """One handshake as the list shows it, or as it is described."""
        try:
            for handshake in self.list({handshake_id}).handshakes:
                if handshake.id == handshake_id:
                    return handshake
        except ListUnreadable:
            pass  # an organization may take the permission away as soon as it is joined
        return self.describe(handshake_id)

    def organization(self) -> str:
        """The id of the organization that this account is in now; "UNKNOWN" if it could not be found out."""
        try:
            return self._organizations.account(self._account_id, self._partition).organization
        except retry.CALL_FAILURES:
            return unknown_account(self._account_id, self._partition).organization

    def blind(self, wanted: Iterable[str], error: ListUnreadable) -> ObservedState:
        """The view of a run that could not list: only what was hinted at, so that whoever hinted finds an answer."""
        text = "this account's handshakes could not be listed"
        hinted = [invalid_handshake(each, LIST_UNREADABLE, text, str(error), finished=True) for each in wanted]
        policy = InvalidPolicy((), unreadable=True)
        account = unknown_account(self._account_id, self._partition)
        return ObservedState(tuple(hinted), PolicySnapshot(Mode.OBSERVE, policy), account, 0)

    def _relevant(self, listed: Listing, wanted: Collection[str]) -> tuple[Handshake | InvalidHandshake, ...]:
        """What is pending, and what is wanted in whatever state."""
        now = self._clock.now()
        relevant = [each for each in listed.handshakes if is_pending(each, now) or each.id in wanted]
        unlisted = set(wanted) - {each.id for each in listed.handshakes}
        return (*relevant, *(self.describe(handshake_id) for handshake_id in sorted(unlisted)))

    def _read_policy(self) -> PolicySnapshot:
        try:
            return self._store.read()
        except retry.READ_FAILURES as error:
            self._fail(f"POLICY_UNREADABLE {retry.error_code(error)}")
            mistake = PolicyError(self._store.prefix, "", f"could not be read: {retry.error_code(error)}")
            return PolicySnapshot(Mode.OBSERVE, InvalidPolicy((mistake,), unreadable=True))

    def _account(self, handshakes: Iterable[Handshake | InvalidHandshake], snapshot: PolicySnapshot) -> Account:
        unknown = unknown_account(self._account_id, self._partition)
        now = self._clock.now()
        undecided = any(isinstance(each, Handshake) and is_pending(each, now) for each in handshakes)
        if not undecided or isinstance(snapshot.policy, InvalidPolicy):
            return unknown  # nothing is decided by it
        try:
            return self._organizations.account(self._account_id, self._partition)
        except retry.CALL_FAILURES as error:
            if classify(error).remedy is Remedy.RETRY_NOW:
                self._fail(f"DESCRIBE_ORGANIZATION {retry.error_code(error)}")
            return unknown

    def _fail(self, failure: str) -> None:
        if failure not in self.failures:
            self.failures.append(failure)


def is_pending(handshake: Handshake | InvalidHandshake, now: datetime) -> bool:
    """Whether it may still be answered."""
    if isinstance(handshake, InvalidHandshake):
        return not handshake.finished
    return handshake.state.pending and handshake.expires_at > now


def is_into(handshake: Handshake | InvalidHandshake, account: Account) -> bool:
    """Whether it reads as a pending invitation into the very organization that the account is in."""
    return (
        isinstance(handshake, Handshake)
        and handshake.action is Action.INVITE
        and handshake.state.pending
        and handshake.organization_id == account.organization
    )


def urgency(handshake: Handshake | InvalidHandshake) -> tuple[bool, float, str]:
    """Sorts the one that expires first, first."""
    if isinstance(handshake, InvalidHandshake):
        return True, 0.0, handshake.id
    return False, handshake.expires_at.timestamp(), handshake.id
