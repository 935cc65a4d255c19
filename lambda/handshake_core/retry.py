"""The one retry layer, for every call: full jitter, and no call that could end after the invocation's own deadline.

botocore's own retries are off (they never retry ConcurrentModificationException, and two layers multiply).
Time, sleep and randomness are arguments.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import tenacity
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handshake_core.errors import OutOfTime, Remedy, classify

T = TypeVar("T")

CALL_FAILURES = (ClientError, BotoCoreError, ResponseParserError, OutOfTime)
"""Everything that a call raises for what happened on the other side, or because there was no time left to begin it."""


class RepeatedPage(Exception):
    """A list gave the same `NextToken` twice, so that it would never end."""


class EndlessList(Exception):
    """A list has more pages than any that AWS keeps."""


READ_FAILURES = (*CALL_FAILURES, RepeatedPage, EndlessList)
"""Everything that reading a list raises."""

CALL = 18.0
"""Seconds that one call takes at the longest: 3 to connect and 15 to read, see `client_config`."""
TELL = 2.0
"""Seconds kept back at the end of a run, to write what it has to say."""
MARGIN = CALL + TELL
"""Seconds that must be left for a call to begin."""

_MOST_PAGES = 2_000  # of ten parameters: twice what a region can hold
_BASE = 0.1  # seconds; the first backoff is between 0 and this
_CAP = 20.0  # seconds; no backoff is longer


@dataclass
class Clock:
    """Time as one invocation sees it. All durations are seconds."""

    now: Callable[[], datetime]
    remaining: Callable[[], float]
    """Until the invocation is cut off."""
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """Uniform in [0, 1)."""

    def backoff(self, attempt: int) -> float:
        """Full jitter: how long to wait after attempt number `attempt`, counted from 1."""
        return self.random() * float(min(_CAP, _BASE * 2 ** min(attempt - 1, 30)))

    def has_time(self, upcoming: float = 0.0) -> bool:
        """Whether a call that begins after a wait of `upcoming` seconds ends before the deadline at the longest."""
        return self.remaining() - upcoming >= MARGIN


def client_config(user_agent: str) -> Config:
    """How a function's clients call: one attempt each, of `CALL` seconds at the longest, under the function's name.

    CloudTrail shows the name in `userAgent`; botocore would put together a longer one for every call.
    """
    return Config(connect_timeout=3, read_timeout=15, retries={"total_max_attempts": 1}, user_agent=user_agent)


def real_clock(
    remaining: Callable[[], float],
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> Clock:
    """Real time, of which `remaining` says how many seconds are left.

    The wall clock is read once, for it may be set while an invocation lasts: then an age would shrink, or grow.
    """
    began, started = wall(), monotonic()

    def now() -> datetime:
        return began + timedelta(seconds=monotonic() - started)

    return Clock(now=now, remaining=remaining, sleep=time.sleep, random=random.random)


def _retrying(clock: Clock, **options: Any) -> tenacity.Retrying:
    """Attempts with backoff while there is time."""
    return tenacity.Retrying(
        wait=lambda state: clock.backoff(state.attempt_number),
        stop=lambda state: not clock.has_time(state.upcoming_sleep),
        sleep=clock.sleep,
        **options,
    )


def normalize_errors(function: Callable[[], T]) -> T:
    """Calls once. Raises one of `CALL_FAILURES`, and nothing else.

    botocore's parser raises whatever it stumbles on where an answer is not shaped as its model says (a number for an
    object, a text for a time), and so do those who read on in the answer.
    """
    try:
        return function()
    except CALL_FAILURES:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ResponseParserError(f"the answer cannot be read: {type(error).__name__}") from error


def in_time(clock: Clock, function: Callable[[], T]) -> T:
    """Calls once, if the call would end before the deadline. Raises one of `CALL_FAILURES`; `OutOfTime` is one."""
    if not clock.has_time():
        raise OutOfTime
    return normalize_errors(function)


def call_with_retries(clock: Clock, function: Callable[[], T]) -> T:
    """Calls what is safe to repeat, until it answers. Raises one of `CALL_FAILURES` when it does not in time."""
    again = tenacity.retry_if_exception(is_retry_now)
    return _retrying(clock, retry=again, reraise=True)(partial(in_time, clock, function))


def poll(clock: Clock, look: Callable[[], T], again: Callable[[T], bool]) -> T:
    """Looks with backoff while `again` says so and there is time; then gives what the last look showed."""
    return _retrying(
        clock,
        retry=tenacity.retry_if_result(again),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )(look)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and when the call that gave it began and ended."""

    content: Mapping[str, Any]
    began: datetime
    ended: datetime


def pages(
    clock: Clock,
    function: Callable[..., Mapping[str, Any]],
    check: Callable[[Mapping[str, Any]], object] = bool,
    *,
    patient: bool = True,
    **arguments: Any,
) -> Iterator[Page]:
    """All pages of a list. Pages can be empty and still carry a `NextToken`; the last one has none.

    Each page is retried by itself, and so is one that `check` cannot read; unless `patient`, nothing is retried.
    Raises one of `READ_FAILURES`.
    """

    def read() -> tuple[Page, str]:
        began = clock.now()
        content = function(**arguments)
        ended = clock.now()
        check(content)
        token = content.get("NextToken") or ""
        if not isinstance(token, str):
            raise TypeError("a NextToken is not a text")
        return Page(content, began, ended), token

    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        page, token = (call_with_retries if patient else in_time)(clock, read)
        yield page
        if not token:
            return
        if token in seen:
            raise RepeatedPage("a list gives the same page again")
        seen.add(token)
        arguments["NextToken"] = token
    raise EndlessList("a list does not end")


def error_code(error: BaseException) -> str:
    """The service's error code, or the name of the exception."""
    return classify(error).code if isinstance(error, CALL_FAILURES) else type(error).__name__


def is_retry_now(error: BaseException) -> bool:
    """Whether seconds may cure it."""
    return isinstance(error, CALL_FAILURES) and classify(error).remedy is Remedy.RETRY_NOW
