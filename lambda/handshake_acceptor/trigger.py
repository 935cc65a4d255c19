"""What woke the function. An event is a hint to look, never a fact to act on.

All that is taken from an event is a handshake id to look for, how old the hint says it is, and what kind of wake-up it
is: the record names the kind, and only a run of the kind `SWEEP` may skip its look. Anybody who may put events on a
bus may have written it, in any shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from handshake_core.handshake import HANDSHAKE_ID, timestamp

YOUNG = timedelta(minutes=3)
"""A handshake that a younger hint names may not have reached our list yet; an older hint's is not coming."""


class TriggerKind(StrEnum):
    """The word that the decision record gives for what woke the function."""

    HINT = "hint"
    SWEEP = "sweep"
    POLICY_CHANGED = "policy-changed"
    MANUAL = "manual"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What woke the function, and the handshake it hints at; empty if it names none."""

    kind: TriggerKind
    handshake_id: str
    sent_at: datetime | None
    """None where the event does not say, or not so that it can be read: such a hint is old."""

    @staticmethod
    def from_event(event: object) -> Trigger:
        """Reads an event of any shape. Never raises."""
        if event == {}:
            return Trigger(TriggerKind.MANUAL, "", None)
        source, time = _at(event, ("source",)), _at(event, ("time",))
        kind = _KINDS.get(source, TriggerKind.UNKNOWN) if isinstance(source, str) else TriggerKind.UNKNOWN
        refused = _at(event, ("detail", "errorCode"))  # a call that made no handshake
        found = (_at(event, path) for path in _ID_PATHS if not refused)
        ids = (value for value in found if isinstance(value, str) and HANDSHAKE_ID.fullmatch(value))
        return Trigger(kind, next(ids, ""), timestamp(time) if isinstance(time, str) else None)

    def is_young(self, now: datetime) -> bool:
        """Whether the hint is 0 to 3 minutes old. One from the future is not."""
        return self.sent_at is not None and timedelta(0) <= now - self.sent_at <= YOUNG


_KINDS = {
    "aws.scheduler": TriggerKind.SWEEP,
    "aws.ssm": TriggerKind.POLICY_CHANGED,
    "aws.organizations": TriggerKind.HINT,
    "handshake-acceptor.relay": TriggerKind.HINT,
    "handshake-acceptor.manual": TriggerKind.MANUAL,
}

# Where a handshake's id stands: in what our rules pass on, in a hint, and in a CloudTrail record as it comes.
_ID_PATHS = (
    ("handshake_id",),
    ("detail", "handshake_id"),
    ("detail", "responseElements", "handshake", "id"),
)


def _at(event: object, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(event, dict):
            return None
        event = event.get(key)
    return event
