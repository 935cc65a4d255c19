"""The names of all metrics, once: the function sends them, and the stack's alarms and widgets name no other.

No AWS library is imported here, so that the stack can use it. Every metric has one dimension, `service`. Eight names
are the most there may be: each costs 0.30 USD a month while it is sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "HandshakeAcceptor"


class Metric(StrEnum):
    """Every metric there is. An idle run sends none."""

    ACCEPTED = "Accepted"
    DECLINED = "Declined"
    NEEDS_HUMAN = "NeedsHuman"
    """One for each handshake that only a person can bring further."""
    POLICY_INVALID = "PolicyInvalid"
    SECONDS_TO_ACCEPT = "SecondsToAccept"
    """From the invitation to its acceptance."""
    PENDING = "Pending"
    """How many of the account's handshakes still wait when a run ends; not sent if none does."""
    NOT_ALLOWED = "NotAllowed"
    """How many of these no statement allows, nor denies, though one names their organization or management account."""
    HOURS_LEFT = "HoursLeft"
    """Until the first of these expires that no statement denies and that is no stranger's."""
