"""Which handshakes of an account's list `status` counts: a stranger's never do, whatever is denied of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from handshake_acceptor.policy.decide import Policy
from handshake_core.handshake import Action, Handshake, State
from handshakectl.account.standing import Why

REMEMBERED = timedelta(days=30)


def counts(handshake: Handshake, policy: Policy | None, expected: str | None) -> bool:
    """Whether it is the expected organization's; if none is, whether an Allow names its organization or its sender."""
    if expected is not None:
        return handshake.organization_id == expected
    return policy is not None and policy.names_origin(handshake)


def lapsed(counted: Iterable[Handshake], organization: str, now: datetime) -> Why | None:
    """The newest invitation among these, if it expired or was declined; None if it is of the organization we are in."""
    invitations = [each for each in counted if each.action is Action.INVITE and each.state is not State.CANCELED]
    last = max(invitations, key=lambda each: each.requested_at or each.expires_at, default=None)
    if last is None or last.organization_id == organization or last.expires_at < now - REMEMBERED:
        return None
    if last.state is State.DECLINED:
        return Why("INVITATION_DECLINED", f"the last invitation of {last.organization_id} was declined")
    if last.state is State.EXPIRED or (last.state.pending and last.expires_at <= now):
        return Why("INVITATION_EXPIRED", f"the last invitation of {last.organization_id} expired")
    return None
