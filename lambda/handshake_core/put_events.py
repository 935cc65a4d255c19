"""Puts events on buses, ten a call, and says of each what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handshake_core import retry
from handshake_core.errors import TABLE, Remedy, classify

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef as Entry

MOST_ENTRIES = 10
"""Of one call: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html."""

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
_RETRYABLE = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What EventBridge says of one entry."""

    code: str
    """Its error code; empty where it took the entry."""
    message: str
    remedy: Remedy | None
    """What to do about it; None where it took the entry."""

    @property
    def again(self) -> bool:
        """Whether it may take it in seconds."""
        return self.remedy is Remedy.RETRY_NOW

    @property
    def later(self) -> bool:
        """Whether it may take it later, be that in seconds or in another run."""
        return self.remedy in (Remedy.RETRY_NOW, Remedy.RETRY_LATER)


def put(
    clock: retry.Clock, client: Callable[[], EventBridgeClient], entries: Sequence[Entry], *, patient: bool = True
) -> Iterator[Answer]:
    """Puts entries, and gives an answer for each, in their order, after every ten.

    What seconds cure is tried again until it is taken, or until no call may begin any more; once only, unless
    `patient`. `client` is asked for before every call. Never raises for what happens on the other side.
    """
    for start in range(0, len(entries), MOST_ENTRIES):
        yield from _put_together(clock, client, entries[start : start + MOST_ENTRIES], patient)


def _put_together(
    clock: retry.Clock, client: Callable[[], EventBridgeClient], entries: Sequence[Entry], patient: bool
) -> Iterator[Answer]:
    answers: dict[int, Answer] = {}

    def attempt() -> bool:
        waiting = [number for number in range(len(entries)) if number not in answers or answers[number].again]
        answers.update(zip(waiting, _put(clock, client, [entries[number] for number in waiting]), strict=True))
        return patient and any(answer.again for answer in answers.values())

    retry.poll(clock, attempt, bool)
    yield from (answers[number] for number in range(len(entries)))


def _put(clock: retry.Clock, client: Callable[[], EventBridgeClient], entries: Sequence[Entry]) -> list[Answer]:
    """One call, and what it says of each entry, in their order."""
    try:
        return retry.in_time(clock, lambda: _answers(client().put_events(Entries=entries), len(entries)))
    except retry.CALL_FAILURES as error:
        failure = classify(error)
        answer = Answer(failure.code, _message(error), failure.remedy)
        if not answer.later and len(entries) > 1:
            # One entry that is refused must not take its neighbours in the call along.
            return [answer for entry in entries for answer in _put(clock, client, [entry])]
        return [answer] * len(entries)


def _answers(response: Mapping[str, Any], count: int) -> list[Answer]:
    """What a response says of every entry. Raises for one that does not."""
    entries = response["Entries"]
    if len(entries) != count:
        raise ValueError("an answer for other entries")
    pairs = [(str(each.get("ErrorCode") or ""), str(each.get("ErrorMessage") or "")) for each in entries]
    return [Answer(code, message, _remedy(code)) for code, message in pairs]


def _remedy(code: str) -> Remedy | None:
    if not code:
        return None
    row = TABLE.get(code)
    return Remedy.RETRY_NOW if code in _RETRYABLE else row.remedy if row else Remedy.NEEDS_HUMAN


def _message(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, ClientError) else ""
