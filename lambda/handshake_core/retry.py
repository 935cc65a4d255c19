"""The one retry layer, for every call: full jitter, until the invocation's own deadline less a margin.

botocore's own retries are off (they never retry ConcurrentModificationException, and two layers multiply).
Time, sleep and randomness are arguments.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import tenacity
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handshake_core.errors import Remedy, classify

T = TypeVar("T")

CALL_FAILURES = (ClientError, BotoCoreError, ResponseParserError)
"""Everything that a call of botocore raises for what happened on the other side."""


class RepeatedPage(Exception):
    """A list gave the same `NextToken` twice, so that it would never end."""


class EndlessList(Exception):
    """A list has more pages than any that AWS keeps."""


READ_FAILURES = (*CALL_FAILURES, RepeatedPage, EndlessList)
"""Everything that reading a list raises."""

MARGIN = 40.0
"""Seconds kept back: an attempt can take 3 s to connect and 15 s to read, a look is two of them, one after the other,
and the records must be written."""

_MOST_PAGES = 2_000  # of ten parameters: twice what a region can hold
_BASE = 0.5  # seconds; the first backoff is between 0 and this
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
    waits: int = field(default=0)
    """How often somebody has slept: what was read before the last wait is to be read again before acting."""

    def wait(self, seconds: float) -> None:
        """Sleeps, and counts it."""
        self.waits += 1
        self.sleep(seconds)

    def backoff(self, attempt: int) -> float:
        """Full jitter: how long to wait after attempt number `attempt`, counted from 1."""
        return self.random() * float(min(_CAP, _BASE * 2 ** min(attempt - 1, 10)))

    def has_time(self, upcoming: float = 0.0) -> bool:
        """Whether one more attempt, after a wait of `upcoming`, would end before the deadline."""
        return self.remaining() - upcoming > MARGIN


def client_config(user_agent: str) -> Config:
    """How a function's clients call: one attempt each, which ends well before `MARGIN`, under the function's name.

    CloudTrail shows the name in `userAgent`; botocore would put together a longer one for every call.
    """
    return Config(connect_timeout=3, read_timeout=15, retries={"total_max_attempts": 1}, user_agent=user_agent)


def real_clock(remaining: Callable[[], float]) -> Clock:
    """Real time, of which `remaining` says how many seconds are left."""
    return Clock(now=lambda: datetime.now(UTC), remaining=remaining, sleep=time.sleep, random=random.random)


def retrying(clock: Clock, retryable: Callable[[BaseException], bool]) -> tenacity.Retrying:
    """Attempts with backoff while `retryable` says so and there is time; then raises the last error."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(retryable),
        wait=lambda state: clock.backoff(state.attempt_number),
        stop=lambda state: not clock.has_time(state.upcoming_sleep),
        sleep=clock.wait,
        reraise=True,
    )


def once(function: Callable[[], T]) -> T:
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


def call(clock: Clock, function: Callable[[], T]) -> T:
    """Calls what is safe to repeat, until it answers. Raises one of `CALL_FAILURES` when it does not in time."""
    return retrying(clock, is_retry_now)(partial(once, function))


def until(clock: Clock, look: Callable[[], T], again: Callable[[T], bool]) -> T:
    """Looks with backoff while `again` says so and there is time; then gives what the last look showed."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(again),
        wait=lambda state: clock.backoff(state.attempt_number),
        stop=lambda state: not clock.has_time(state.upcoming_sleep),
        sleep=clock.wait,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )(look)


def pages(
    clock: Clock,
    function: Callable[..., dict[str, Any]],
    check: Callable[[dict[str, Any]], object] = bool,
    **arguments: Any,
) -> Iterator[dict[str, Any]]:
    """All pages of a list. Pages can be empty and still carry a `NextToken`; the last one has none.

    Each page is retried by itself, and so is one that `check` cannot read. Raises one of `READ_FAILURES`.
    """

    def read() -> tuple[dict[str, Any], str]:
        page = function(**arguments)
        check(page)
        token = page.get("NextToken") or ""
        if not isinstance(token, str):
            raise TypeError("a NextToken is not a text")
        return page, token

    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        page, token = call(clock, read)
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
