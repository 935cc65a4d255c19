"""What was observed, for whoever decides on it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from handshake_acceptor.policy.snapshot import PolicySnapshot
from handshake_core.handshake import Account, Action, Handshake, InvalidHandshake, Reason, Role, State

NOT_SEEN = "NOT_SEEN"
"""The reason code of a handshake that AWS does not show us."""
NOT_SEEN_FOR_NOW = "NOT_SEEN_FOR_NOW"
"""The reason code of one that AWS wants us to ask for later."""
LIST_UNREADABLE = "LIST_UNREADABLE"
"""The reason code of what was hinted at, in a run that could not list the account's handshakes."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the account's own list shows."""

    handshakes: tuple[Handshake | InvalidHandshake, ...]
    """Those that do not plainly say that they are over, those that were wanted, and invitations that read as accepted
    and have not expired."""
    count: int
    """Of all that it shows."""
    arrived_at: datetime
    """When its last page arrived."""

    def with_more(self, handshakes: Iterable[Handshake | InvalidHandshake]) -> Listing:
        """The same with handshakes that the list does not show."""
        return replace(self, handshakes=(*self.handshakes, *handshakes))


@dataclass(frozen=True, slots=True)
class ObservedState:
    """What a run decides on."""

    handshakes: tuple[Handshake | InvalidHandshake, ...]
    """Those that may still be answered, and those that were asked for in whatever state; the most urgent first."""
    snapshot: PolicySnapshot
    account: Account
    listed: int
    """How many handshakes the account's list shows, finished ones included."""
    account_failure: Reason | None = None
    """Why the account's organization could not be found out; None where it was, or was not asked for."""


def unknown_account(account_id: str, partition: str) -> Account:
    """An account whose organization could not be found out."""
    return Account(account_id, partition, Role.UNKNOWN, "UNKNOWN")


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


def joins_of(listed: Listing, now: datetime) -> list[Handshake]:
    """The invitations of our own list that read as accepted and would not have expired yet."""
    return [
        each
        for each in listed.handshakes
        if isinstance(each, Handshake)
        and each.listed
        and each.action is Action.INVITE
        and each.state is State.ACCEPTED
        and each.expires_at > now
    ]


def urgency(handshake: Handshake | InvalidHandshake) -> tuple[bool, float, str]:
    """Sorts the one that expires first, first."""
    if isinstance(handshake, InvalidHandshake):
        return True, 0.0, handshake.id
    return False, handshake.expires_at.timestamp(), handshake.id
