from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from handshake_acceptor.observed import Listing, is_into, is_pending, joins_of, unknown_account, urgency
from handshake_core.handshake import Account, Action, Handshake, InvalidHandshake, Role, State
from local.world import MEMBER, ORGANIZATION, START, World

ONE = timedelta(microseconds=1)


@pytest.fixture
def open_invitation() -> Handshake:
    world = World()
    world.invite()
    [raw] = world.client.list_handshakes_for_account()["Handshakes"]
    read = Handshake.from_api(raw, listed=True)
    assert isinstance(read, Handshake)
    return read


def unreadable(finished: bool = False) -> InvalidHandshake:
    return InvalidHandshake("h-unreadable01", (), finished)


def test_a_join_is_an_accepted_invitation_of_our_own_list_that_has_not_expired(open_invitation: Handshake) -> None:
    join = replace(open_invitation, state=State.ACCEPTED)
    others = (
        open_invitation,
        unreadable(),
        replace(join, listed=False),
        replace(join, action=Action.ENABLE_ALL_FEATURES),
        replace(join, state=State.DECLINED),
    )
    listing = Listing((*others, join), 6, START)
    assert joins_of(listing, join.expires_at - ONE) == [join]
    assert joins_of(listing, join.expires_at) == []


def test_what_expires_first_is_urgent_and_what_cannot_be_read_is_not(open_invitation: Handshake) -> None:
    expires = open_invitation.expires_at.timestamp()
    assert urgency(open_invitation) == (False, expires, open_invitation.id)
    assert urgency(unreadable()) == (True, 0.0, "h-unreadable01")


@pytest.mark.parametrize("state", State)
def test_what_is_pending_may_still_be_answered_until_it_expires(open_invitation: Handshake, state: State) -> None:
    handshake = replace(open_invitation, state=state)
    pending = state in (State.REQUESTED, State.OPEN)
    assert is_pending(handshake, handshake.expires_at - ONE) is pending
    assert not is_pending(handshake, handshake.expires_at)


def test_what_cannot_be_read_is_pending_unless_it_says_that_it_is_over() -> None:
    assert is_pending(unreadable(), START)
    assert not is_pending(unreadable(finished=True), START)


def test_only_a_pending_invitation_into_the_own_organization_is_into_it(open_invitation: Handshake) -> None:
    member = Account(MEMBER, "aws", Role.MEMBER, ORGANIZATION)
    assert is_into(open_invitation, member)
    assert not is_into(open_invitation, replace(member, organization="o-otherorgan1"))
    assert not is_into(open_invitation, unknown_account(MEMBER, "aws"))
    assert not is_into(replace(open_invitation, state=State.ACCEPTED), member)
    assert not is_into(replace(open_invitation, action=Action.ENABLE_ALL_FEATURES), member)
    assert not is_into(unreadable(), member)
