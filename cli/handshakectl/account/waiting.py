"""Which handshakes wait in an account, and what would be decided about each. It only reads."""

from collections.abc import Callable
from datetime import UTC, datetime

from handshake_acceptor.observed import ObservedState, is_pending, urgency
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.plan import Plan, plan
from handshake_acceptor.policy.store import PolicySnapshot
from handshake_acceptor.trigger import Trigger, TriggerKind
from handshakectl.account.session import Caller

BY_HAND = Trigger(TriggerKind.MANUAL, "", None)


def look(organizations: Organizations, read: Callable[[], PolicySnapshot], caller: Caller) -> ObservedState:
    """The same view that a run of the function begins with."""
    listed = organizations.list()
    now = datetime.now(UTC)
    waiting = sorted((each for each in listed.handshakes if is_pending(each, now)), key=urgency)
    account = organizations.account(caller.account_id, caller.partition)
    return ObservedState(tuple(waiting), read(), account, listed.count)


def decided(view: ObservedState) -> list[Plan]:
    """Each handshake of a view with the decision it would get now."""
    return plan(view, BY_HAND, datetime.now(UTC))
