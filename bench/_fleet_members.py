"""The hours after: members of one organization that sweep, and whose lists meet in their organization's bucket.

A sweep that finds nothing is its list and that list's retries: this plays them with the function's own backoff and
deadline, and a test shows that the function's whole run makes the same calls. One that fails is tried again twice, as
Lambda does with asynchronous invocations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from bench._fleet_limits import PER_ORGANIZATION, RETRIED_AFTER, TIMEOUT, Assumed, Bucket
from bench._virtual_time import Loop
from handshake_acceptor.retry import MARGIN, Clock


@dataclass
class Members:
    """`run` it once, then read what happened."""

    members: int
    period: float
    assumed: Assumed
    duration: float
    calls: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    failed_runs: int = 0
    sweeps: int = 0
    blind_sweeps: int = 0
    """Sweeps of which all three tries failed."""
    seconds: float = 0.0

    @property
    def unthrottled_seconds(self) -> float:
        """What Lambda bills of a run whose list is served at once."""
        return self.assumed.reading + self._starting

    def run(self) -> Members:
        self.loop = Loop()
        self.bucket = Bucket(*PER_ORGANIZATION["ListHandshakesForAccount"])
        self.dice = Random("members")
        # Only its backoff is used, which asks no clock.
        self.clock = Clock(now=lambda: None, remaining=lambda: 0.0, sleep=lambda _: None, random=self.dice.random)  # type: ignore[arg-type, return-value]
        for _ in range(self.members):
            self._due(self.dice.random() * self.period)
        self.loop.run()
        return self

    @property
    def _starting(self) -> float:
        return self.assumed.cold_share * self.assumed.cold

    def _due(self, when: float) -> None:
        if when < self.duration:
            self.loop.at(when, partial(self._sweep, when))

    def _sweep(self, due: float) -> None:
        self.sweeps += 1
        self._due(due + self.period)
        self._begin(0)

    def _begin(self, tries: int) -> None:
        self.runs += 1
        idle_run(self.loop, self.bucket, self.clock, self.assumed.reading, self.calls, partial(self._over, tries))

    def _over(self, tries: int, seconds: float, served: bool) -> None:
        self.seconds += seconds + self._starting
        if served:
            return
        self.failed_runs += 1
        if tries < len(RETRIED_AFTER):
            self.loop.at(self.loop.now + RETRIED_AFTER[tries], partial(self._begin, tries + 1))
        else:
            self.blind_sweeps += 1


def idle_run(
    loop: Loop,
    bucket: Bucket,
    clock: Clock,
    reading: float,
    calls: Counter[str],
    over: Callable[[float, bool], None],
) -> None:
    """A run that finds nothing: the policy is read beside the first list, and again if the list had to wait."""
    began = loop.now
    calls["GetParametersByPath"] += 1

    def answered(attempt: int) -> None:
        calls["ListHandshakesForAccount"] += 1
        if bucket.take(loop.now):
            calls["GetParametersByPath"] += attempt > 1
            over(loop.now - began, True)
            return
        calls["throttled"] += 1
        wait = clock.backoff(attempt)
        if TIMEOUT - (loop.now - began) - wait > MARGIN:
            loop.at(loop.now + wait + reading, partial(answered, attempt + 1))
        else:
            over(loop.now - began, False)

    loop.at(began + reading, partial(answered, 1))
