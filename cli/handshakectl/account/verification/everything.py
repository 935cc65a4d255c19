"""All checks of an account, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable

from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws
from handshakectl.account.verification.alarms import Alarms
from handshakectl.account.verification.bus import Bus
from handshakectl.account.verification.proof import Check
from handshakectl.account.verification.queries import Queries
from handshakectl.account.verification.role import Role
from handshakectl.account.verification.rules import Rules
from handshakectl.account.verification.wakes import Patience, Wakes


def checks_of(
    deployed: Deployment, patience: Patience, name: Callable[[], str], stranger: Aws | None = None
) -> list[Check]:
    """What is to be proven, in an order in which the sweep, which takes longest, comes last.

    `name` gives 16 lower-case letters and digits, each time others. `stranger`: an account whose puts must be refused.
    """
    wakes = Wakes(deployed, patience, name)
    hint, policy_change, sweep = wakes.checks()
    return [
        *Rules(deployed).checks(),
        *Role(deployed).checks(),
        *Bus(deployed, wakes, patience, stranger, name).checks(),
        hint,
        policy_change,
        *Queries(deployed, patience).checks(),
        *Alarms(deployed, patience).checks(),
        sweep,
    ]
