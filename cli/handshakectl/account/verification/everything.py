"""All checks of an account, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
    wakes, queries = Wakes(deployed, patience, name), Queries(deployed, patience)
    bus = Bus(deployed, wakes, patience, name)
    strangers = (
        []
        if stranger is None
        else [
            Check(
                "stranger",
                "EventBridge refuses a put from an account that the bus's policy does not name",
                "anybody may wake the function, as often as they like",
                partial(bus.stranger, stranger),
            )
        ]
    )
    return [
        Check(
            "rules",
            "the deployed patterns match the events that they are for, and no others",
            "an event that should wake the function does not, or a stranger's does",
            Rules(deployed).rules,
        ),
        Check(
            "role",
            "IAM holds the function to its ceiling by the handshake's ARN, which states origin and action",
            "the function may accept what the deploy never allowed, or may not accept what it did",
            Role(deployed).role,
        ),
        Check(
            "hint bus",
            "the bus has the policy of the last deploy: who may put what, and nobody who was revoked",
            "accounts that are trusted no more may still wake the function, or the relay cannot",
            bus.policy,
        ),
        *strangers,
        Check(
            "hint",
            "a hint wakes the function with its source and handshake id, and an old one does not pass for young",
            "hints find nothing: an invitation waits for the next sweep",
            wakes.hint,
        ),
        Check(
            "policy change",
            "a change below the policy's path is an event on the default bus that wakes the function",
            "an Allow takes effect at the next sweep only",
            wakes.policy_change,
        ),
        Check(
            "saved queries",
            "CloudWatch Logs Insights understands every saved query",
            "who looks for why a handshake waits finds an error",
            queries.saved_queries,
        ),
        Check(
            "dashboard",
            "CloudWatch answers every widget of the dashboard, each with one call",
            "a graph or a table of the dashboard stays empty",
            queries.dashboard,
        ),
        Check(
            "alarms",
            "alarms take missing data as they say, end when it is over, and tell their topic",
            "an alarm rings for nothing, or for nobody",
            Alarms(deployed, patience).alarms,
        ),
        Check(
            "sweep",
            "the schedule wakes the function, and its event says that it is a sweep",
            "what no hint tells of is never found, and a policy edit that woke nobody stays unheard",
            wakes.sweep,
        ),
    ]
