from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.parsers import ResponseParserError

from handshake_core import retry
from handshake_core.errors import OutOfTime
from handshake_core.retry import MARGIN, Clock
from local.world import START, client_error

THROTTLED = client_error("ThrottlingException")
REFUSED = client_error("AccessDeniedException")


@dataclass
class Time:
    """Time that passes only in sleeps, and backoffs that are as long as they can be."""

    left: float = 1000.0
    now: datetime = START
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.left -= seconds
        self.now += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, remaining=lambda: self.left, sleep=self.sleep, random=lambda: 1.0)


def answers(*those: Any) -> Callable[..., Any]:
    """One after the other, then the last for ever; errors are raised."""
    left = list(those)

    def call(**_: Any) -> Any:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call


def test_backoffs_double_to_twenty_seconds_and_are_jittered_from_nothing() -> None:
    clock = Time().clock()
    assert [clock.backoff(attempt) for attempt in range(1, 10)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20]
    assert clock.backoff(10_000) == 20
    clock.random = lambda: 0.5
    assert clock.backoff(2) == 0.1


def test_a_call_begins_only_if_it_ends_before_the_deadline_at_the_longest() -> None:
    assert (retry.CALL, retry.TELL, MARGIN) == (18, 2, 20)
    clock = Time(left=25).clock()
    assert clock.has_time()
    assert clock.has_time(5)
    assert not clock.has_time(5.001)


def test_the_client_tries_once_and_for_as_long_as_a_call_may_take() -> None:
    config: Any = retry.client_config("handshake-acceptor")
    assert (config.connect_timeout, config.read_timeout) == (3, 15)
    assert config.connect_timeout + config.read_timeout == retry.CALL
    assert config.retries == {"total_max_attempts": 1}
    assert config.user_agent == "handshake-acceptor"


def test_real_time_is_real() -> None:
    clock = retry.real_clock(lambda: 7.0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=10)
    assert clock.now().tzinfo is UTC
    assert (clock.remaining(), clock.sleep, clock.random) == (7.0, time.sleep, random.random)


def test_time_goes_on_as_it_passes_though_the_wall_clock_is_set_while_it_does() -> None:
    began, hours = datetime(2026, 11, 26, 4, tzinfo=UTC), timedelta(hours=5)
    wall, passed = iter([began, began - hours, began + hours]), iter([1_000.0, 1_000.0, 1_001.5, 1_003.0])
    clock = retry.real_clock(lambda: 7.0, wall=lambda: next(wall), monotonic=lambda: next(passed))
    assert [(clock.now() - began).total_seconds() for _ in range(3)] == [0, 1.5, 3]


def test_what_seconds_cure_is_called_until_it_answers() -> None:
    time = Time()
    assert (
        retry.call_with_retries(time.clock(), answers(THROTTLED, ReadTimeoutError(endpoint_url="x"), THROTTLED, "done"))
        == "done"
    )
    assert time.slept == [0.1, 0.2, 0.4]


def test_what_seconds_do_not_cure_is_called_once() -> None:
    time = Time()
    with pytest.raises(type(REFUSED)) as raised:
        retry.call_with_retries(time.clock(), answers(REFUSED, "never"))
    assert (raised.value, time.slept) == (REFUSED, [])


def test_the_last_error_is_raised_when_there_is_no_time_for_another_call() -> None:
    time = Time(left=MARGIN + 0.3)
    with pytest.raises(type(THROTTLED)) as raised:
        retry.call_with_retries(time.clock(), answers(THROTTLED))
    assert raised.value is THROTTLED
    assert time.slept == [0.1, 0.2]


@pytest.mark.parametrize("call", [retry.call_with_retries, retry.in_time])
def test_nothing_is_called_without_time(call: Callable[..., Any]) -> None:
    with pytest.raises(OutOfTime):
        call(Time(left=MARGIN - 0.001).clock(), answers("never"))
    assert call(Time(left=MARGIN).clock(), answers("in time")) == "in time"


@pytest.mark.parametrize("error", [ZeroDivisionError, AttributeError, KeyError, RecursionError, TypeError, ValueError])
def test_an_answer_that_cannot_be_read_is_a_call_failure_that_says_how(error: type[Exception]) -> None:
    with pytest.raises(ResponseParserError) as raised:
        retry.normalize_errors(answers(error("secret")))
    assert str(raised.value) == f"the answer cannot be read: {error.__name__}"
    assert isinstance(raised.value.__cause__, error)


