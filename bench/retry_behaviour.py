"""How the retries behave beside two others, over the same fault schedules, in virtual time.

- ours: the function's own reconcile, which looks and decides again before every further attempt;
- standard: botocore's standard mode (three attempts, exponential backoff with full jitter and at most 20 s, and no
  second attempt for ConcurrentModificationException), a call that fails in the end ends the run;
- twenty tries: every call up to twenty times, whatever failed, with full jitter and at most 20 s.

All three have 240 s and read the same things first. A schedule says for every second and call whether AWS throttles,
answers 5xx (with or without the effect), loses the connection or modifies concurrently; it is a seed's, not a run's.

Ours makes more calls than twenty tries, at most half as many again: before every attempt it reads the policy again, and
what else is too old by then. It does not take longer, for it waits less after its first failures. The last figure says
what the calls buy: a Deny that is set during the first wait comes too late for the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import mean
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from bench.shared.figure import figure
from local.world import World, allow, client_error, deny

SCHEDULES = 400
TIMEOUT = 240.0
CALL = 0.1
"""Seconds that a call takes."""
_THROTTLED, _CONCURRENT = "TooManyRequestsException", "ConcurrentModificationException"
_MORE_CODES = {"ThrottlingException", "RequestLimitExceeded"}


METHODS = {
    "Accept": "accept_handshake",
    "List": "list_handshakes_for_account",
    "Organization": "describe_organization",
    "Describe": "describe_handshake",
}


@dataclass(frozen=True)
class Schedule:
    """What AWS does at a moment, whoever asks: `share` of the calls fail until `calm_after` seconds have passed."""

    seed: int
    share: float
    calm_after: float
    kinds: tuple[str, ...]
    only: str = ""
    """The one operation that fails; any, if empty."""

    def fault(self, operation: str, number: int, elapsed: float) -> str:
        """What happens to the `number`th call of an operation; empty if it is served."""
        if self.only not in ("", operation):
            return ""
        dice = random.Random(f"{self.seed} {operation} {number}")
        kind = dice.choice(self.kinds) if elapsed < self.calm_after and dice.random() < self.share else ""
        return "" if kind == "concurrent" and operation != "Accept" else kind


class Aws(World):
    """The world of one run under a schedule."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(timeout=TIMEOUT)
        self.schedule, self.numbers, self.began = schedule, dict[str, int](), self.now
        self.policy(allow())
        self.wanted = self.invite()
        self.random = random.Random(schedule.seed)
        self.served = {"Policy": self.parameters.get_parameters_by_path}
        self.parameters.get_parameters_by_path = self.through("Policy")  # type: ignore[method-assign]
        for operation, method in METHODS.items():
            self.served[operation] = getattr(self.client, method)
            setattr(self.client, method, self.through(operation))

    @property
    def elapsed(self) -> float:
        return (self.now - self.began).total_seconds()

    @property
    def calls(self) -> int:
        return sum(self.numbers.values())

    def through(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**request: Any) -> dict[str, Any]:
            self.numbers[operation] = number = self.numbers.get(operation, 0) + 1
            kind = self.schedule.fault(operation, number, self.elapsed)
            self.now += timedelta(seconds=15 if kind.startswith("timeout") else CALL)
            if kind == "throttled":
                raise client_error(_THROTTLED)
            if kind == "concurrent":
                raise client_error(_CONCURRENT)
            if kind == "5xx":
                raise client_error("ServiceException", status=500)
            answer = self.served[operation](**request)
            if kind == "5xx after":
                raise client_error("ServiceException", status=500)
            if kind == "reset after":
                raise ConnectionClosedError(endpoint_url="x")
            if kind == "timeout after":
                raise ReadTimeoutError(endpoint_url="x")
            return answer

        return call

    def ours(self) -> None:
        """The function's own way."""
        self.run()

    def other(self, attempts: int, retried: Callable[[Exception], bool]) -> None:
        """Reads the same, accepts, and looks until it reads ACCEPTED; each call with its own retries."""

        def tried(operation: str, **request: Any) -> dict[str, Any]:
            for attempt in range(1, attempts + 1):
                try:
                    return self.through(operation)(**request)
                except (ClientError, BotoCoreError) as error:
                    wait = self.random.random() * min(20.0, 2.0 ** (attempt - 1))
                    out_of_time = self.elapsed + wait > TIMEOUT - 20
                    if attempt == attempts or out_of_time or not retried(error):
                        raise
                    self.sleep(wait)
            raise AssertionError("unreachable")

        try:
            tried("Policy", Path="/handshake-acceptor", MaxResults=10)
            tried("List")
            try:
                tried("Organization")
            except ClientError as error:
                if error.response["Error"]["Code"] != "AWSOrganizationsNotInUseException":
                    raise
            tried("Accept", HandshakeId=self.wanted)
        except (ClientError, BotoCoreError):
            return

    def accepted_after(self) -> float | None:
        """Seconds until the accept had its effect; None if it did not within the run."""
        found = self.service.handshake(self.wanted)
        return (found.finished_at - self.began).total_seconds() if found.finished_at else None


