"""EventBridge: an event keeps the time that it was put with, and `TestEventPattern` takes whole events only."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

from local.adapters.ministack.buses import put_one_by_one

_MANDATORY = ("id", "account", "source", "time", "region", "resources", "detail-type")
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html"""


def keep_times(eventbridge: Any) -> None:
    """Ministack gives every event the time of its put.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html: "The time stamp of the
    event [...] If no time stamp is provided, the time stamp of the PutEvents call is used".
    """
    now = eventbridge._now_ts
    stated: ContextVar[float | None] = ContextVar("stated", default=None)

    def now_ts() -> float:
        time = stated.get()
        return float(now()) if time is None else time

    def put(entry: dict[str, Any], **more: Any) -> Any:
        token = stated.set(entry.get("Time"))
        try:
            return json.loads(put_all({"Entries": [entry]}, **more)[2])["Entries"][0]
        finally:
            stated.reset(token)

    put_all = put_one_by_one(eventbridge, lambda entry: "Time" in entry, put)
    eventbridge._now_ts = now_ts


def take_whole_events_only(eventbridge: Any) -> None:
    """Ministack tests an event that lacks fields. Which code AWS gives is not documented."""
    test = eventbridge._test_event_pattern

    def test_event_pattern(request: dict[str, Any]) -> Any:
        try:
            event = json.loads(request.get("Event") or "null")
        except ValueError:
            return test(request)
        missing = [name for name in _MANDATORY if isinstance(event, dict) and name not in event]
        if missing:
            message = f"Parameter Event is not valid. Reason: it lacks {', '.join(missing)}."
            return eventbridge.error_response_json("ValidationException", message, 400)
        return test(request)

    eventbridge._test_event_pattern = test_event_pattern