def test_a_look_is_repeated_until_it_shows_what_is_waited_for() -> None:
    time = Time()
    assert retry.poll(time.clock(), answers(3, 2, 1, 0, 5), bool) == 0
    assert time.slept == [0.1, 0.2, 0.4]


def test_a_look_that_never_shows_it_gives_what_it_showed_last() -> None:
    time = Time(left=MARGIN + 0.3)
    assert retry.poll(time.clock(), answers(3, 2, 1), bool) == 1
    assert time.slept == [0.1, 0.2]


def test_pages_are_read_in_order_with_their_times() -> None:
    time, asked = Time(), []
    content = [{"NextToken": "a"}, {"Rows": 1, "NextToken": "b"}, {"Rows": 2, "NextToken": ""}]

    def page(**request: Any) -> dict[str, Any]:
        asked.append(request)
        time.now += timedelta(seconds=1)
        return content[len(asked) - 1]

    pages = list(retry.pages(time.clock(), page, Path="/x"))
    assert asked == [{"Path": "/x"}, {"Path": "/x", "NextToken": "a"}, {"Path": "/x", "NextToken": "b"}]
    assert [each.content for each in pages] == content
    assert [(each.began, each.ended) for each in pages] == [
        (START + timedelta(seconds=number), START + timedelta(seconds=number + 1)) for number in range(3)
    ]


def test_a_page_is_repeated_by_itself_unless_nobody_has_patience() -> None:
    time = Time()
    assert len(list(retry.pages(time.clock(), answers({"NextToken": "a"}, THROTTLED, {})))) == 2
    assert time.slept == [0.1]
    impatient = retry.pages(time.clock(), answers({"NextToken": "a"}, THROTTLED, {}), patient=False)
    assert next(impatient).content == {"NextToken": "a"}
    with pytest.raises(type(THROTTLED)):
        next(impatient)
    assert time.slept == [0.1]


def test_a_page_that_cannot_be_checked_is_repeated() -> None:
    def check(page: dict[str, Any]) -> None:
        page["Rows"]

    time = Time()
    [page] = retry.pages(time.clock(), answers({}, {"Rows": []}), check)
    assert (page.content, time.slept) == ({"Rows": []}, [0.1])


@pytest.mark.parametrize("token", [5, ["a"], {"a": 1}])
def test_a_token_that_is_no_text_cannot_be_read(token: object) -> None:
    with pytest.raises(ResponseParserError, match="TypeError"):
        next(retry.pages(Time().clock(), answers({"NextToken": token}), patient=False))


def test_a_page_that_comes_again_ends_the_list() -> None:
    with pytest.raises(retry.RepeatedPage, match=r"^a list gives the same page again$"):
        list(retry.pages(Time().clock(), answers({"NextToken": "a"}, {"NextToken": "b"}, {"NextToken": "a"})))


@pytest.mark.parametrize(("number", "ends"), [(2000, True), (2001, False)])
def test_a_list_of_more_pages_than_aws_has_does_not_end(number: int, ends: bool) -> None:
    pages = retry.pages(Time().clock(), answers(*({"NextToken": str(each)} for each in range(number - 1)), {}))
    if ends:
        assert len(list(pages)) == number
        return
    with pytest.raises(retry.EndlessList, match=r"^a list does not end$"):
        list(pages)


@pytest.mark.parametrize(
    ("error", "code", "curable"),
    [
        (THROTTLED, "ThrottlingException", True),
        (REFUSED, "AccessDeniedException", False),
        (OutOfTime(), "DEADLINE", True),
        (ReadTimeoutError(endpoint_url="x"), "ReadTimeoutError", True),
        (retry.RepeatedPage(), "RepeatedPage", False),
        (retry.EndlessList(), "EndlessList", False),
        (KeyboardInterrupt(), "KeyboardInterrupt", False),
    ],
)
def test_what_a_failure_is_called_and_whether_seconds_cure_it(error: BaseException, code: str, curable: bool) -> None:
    assert retry.error_code(error) == code
    assert retry.is_retry_now(error) is curable
