"""The hours after: members of one organization that sweep, and whose lists meet in their organization's bucket.

A sweep that finds nothing is its list and that list's retries: this plays them with the function's own backoff,
deadline and memory of its looks, and a test shows that the function's whole run makes the same calls. Members are
`polite`, or each insists until its deadline, fails, and is tried again twice, as Lambda does with asynchronous
invocations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random

from bench.simulation.limits import PER_ORGANIZATION, RETRIED_AFTER, SWEEP, TIMEOUT, Assumed, Bucket
from bench.simulation.virtual_time import Loop
from handshake_acceptor.sweeps.memory import LONGEST_PERIOD, SweepMemory, gives_up, minute_of
from handshake_core.retry import MARGIN, Clock
from local.world import START

HOUR = 3_600.0


@dataclass
class Member:
    """One account, and what its process remembers."""

    minute: int
    memory: SweepMemory = field(default_factory=SweepMemory)
    looked_at: float | None = None
    """Seconds; in whatever process."""


class Members:
    """`run` it once, then read what happened."""

    def __init__(
        self, members: int, period: float, assumed: Assumed, duration: float, *, polite: bool, since: float = 0.0
    ) -> None:
        """Sweeps begin for `duration` seconds, each in a process of its own at first; all that have begun end.

        What is before `since` is not counted.
        """
        self.polite = polite
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.sweeps = self.runs = self.skipped = self.given_up = 0
        self.blind_sweeps = 0
        """Sweeps that saw nothing: all three tries failed, or the one gave up."""
        self.blind_runs = 0
        """Polite runs that failed, for their process had not looked for two hours."""
        self.seconds = 0.0
        self.unthrottled_seconds = 0.0
        """What Lambda would bill if every list were served at once."""
        self.gaps: list[float] = []
        """Seconds between two looks of a member."""
        self.looked: list[float] = []
        """The share of members that looked within the last hour, once a sweep's period."""
        self._loop = Loop()
        self._reading, self._cold = assumed.reading, assumed.cold
        survives = period <= LONGEST_PERIOD * 60
        self._renewed = min(period / assumed.process, 1.0) if survives else 1.0
        self._period, self._duration, self._since = period, duration, since
        self._bucket = Bucket(*PER_ORGANIZATION["ListHandshakesForAccount"])
        self._dice = dice = Random("members")
        self._backoff = backoff(dice)
        self._members = [Member(minute_of(f"{number:012d}")) for number in range(members)]
        for member in self._members:
            self._plan(member, dice.random() * period)
        for step in range(int((duration - since) / SWEEP)):
            self._loop.at(since + (step + 1) * SWEEP, self._sample)

    def run(self) -> Members:
        self._loop.run()
        return self

    def _sample(self) -> None:
        hour = self._loop.now - HOUR
        seen = sum(member.looked_at is not None and member.looked_at >= hour for member in self._members)
        self.looked.append(seen / len(self._members))

    def _plan(self, member: Member, due: float) -> None:
        if due < self._duration:
            self._loop.at(due, partial(self._sweep, member))

    def _sweep(self, member: Member) -> None:
        now = self._loop.now
        self._plan(member, now + self._period)
        counts = now >= self._since
        self.sweeps += counts
        if member.memory.began is None or self._dice.random() < self._renewed:
            member.memory = SweepMemory(began=_time(now))
            self.seconds += self._cold * counts
            self.unthrottled_seconds += self._cold * counts
        self.unthrottled_seconds += self._reading * counts
        self._begin(member, 0)

    def _begin(self, member: Member, tries: int) -> None:
        now = self._loop.now
        counts = now >= self._since
        self.runs += counts
        if self.polite and member.memory.skips(_time(now), member.minute):
            self.skipped += counts
            self.calls["GetParametersByPath"] += counts
            self.seconds += self._reading * counts
            return
        over = partial(self._over, member, tries, now)
        told = (self.calls, self.throttled) if counts else (Counter[str](), Counter[str]())
        idle_run(self._loop, self._bucket, self._backoff, self._reading, *told, over, polite=self.polite)

    def _over(self, member: Member, tries: int, began: float, seconds: float, served: bool) -> None:
        counts = began >= self._since
        self.seconds += seconds * counts
        if served:
            if member.looked_at is not None and counts:
                self.gaps.append(self._loop.now - member.looked_at)
            member.looked_at = self._loop.now
            member.memory.looked(_time(began))
            return
        fails = True
        if self.polite:
            now = _time(self._loop.now)
            self.given_up += counts
            member.memory.gave_up(now, self._dice.random())
            fails = member.memory.is_blind(now)
            self.blind_runs += fails and counts
        if fails and tries < len(RETRIED_AFTER):
            self._loop.at(self._loop.now + RETRIED_AFTER[tries], partial(self._begin, member, tries + 1))
        else:
            self.blind_sweeps += counts


def _time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def backoff(dice: Random) -> Callable[[int], float]:
    """The function's own."""
    return Clock(now=lambda: START, remaining=lambda: 0.0, sleep=lambda _: None, random=dice.random).backoff


_LONGEST = Clock(now=lambda: START, remaining=lambda: 0.0, sleep=lambda _: None, random=lambda: 1.0).backoff


def idle_run(
    loop: Loop,
    bucket: Bucket,
    backoff: Callable[[int], float],
    reading: float,
    calls: Counter[str],
    throttled: Counter[str],
    over: Callable[[float, bool], None],
    *,
    polite: bool,
) -> None:
    """A run that finds nothing: the policy is read beside the first list, and once more after one that was given up.

    `over` is told how many seconds it took, and whether the list was served.
    """
    began = loop.now
    calls["GetParametersByPath"] += 1

    def given_up() -> None:
        calls["GetParametersByPath"] += 1
        over(loop.now - began, False)

    def answered(attempt: int) -> None:
        calls["ListHandshakesForAccount"] += 1
        if bucket.take(loop.now):
            over(loop.now - began, True)
            return
        throttled["ListHandshakesForAccount"] += 1
        if polite and gives_up(loop.now - began, _LONGEST(attempt)):
            loop.at(loop.now + reading, given_up)
            return
        wait = backoff(attempt)
        if TIMEOUT - (loop.now - began) - wait >= MARGIN:
            loop.at(loop.now + wait + reading, partial(answered, attempt + 1))
        else:
            over(loop.now - began, False)

    loop.at(began + reading, partial(answered, 1))
