"""The names of the relay's metrics, once: it sends them, and its stack names no other.

No AWS library is imported here, so that the stack can use it. Every metric has one dimension, `service`.
"""

from __future__ import annotations

from enum import StrEnum


class Metric(StrEnum):
    """Every metric there is. A relay that nobody wakes sends none."""

    HINTS_SENT = "HintsSent"
    HINTS_FAILED = "HintsFailed"
    """Neither delivered nor refused when a run ended: its event is tried again, and then kept in the queue."""
    ACCOUNTS_UNREACHED = "AccountsUnreached"
    """Invited accounts that take no hints: the acceptor is not deployed there, or does not admit this account."""
    NOT_ADDRESSABLE = "NotAddressable"
    """Invitations to an e-mail address, which name no account."""
