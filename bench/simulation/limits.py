"""What the simulated AWS allows and how long it takes: every figure with its source, or said to be assumed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

# "Throttling limits" of https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html, read
# from a public copy on 2026-11-25: token buckets, (tokens a second, burst). Operations in one row share a bucket.
PER_ACCOUNT: dict[str, tuple[float, float]] = {
    "InviteAccountToOrganization": (3, 5),
    "ListHandshakesForAccount": (5, 8),
    "DescribeHandshake": (1, 2),
    "AcceptHandshake": (1, 2),
    "DescribeOrganization": (1, 2),
}
# The same page. Lists and descriptions of a standalone account count for no organization. Whether an accept counts for
# the organization that it joins, no text says; assumed that it does, which is the harder reading.
PER_ORGANIZATION: dict[str, tuple[float, float]] = {
    "ListHandshakesForAccount": (6, 10),
    "DescribeHandshake": (6, 10),
    "AcceptHandshake": (5, 5),
}
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html, us-east-1, the management account's own.
PUT_EVENTS = (10_000.0, 10_000.0)
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: seconds before the second and the
# third try of an asynchronous invocation that failed.
RETRIED_AFTER = (60.0, 120.0)
SWEEP = 300.0
"""The stack's default, sweepMinutes: 5."""
TIMEOUT = 240.0
"""The function's timeout in the stack."""


@dataclass
class Bucket:
    """A token bucket, full at first."""

    rate: float
    burst: float
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def has(self, now: float) -> bool:
        """Whether a call at that time would be served."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return self.tokens >= 1

    def take(self, now: float) -> bool:
        """Serves a call, or throttles it; a throttled call takes no token."""
        served = self.has(now)
        self.tokens -= served
        return served


@dataclass(frozen=True)
class Assumed:
    """What no document has a figure for. Times are seconds; a pair is a uniform distribution from and to."""

    reading: float = 0.1
    """A call that reads. The policy is read beside the list and takes no time of its own."""
    accepting: float = 1.0
    inviting: float = 0.2
    cold_share: float = 0.5
    """Of the runs; a sweep comes when the last one's environment may or may not be there still."""
    cold: float = 1.5
    """218 ms of imports and clients were measured on a whole core; 256 MB get about a seventh of one."""
    process: float = 7_200.0
    """How long a process lives that is used every few minutes, on average. "Lambda terminates execution environments
    every few hours", however busy (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html). One
    that was not used was seen to be kept for ten minutes
    (https://mikhail.io/2019/08/aws-lambda-cold-starts-after-10-minutes/)."""
    delivery: tuple[float, float] = (0.05, 0.5)
    """Of an event, from a bus to its target's start; AWS long called about half a second typical."""
    schedule: tuple[float, float] = (0.0, 1.0)
    """Of a scheduled invocation, after its time. The documented precision of 60 s is taken for part of a schedule's own
    phase; `HARSH` takes it for every invocation anew."""
    record_median: float = 20.0
    """From the call's answer until its record is on the management account's bus: log-normal. AWS promises no time, and
    names 5 minutes on average for log files; users report seconds to a minute or two for events."""
    record_sigma: float = 0.8
    late_share: float = 0.01
    late: tuple[float, float] = (180.0, 900.0)
    """The tail, up to the 15 minutes that AWS long gave for CloudTrail."""
    lost_share: float = 0.001
    """Records that never come: they are "best effort"."""
    twice_share: float = 0.01
    """Hints that come twice: EventBridge delivers at least once."""
    listed_mean: float = 0.5
    listed_most: float = 5.0
    """Until the invited account's list shows an invitation: exponential, cut off. DescribeHandshake is refused to
    standalone accounts, the harder reading of its documentation."""
    conflict_share: float = 0.1
    """Of accepts into one organization at the same moment, ConcurrentModificationException."""
    landing_share: float = 0.1
    landing: tuple[float, float] = (1.0, 10.0)
    """Accepts that are answered before the handshake reads ACCEPTED, and for how long."""
    relay_putting: float = 0.05
    relay_cold: float = 1.0
    foreign_share: float = 0.1
    """Of the accounts: an invitation from an organization that no statement allows waits there all the time."""
    per_organization: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(PER_ORGANIZATION))

    def record_delay(self, dice: Random) -> float | None:
        """How late a call's record is; None if it never comes."""
        if dice.random() < self.lost_share:
            return None
        if dice.random() < self.late_share:
            return dice.uniform(*self.late)
        return min(self.record_median * dice.lognormvariate(0.0, self.record_sigma), self.late[1])

    def listed_delay(self, dice: Random) -> float:
        return min(dice.expovariate(1 / self.listed_mean), self.listed_most)


LIKELY = Assumed()
HARSH = replace(
    LIKELY,
    reading=0.3,
    accepting=3.0,
    cold_share=1.0,
    cold=5.0,
    delivery=(0.5, 3.0),
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html: "60 second precision".
    schedule=(0.0, 59.0),
    record_median=150.0,
    late_share=0.1,
    lost_share=0.05,
    twice_share=0.05,
    listed_mean=10.0,
    listed_most=60.0,
    conflict_share=0.3,
    landing_share=0.5,
    landing=(1.0, 60.0),
    # Less than half of the documented burst.
    per_organization=PER_ORGANIZATION | {"AcceptHandshake": (5, 2)},
)