def standard(aws: Aws) -> None:
    """botocore 1.44's standard mode, as botocore.retries.standard does it."""
    aws.other(3, lambda error: code(error) in {_THROTTLED, "ServiceException", ""} | _MORE_CODES)


def twenty_tries(aws: Aws) -> None:
    """Twenty tries for what is retryable at all."""
    aws.other(20, lambda error: code(error) in {_THROTTLED, _CONCURRENT, "ServiceException", ""} | _MORE_CODES)


def code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def schedules(name: str) -> list[Schedule]:
    """A day like any other, throttling, an outage of a minute or two, and concurrent changes."""
    every = ("throttled", "concurrent", "5xx", "5xx after", "reset after", "timeout after")
    shapes: dict[str, tuple[float, float, tuple[str, ...]]] = {
        "mixed faults, 30 % of calls": (0.3, 1e9, every),
        "throttled, 60 % of calls": (0.6, 1e9, ("throttled",)),
        "concurrent modification, 50 % of accepts": (0.5, 1e9, ("concurrent",)),
        "outage of 60 s": (1.0, 60.0, ("5xx", "throttled")),
        "outage of 120 s": (1.0, 120.0, ("5xx", "throttled")),
    }
    share, calm_after, kinds = shapes[name]
    return [Schedule(seed, share, calm_after, kinds) for seed in range(SCHEDULES)]


NAMES = (
    "mixed faults, 30 % of calls",
    "throttled, 60 % of calls",
    "concurrent modification, 50 % of accepts",
    "outage of 60 s",
    "outage of 120 s",
)


def main() -> None:
    for name in NAMES:
        results: dict[str, list[Aws]] = {}
        for way in (Aws.ours, standard, twenty_tries):
            results[way.__name__] = [Aws(schedule) for schedule in schedules(name)]
            for aws in results[way.__name__]:
                way(aws)
        ours = results.pop("ours")
        for rival, theirs in results.items():
            told = f"retries, {name}, against {rival.replace('_', ' ')}"
            both = [
                (a, b)
                for a, b in zip(ours, theirs, strict=True)
                if None not in (a.accepted_after(), b.accepted_after())
            ]
            figure(f"{told}: accepted in the first run", *shares(ours, theirs))
            figure(f"{told}: calls a run", mean(a.calls for a in ours), "calls", mean(b.calls for b in theirs))
            accepts = [mean(each.numbers.get("Accept", 0) for each in group) for group in (ours, theirs)]
            figure(f"{told}: accept calls a run", accepts[0], "calls", accepts[1])
            if both:
                times = [mean(pair[side].accepted_after() or 0.0 for pair in both) for side in (0, 1)]
                figure(f"{told}: time to accept where both do", times[0], "s", times[1])
    share, calm_after, kinds = 1.0, 5.0, ("throttled",)
    denied = {}
    for way in (Aws.ours, twenty_tries):
        worlds = [Aws(Schedule(seed, share, calm_after, kinds, only="Accept")) for seed in range(SCHEDULES)]
        for aws in worlds:
            aws.on_sleep = partial(aws.policy, deny("Brake"), name="brake")
            way(aws)
        denied[way.__name__] = mean(aws.accepted_after() is not None for aws in worlds)
    told = "retries, a Deny set during the first wait, against twenty tries: accepted all the same"
    figure(told, denied["ours"], "share", denied["twenty_tries"])


def shares(ours: list[Aws], theirs: list[Aws]) -> tuple[float, str, float]:
    first, second = (mean(each.accepted_after() is not None for each in group) for group in (ours, theirs))
    return first, "share", second


if __name__ == "__main__":
    main()
