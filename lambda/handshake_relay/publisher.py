"""Puts hints on the buses of invited accounts, and says of each what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from handshake_core import put_events, retry
from handshake_core.handshake import showable
from handshake_relay.hint import Hint

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

BUS = "handshake-acceptor"
"""What the bus is called in every account that has the acceptor."""

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
_UNREACHED = frozenset(
    {
        "AccessDeniedException",
        "InvalidAccountIdException",
        "NotAuthorizedForDetailTypeException",
        "NotAuthorizedForSourceException",
        "ResourceNotFoundException",
    }
)
# "... because no identity-based policy allows ...": it is this account that refuses, not the other one.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_OUR_OWN = ("identity-based policy", "service control policy", "permissions boundary", "session policy")


class Outcome(StrEnum):
    """What became of a hint."""

    SENT = "SENT"
    """EventBridge took it, which it does for a bus that is not there, too: https://github.com/aws/aws-cli/issues/9186."""
    UNREACHED = "UNREACHED"
    """The account says that it has no such bus, or does not admit us: normal, where the acceptor is not there."""
    NOT_ADDRESSABLE = "NOT_ADDRESSABLE"
    """The invitation names no account. Its sweep finds it."""
    FAILED = "FAILED"
    """Neither delivered nor refused in time."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One hint, and what became of it."""

    hint: Hint
    outcome: Outcome
    code: str = ""
    """EventBridge's error code; empty where it took the hint."""


class Buses:
    """The buses of all accounts in one region."""

    def __init__(self, client: EventBridgeClient, clock: retry.Clock, partition: str, region: str) -> None:
        self._client = client
        self._clock = clock
        self._arn = f"arn:{partition}:events:{region}:{{}}:event-bus/{BUS}"

    def send(self, hints: Sequence[Hint]) -> Iterator[Sent]:
        """Sends hints, each addressed to an account. What EventBridge cannot take now is tried again until it can."""
        entries = [hint.entry(self._arn.format(hint.account_id)) for hint in hints]
        answers = put_events.put(self._clock, lambda: self._client, entries)
        return map(_judged, hints, answers)


def _judged(hint: Hint, answer: put_events.Answer) -> Sent:
    if not answer.code:
        return Sent(hint, Outcome.SENT)
    refused = answer.code in _UNREACHED and not any(ours in answer.message for ours in _OUR_OWN)
    return Sent(hint, Outcome.UNREACHED if refused else Outcome.FAILED, showable(answer.code))
