"""Looks at accounts again and again, until none of them is on its way any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handshakectl.account.standing import Standing
from handshakectl.account.status import Row
from handshakectl.fleet.grouping import counted
from handshakectl.fleet.selection import Target
from handshakectl.output import progress_bar

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
) -> list[Row]:
    """The rows in the order of their targets, once none is `waiting` or the minutes are over.

    Only those that wait, or could not be reached, are looked at again. Meanwhile a terminal shows how many are where.
    """
    rows, until = look(targets), clock.monotonic() + minutes * 60
    while any(row.verdict is Standing.WAITING for row in rows):
        if clock.monotonic() + EVERY_SECONDS > until:
            break
        words = [row.verdict for row in rows]
        with progress_bar(counted(words, Standing), len(rows), len(rows) - words.count(Standing.WAITING)):
            clock.sleep(EVERY_SECONDS)
        again = [i for i, row in enumerate(rows) if row.verdict in (Standing.WAITING, Standing.UNREACHABLE)]
        for index, row in zip(again, look([targets[i] for i in again]), strict=True):
            rows[index] = row
    return rows
