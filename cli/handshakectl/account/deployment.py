"""What is deployed in an account: each part looked up once, when something first asks for it. It only reads.

A part that AWS refuses is refused again to whoever asks next, without another call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicySnapshot
from handshake_core import retry
from handshake_core.handshake import Account, Handshake, InvalidHandshake
from handshakectl.account.session import Aws, Caller
from handshakectl.account.standing import USUAL_PERIOD
from handshakectl.clock import clock
from handshakectl.failures import attempt
from handshakectl.names import NAME, STACK
from handshakectl.policy.parameters import Parameters, read

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import DescribeRuleResponseTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

_WEEK = timedelta(days=7)
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_MOST_EVENTS = 10_000

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - it is read like `property`
    """A property that is read once, whether that answers or raises what reading raises."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, owner: Deployment, kind: type) -> T:
        """The answer, or the refusal, of the first time."""
        name = self._read.__name__
        if name not in owner.answers:
            try:
                owner.answers[name] = (retry.normalize_errors(lambda: self._read(owner)), None)
            except retry.READ_FAILURES as error:
                owner.answers[name] = (None, error)
        answer, refusal = owner.answers[name]
        if refusal is not None:
            raise refusal
        found: T = answer
        return found


def is_look(run: dict[str, Any]) -> bool:
    """Whether a run's record is of one that asked for the account's list with all retries: it did not step back."""
    return "skipped" not in run


