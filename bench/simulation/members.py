"""The hours after: members of one organization that sweep, and whose lists meet in their organization's bucket.

A sweep that finds nothing is its list and that list's retries: this plays them with the function's own backoff and
deadline, and a test shows that the function's whole run makes the same calls. One that fails is tried again twice, as
Lambda does with asynchronous invocations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

from bench.simulation.limits import PER_ORGANIZATION, RETRIED_AFTER, TIMEOUT, Assumed, Bucket
from bench.simulation.virtual_time import Loop
from handshake_core.retry import MARGIN, Clock
from local.world import START


class Members:
    """`run` it once, then read what happened."""

    def __init__(self, members: int, period: float, assumed: Assumed, duration: float) -> None:
        """Sweeps begin for `duration` seconds; all that have begun end."""
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.sweeps = self.runs = 0
        self.blind_sweeps = 0
        """Sweeps of which all three tries failed."""
        self.seconds = 0.0
        self._loop = Loop()
        self._reading = assumed.reading
        self._starting = assumed.cold_share * assumed.cold
        self._period, self._duration = period, duration
        self._bucket = Bucket(*PER_ORGANIZATION["ListHandshakesForAccount"])
        dice = Random("members")
        self._backoff = backoff(dice)
        for _ in range(members):
            self._plan(dice.random() * period)

    @property
    def unthrottled_seconds(self) -> float:
        """What Lambda would bill if every list were served at once."""
        return self.sweeps * (self._reading + self._starting)

    def run(self) -> Members:
        self._loop.run()
        return self

    def _plan(self, due: float) -> None:
        if due < self._duration:
            self._loop.at(due, partial(self._sweep, due))

    def _sweep(self, due: float) -> None:
        self.sweeps += 1
        self._plan(due + self._period)
        self._begin(0)

    def _begin(self, tries: int) -> None:
        self.runs += 1
        over = partial(self._over, tries)
        idle_run(self._loop, self._bucket, self._backoff, self._reading, self.calls, self.throttled, over)

    def _over(self, tries: int, seconds: float, served: bool) -> None:
        self.seconds += seconds + self._starting
        if served:
            return
        if tries < len(RETRIED_AFTER):
            self._loop.at(self._loop.now + RETRIED_AFTER[tries], partial(self._begin, tries + 1))
        else:
            self.blind_sweeps += 1


def backoff(dice: Random) -> Callable[[int], float]:
    """The function's own."""
    return Clock(now=lambda: START, remaining=lambda: 0.0, sleep=lambda _: None, random=dice.random).backoff


def idle_run(
    loop: Loop,
    bucket: Bucket,
    backoff: Callable[[int], float],
    reading: float,
    calls: Counter[str],
    throttled: Counter[str],
    over: Callable[[float, bool], None],
) -> None:
    """A run that finds nothing: the policy is read beside the first list.

    `over` is told how many seconds it took, and whether the list was served.
    """
    began = loop.now
    calls["GetParametersByPath"] += 1

    def answered(attempt: int) -> None:
        calls["ListHandshakesForAccount"] += 1
        if bucket.take(loop.now):
            over(loop.now - began, True)
            return
        throttled["ListHandshakesForAccount"] += 1
        wait = backoff(attempt)
        if TIMEOUT - (loop.now - began) - wait >= MARGIN:
            loop.at(loop.now + wait + reading, partial(answered, attempt + 1))
        else:
            over(loop.now - began, False)

    loop.at(began + reading, partial(answered, 1))
