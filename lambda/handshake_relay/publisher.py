"""Puts hints on the buses of invited accounts, ten a call, and says of each what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from botocore.exceptions import ClientError

from handshake_core import retry
from handshake_core.errors import Remedy, classify
from handshake_core.handshake import showable
from handshake_relay.hint import Hint

BUS = "handshake-acceptor"
"""What the bus is called in every account that has the acceptor."""

MOST_ENTRIES = 10
"""Of one call: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html."""

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
_RETRYABLE = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})
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


class Client(Protocol):
    """The one operation used of botocore's EventBridge client."""

    def put_events(self, **kwargs: Any) -> dict[str, Any]: ...


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

    def __init__(self, client: Client, clock: retry.Clock, partition: str, region: str) -> None:
        self._client = client
        self._clock = clock
        self._arn = f"arn:{partition}:events:{region}:{{}}:event-bus/{BUS}"

    def send(self, hints: Sequence[Hint]) -> Iterator[Sent]:
        """Sends hints, each addressed to an account. What EventBridge cannot take now is tried again until it can."""
        for start in range(0, len(hints), MOST_ENTRIES):
            yield from self._send(hints[start : start + MOST_ENTRIES])

    def _send(self, hints: Sequence[Hint]) -> Iterator[Sent]:
        answers: dict[Hint, _Answer] = {}

        def put() -> list[Hint]:
            waiting = [hint for hint in hints if hint not in answers or answers[hint].again]
            answers.update(zip(waiting, self._put(waiting), strict=True))
            return [hint for hint in waiting if answers[hint].again]

        retry.poll(self._clock, put, bool)
        yield from (_judged(hint, answers[hint]) for hint in hints)

    def _put(self, hints: Sequence[Hint]) -> list[_Answer]:
        """One call, and what it says of each hint, in their order."""
        entries = [hint.entry(self._arn.format(hint.account_id)) for hint in hints]
        try:
            return retry.in_time(self._clock, lambda: _answers(self._client.put_events(Entries=entries), len(hints)))
        except retry.CALL_FAILURES as error:
            failure = classify(error)
            if failure.remedy is not Remedy.RETRY_NOW and len(hints) > 1:
                # One account that refuses must not take its neighbours in the call along.
                return [answer for hint in hints for answer in self._put([hint])]
            return [_Answer(failure.code, _message(error), failure.remedy is Remedy.RETRY_NOW)] * len(hints)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What EventBridge says of one entry."""

    code: str
    message: str
    again: bool


def _answers(response: dict[str, Any], count: int) -> list[_Answer]:
    """What a response says of every entry. Raises for one that does not."""
    entries = response["Entries"]
    if len(entries) != count:
        raise ValueError("an answer for other entries")
    pairs = [(str(each.get("ErrorCode") or ""), str(each.get("ErrorMessage") or "")) for each in entries]
    return [_Answer(code, message, code in _RETRYABLE) for code, message in pairs]


def _judged(hint: Hint, answer: _Answer) -> Sent:
    if not answer.code:
        return Sent(hint, Outcome.SENT)
    refused = answer.code in _UNREACHED and not any(ours in answer.message for ours in _OUR_OWN)
    return Sent(hint, Outcome.UNREACHED if refused else Outcome.FAILED, showable(answer.code))


def _message(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, ClientError) else ""
