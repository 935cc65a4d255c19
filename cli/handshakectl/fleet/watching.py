"""Looks at accounts again and again, until none of them is on its way any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handshakectl.account.standing import Standing
from handshakectl.fleet.grouping import counted
from handshakectl.fleet.selection import Target
from handshakectl.fleet.status import Row

EVERY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time in seconds from any point, and how to wait."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def watch(
    targets: Sequence[Target],
    look: Callable[[Sequence[Target]], list[Row]],
    minutes: float,
    clock: Clock,
    tell: Callable[[str], None] | None = None,
) -> list[Row]:
    """The rows in the order of their targets, once none is `waiting` or the minutes are over.

    Only those that wait, or could not be reached, are looked at again. `tell` is given the count meanwhile.
    """
    rows, until = look(targets), clock.monotonic() + minutes * 60
    while any(row.verdict is Standing.WAITING for row in rows):
        if tell:
            tell(counted([row.verdict for row in rows], Standing))
        if clock.monotonic() + EVERY_SECONDS > until:
            break
        clock.sleep(EVERY_SECONDS)
        again = [i for i, row in enumerate(rows) if row.verdict in (Standing.WAITING, Standing.UNREACHABLE)]
        for index, row in zip(again, look([targets[i] for i in again]), strict=True):
            rows[index] = row
    return rows
