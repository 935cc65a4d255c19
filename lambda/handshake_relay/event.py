"""What woke the relay: a call in the management account that created handshakes, as its rules pass it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handshake_relay.hint import ENABLE_ALL_FEATURES, Hint, from_record, make


@dataclass(frozen=True, slots=True)
class Call:
    """One call that created a handshake, or several."""

    hint: Hint
    """The handshake that the call's record names."""
    fans_out: bool
    """Whether the handshakes that matter are others, one a member, which the record does not name."""


def parse(event: object) -> Call | None:
    """Reads what a rule passes on, or a whole record, which somebody sends again by hand. Never raises.

    None if it is neither: nothing is sent then.
    """
    if not isinstance(event, dict):
        return None
    if "detail" in event:
        detail: Any = event["detail"]
        hint, name = from_record(event), detail.get("eventName") if isinstance(detail, dict) else None
    else:
        hint = make(event.get("handshake_id"), event.get("action"), event.get("created_at"), event.get("account_id"))
        name = event.get("event_name")
    return Call(hint, fans_out=name == ENABLE_ALL_FEATURES) if hint else None