class Deployment:
    """One account's acceptor, or relay. Every part raises what botocore raises where it cannot be read."""

    def __init__(self, aws: Aws, caller: Caller, stack: str | None, prefix: str, name: str = NAME) -> None:
        """`stack` None: the usual name, or the stack that the function belongs to. `name` is the function's."""
        self.aws = aws
        self.caller = caller
        self.prefix = prefix
        self.name = name
        self.answers: dict[str, tuple[Any, Exception | None]] = {}
        self._stack = stack

    @once
    def stack(self) -> StackTypeDef:
        """The stack, as CloudFormation describes it."""
        cloudformation: CloudFormationClient = self.aws.client("cloudformation")

        def described(name: str) -> StackTypeDef:
            return cloudformation.describe_stacks(StackName=name)["Stacks"][0]

        if self._stack is not None:
            return described(self._stack)
        usual = attempt(lambda: described(STACK), "ValidationError")
        if usual is not None:
            return usual
        resources = cloudformation.describe_stack_resources(PhysicalResourceId=self.name)["StackResources"]
        return described(resources[0]["StackId"])

    @property
    def outputs(self) -> dict[str, str]:
        """What the stack says of itself, by name."""
        return {each["OutputKey"]: each["OutputValue"] for each in self.stack.get("Outputs", [])}

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account, in the region that is asked about."""
        return f"arn:{self.caller.partition}:{service}:{self.aws.region}:{self.caller.account_id}:{resource}"

    @once
    def function(self) -> FunctionConfigurationResponseTypeDef:
        """The function's configuration."""
        client: LambdaClient = self.aws.client("lambda")
        return client.get_function_configuration(FunctionName=self.name)

    @once
    def schedule(self) -> GetScheduleOutputTypeDef:
        """The sweep's schedule."""
        scheduler: EventBridgeSchedulerClient = self.aws.client("scheduler")
        return scheduler.get_schedule(Name=f"{NAME}-sweep", GroupName=NAME)

    def rules_on(self, bus: str) -> Iterator[tuple[str, DescribeRuleResponseTypeDef]]:
        """The rules on a bus that wake the function, by name."""
        events: EventBridgeClient = self.aws.client("events")
        arn = self.function["FunctionArn"]
        for name in events.list_rule_names_by_target(TargetArn=arn, EventBusName=bus)["RuleNames"]:
            yield name, events.describe_rule(Name=name, EventBusName=bus)

    @once
    def bus_policy(self) -> str | None:
        """The hint bus's policy, as it is written; None where it has none."""
        events: EventBridgeClient = self.aws.client("events")
        return events.describe_event_bus(Name=NAME).get("Policy")

    @once
    def parameters(self) -> Parameters:
        """The policy's parameters, as they are written."""
        return read(self.aws.client("ssm"), clock(), self.prefix)

    @property
    def snapshot(self) -> PolicySnapshot:
        """What the function makes of them."""
        return self.parameters.snapshot()

    @once
    def account(self) -> Account:
        """The account's organization and role in it."""
        organizations = Organizations(self.aws.client("organizations"), clock())
        return organizations.account(self.caller.account_id, self.caller.partition)

    @once
    def handshakes(self) -> list[Handshake | InvalidHandshake]:
        """All that its own list shows: finished ones too, which stay there for 30 days."""
        client: OrganizationsClient = self.aws.client("organizations")
        pages = retry.pages(clock(), client.list_handshakes_for_account)
        return [Handshake.from_api(raw, listed=True) for page in pages for raw in page.content.get("Handshakes") or ()]

    @once
    def said(self) -> list[tuple[datetime, dict[str, Any]]]:
        """What the runs of the last two hours, or two sweeps, said of themselves and of handshakes; oldest first."""
        since = min(datetime.now(UTC) - timedelta(hours=2), self.two_sweeps_ago)
        found = sorted(self.records(since, "run", "decision"), key=lambda each: each[0])
        return [(datetime.fromtimestamp(at / 1000, UTC), record) for at, record in found]

    @property
    def period(self) -> timedelta:
        """Between two sweeps; the usual one where the schedule cannot be read, which is a check of its own."""
        try:
            match = _RATE.fullmatch(self.schedule["ScheduleExpression"])
        except retry.CALL_FAILURES:
            return USUAL_PERIOD
        return timedelta(**{f"{match[2]}s": int(match[1])}) if match else USUAL_PERIOD

    @once
    def two_sweeps_ago(self) -> datetime:
        """Since when the function must have run."""
        return datetime.now(UTC) - 2 * self.period

    @once
    def last_run(self) -> tuple[datetime, dict[str, Any]] | None:
        """When the last run ended, and its record; None if there was none within two sweeps."""
        found = max(self.records(self.two_sweeps_ago, "run"), key=lambda each: each[0], default=None)
        return (datetime.fromtimestamp(found[0] / 1000, UTC), found[1]) if found else None

    @once
    def last_hint(self) -> datetime | None:
        """When a hint last woke the acceptor, within seven days."""
        woken = self.records(datetime.now(UTC) - _WEEK, "run", pattern='{ $.trigger = "hint" }')
        times = [at for at, record in woken if record.get("trigger") == "hint"]
        return datetime.fromtimestamp(max(times) / 1000, UTC) if times else None

    @once
    def hints_sent(self) -> dict[str, datetime]:
        """The handshakes of which the relay told somebody within seven days, each with when it did."""
        sent = self.records(datetime.now(UTC) - _WEEK, "hint", pattern='{ $.message = "hint" }')
        return {str(record.get("handshake_id")): datetime.fromtimestamp(at / 1000, UTC) for at, record in sent}

    def records(self, since: datetime, *messages: str, pattern: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
        """Every record of these since then, and when it was written, in milliseconds since 1970."""
        for event in islice(self._events(since, pattern), _MOST_EVENTS):
            try:
                record = json.loads(event["message"])
            except ValueError:
                continue
            if isinstance(record, dict) and record.get("message") in messages:
                yield event["timestamp"], record

    def _events(self, since: datetime, pattern: str) -> Iterable[FilteredLogEventTypeDef]:
        logs: CloudWatchLogsClient = self.aws.client("logs")
        pages = logs.get_paginator("filter_log_events")
        start = int(since.timestamp() * 1000)
        narrowed: Any = {"filterPattern": pattern} if pattern else {}
        for page in pages.paginate(logGroupName=f"/aws/lambda/{self.name}", startTime=start, **narrowed):
            yield from page["events"]
