"""An account watched over weeks in no time: real runs, the function's own telemetry, the template's own alarms."""

from __future__ import annotations

import itertools
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from handshake_acceptor.reporting.metric import NAMESPACE
from handshake_acceptor.reporting.telemetry import Telemetry
from handshake_acceptor.trigger import Trigger
from handshake_acceptor_cdk.names import NAME
from local.cloudwatch.metrics import SPARE, Datum, evaluate, read
from local.world import World
from tests.support.rules import matches
from tests.support.synthesis import Deployed

SWEEP = timedelta(minutes=5)
EVENT = {"source": "aws.scheduler"}
TRIES = 3
"""Of an asynchronous invocation."""
_INSTANT = timedelta(milliseconds=1)
_numbers = itertools.count()


@dataclass
class Watched:
    """What CloudWatch sees of an account, and what its alarms say."""

    deployed: Deployed
    world: World = field(default_factory=World)
    data: list[Datum] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    rang: list[str] = field(default_factory=list)
    """Every time that an alarm went into ALARM: what somebody gets an e-mail for."""
    queued: int = 0
    spare: int = SPARE
    """How many periods beyond its own an alarm looks at."""
    log: StringIO = field(default_factory=StringIO)

    def __post_init__(self) -> None:
        # Powertools keeps one logger a name.
        logger = Logger(service=f"{NAME}-{next(_numbers)}", stream=self.log)
        self._telemetry = Telemetry(logger, Metrics(namespace=NAMESPACE, service=NAME), lambda: self.world.now)
        self.alarms = {
            alarm["Properties"]["AlarmName"].removeprefix(f"{NAME}-"): alarm["Properties"]
            for alarm in self.deployed.all("AWS::CloudWatch::Alarm").values()
        }

    def sweep(self, times: int = 1) -> None:
        """The schedule wakes the function, and the alarms are evaluated."""
        for _ in range(times):
            due = self.world.now + SWEEP
            for _ in range(TRIES):
                if not self._run():
                    break
            else:
                self.queued += 1
            self.world.now = max(self.world.now + _INSTANT, due)
            self._look()

    def settle(self) -> None:
        """Sweeps until alarms of three periods have forgotten what was before."""
        self.sweep(3 + self.spare)

    def pass_time(self, length: timedelta) -> None:
        """Nothing wakes the function."""
        for _ in range(length // SWEEP):
            self.world.now += SWEEP
            self._look()

    def purge(self) -> None:
        self.queued = 0

    def deliver(self, event: dict[str, Any]) -> None:
        """An event on the default bus: EventBridge counts that the rule without a target matched it."""
        (rule,) = (
            rule["Properties"]
            for rule in self.deployed.all("AWS::Events::Rule").values()
            if "Targets" not in rule["Properties"]
        )
        if matches(rule, event):
            self._count("AWS/Events", "TriggeredRules", {"RuleName": "AWS::Events::Rule.Ref"}, 1, self.world.now)

    def ringing(self) -> set[str]:
        return {name for name, state in self.states.items() if state == "ALARM"}

    def emitted(self) -> set[str]:
        """The function's own metrics."""
        return {datum.name for datum in self.data if datum.namespace == NAMESPACE}

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def _run(self) -> bool:
        """Whether it failed."""
        began, trigger, out = self.world.now, Trigger.from_event(EVENT), StringIO()
        with redirect_stdout(out):
            report = self.world.run(EVENT)
            for record in report.records:
                self._telemetry.decision(record)
            self._telemetry.run(report, trigger)
        # Powertools stamps them with the time of the clock on the wall.
        for line in out.getvalue().splitlines():
            self.data += [replace(datum, time=self.world.now) for datum in read(line)]
        self._of_function("Invocations", 1, began)
        self._of_function("Errors", int(bool(report.failures)), began)
        return bool(report.failures)

    def _look(self) -> None:
        # A period ends before the moment at which it is looked at.
        last = self.world.now - _INSTANT
        self._count("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": _QUEUE}, self.queued, last)
        for name, alarm in self.alarms.items():
            before = self.states.get(name, "INSUFFICIENT_DATA")
            self.states[name] = evaluate(alarm, self.data, self.world.now, before, spare=self.spare)
            if self.states[name] == "ALARM" != before:
                self.rang.append(name)

    def _of_function(self, metric: str, value: float, time: datetime) -> None:
        self._count("AWS/Lambda", metric, {"FunctionName": "AWS::Lambda::Function.Ref"}, value, time)

    def _count(self, namespace: str, name: str, dimensions: dict[str, str], value: float, time: datetime) -> None:
        self.data.append(Datum(namespace, name, tuple(dimensions.items()), value, "Count", time))


_QUEUE = "AWS::SQS::Queue.QueueName"
