"""Puts a process's events on a bus: what could not be put in one run, first in the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from handshake_acceptor.reporting.decision_events import MOST_REMEMBERED, Event, Invocation, Said, to_tell
from handshake_acceptor.reporting.record import Report
from handshake_core import put_events, retry

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

DECISION_UNSENT: Final = "DECISION_UNSENT"
"""The failure of a run that had something to tell and could not."""

PUT: Final = retry.CALL
"""Seconds at the end of a run that are kept back for one call, the longest that a put takes."""
_AT_FIRST: Final = 1.0
"""Seconds within which a run begins what it puts of an earlier one, so that it looks `PUT` later than this at most."""

Refused = Callable[[Event, str], None]
"""Is told of an event that the bus did not take, and of EventBridge's error code: nothing more becomes of it."""


class DecisionBus:
    """The bus of the setting `decisionBus`, and what this process said on it. One call at a time."""

    def __init__(self, bus: str, make_client: Callable[[], EventBridgeClient]) -> None:
        """`bus` is a name or an ARN. The client is made when something is first told: idle runs do without."""
        self._bus = bus
        self._client = cache(make_client)
        self._said = Said()
        self._unsent: list[Event] = []

    def catch_up(self, clock: retry.Clock, refused: Refused) -> None:
        """Puts the events that earlier runs could not. Each call is tried once and begins within a second."""
        later = clock.remaining() - retry.MARGIN - _AT_FIRST
        shortly = replace(clock, remaining=lambda: clock.remaining() - max(later, 0.0))
        self._put(shortly, refused, patient=False)

    def leaves_time(self, clock: retry.Clock) -> retry.Clock:
        """A clock whose deadline is `PUT` seconds earlier, so that one call still fits at the end."""
        return replace(clock, remaining=lambda: clock.remaining() - PUT)

    def tell(
        self, clock: retry.Clock, report: Report, account_id: str, run_id: str, refused: Refused
    ) -> tuple[str, ...]:
        """Tells what is new in a run that is over. Gives why that run failed; nothing, if all was put or refused."""
        events, self._said = to_tell(report, self._said, Invocation(account_id, run_id), clock.now())
        self._unsent += events
        self._put(clock, refused)
        return (DECISION_UNSENT,) if self._unsent else ()

    def _put(self, clock: retry.Clock, refused: Refused, *, patient: bool = True) -> None:
        entries = [event.entry(self._bus) for event in self._unsent]
        answers = put_events.put(clock, self._client, entries, patient=patient)
        answered = list(zip(self._unsent, answers, strict=True))
        self._unsent = [event for event, answer in answered if answer.later][-MOST_REMEMBERED:]
        for event, answer in answered:
            if answer.code and not answer.later:
                refused(event, answer.code)
