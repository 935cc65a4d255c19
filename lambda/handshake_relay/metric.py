"""The names of the relay's metrics, once: it sends them, and its stack names no other.

No AWS library is imported here, so that the stack can use it. Every metric has one dimension, `service`.
"""

from __future__ import annotations

from enum import StrEnum


class Metric(StrEnum):
    """Every metric there is. A relay that nobody wakes sends none."""

    HINTS_SENT = "HintsSent"
    """EventBridge took them. It takes one for a bus that is not there, too: https://github.com/aws/aws-cli/issues/9186."""
    HINTS_FAILED = "HintsFailed"
    """Neither delivered nor refused when a run ended: its event is tried again, and then kept in the queue."""
    ACCOUNTS_UNREACHED = "AccountsUnreached"
    """Invited accounts whose bus does not admit this account, as far as EventBridge says so."""
    NOT_ADDRESSABLE = "NotAddressable"
    """Invitations to an e-mail address, which name no account."""
