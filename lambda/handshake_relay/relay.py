"""One run of the relay: read what was created, send each invited account a hint, and say what became of it.

It decides nothing. Whoever gets a hint looks for itself, and its sweep finds what no hint told of, so a hint that is
lost costs minutes and one too many costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from handshake_core.retry import READ_FAILURES, Clock, error_code
from handshake_relay.event import Call
from handshake_relay.hint import Hint
from handshake_relay.members import asked_members
from handshake_relay.publisher import Buses, Outcome, Sent

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient


@dataclass(frozen=True, slots=True)
class Report:
    """How many hints had which outcome."""

    counts: dict[Outcome, int]
    failures: tuple[str, ...]
    """What failed, each once: the run must end as failed if there is any."""


def relay(
    call: Call, organizations: OrganizationsClient, buses: Buses, clock: Clock, emit: Callable[[Sent], None]
) -> Report:
    """Sends the hints of one call; `emit` is told of each. What the other side did wrong is in the report."""
    hints, failures = _members(call, organizations, clock) if call.fans_out else ([call.hint], [])
    counts = dict.fromkeys(Outcome, 0)
    nameless = (Sent(hint, Outcome.NOT_ADDRESSABLE) for hint in hints if not hint.account_id)
    for sent in chain(nameless, buses.send([hint for hint in hints if hint.account_id])):
        counts[sent.outcome] += 1
        if sent.outcome is Outcome.FAILED:
            failures.append(f"HINT_NOT_SENT {sent.code}")
        emit(sent)
    return Report(counts, tuple(dict.fromkeys(failures)))


def _members(call: Call, organizations: OrganizationsClient, clock: Clock) -> tuple[list[Hint], list[str]]:
    """Hints for the members that are asked, and what failed: those listed before a page that cannot be read count."""
    hints: list[Hint] = []
    try:
        for hint in asked_members(organizations, clock, call.hint):
            hints.append(hint)
    except READ_FAILURES as error:
        return hints, [f"MEMBERS_UNREADABLE {error_code(error)}"]
    return hints, []
