"""The deployed alarms by their states and their history: do they evaluate as they say, and do they tell anybody?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from handshakectl.account.checks.finding import Wrong
from handshakectl.account.deployment import Deployment
from handshakectl.account.verification.wakes import Patience
from handshakectl.names import NAME
from handshakectl.output import plural

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import AlarmHistoryItemTypeDef, MetricAlarmTypeDef

_REMEMBERED: Final = timedelta(days=14)
_SETTLES: Final = timedelta(minutes=15)
"""How long an alarm may take to be evaluated for the first time, and to tell its topic."""
_LATE_PERIODS: Final = 4
"""CloudWatch looks at more periods than an alarm names where data is missing:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"""
_FILLED = ("breaching", "notBreaching")


class Alarms:
    """The check of the alarms."""

    def __init__(self, deployed: Deployment, patience: Patience) -> None:
        self._deployed = deployed
        self._cloudwatch: CloudWatchClient = deployed.aws.client("cloudwatch")
        self._now = patience.now()

    def alarms(self) -> str:
        """Looks at each alarm's state, and at what it did in two weeks."""
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{NAME}-")
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
        if not alarms:
            return "no alarm is deployed"
        histories = {alarm["AlarmName"]: self._history(alarm["AlarmName"]) for alarm in alarms}
        wrong = [
            f"{alarm['AlarmName'].removeprefix(f'{NAME}-')} {why}"
            for alarm in alarms
            for why in self._mistakes(alarm, histories[alarm["AlarmName"]])
        ]
        if wrong:
            raise Wrong("; ".join(wrong), "look at the alarm's history, and at the topic's policy; then deploy again")
        states = [alarm["StateValue"] for alarm in alarms]
        counted = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        told = sum(_told(item) for items in histories.values() for item in items)
        return f"{plural(len(alarms), 'alarm')}: {counted}; told the topic {plural(told, 'time')} in two weeks"

    def _mistakes(self, alarm: MetricAlarmTypeDef, history: Sequence[AlarmHistoryItemTypeDef]) -> Iterator[str]:
        if not (alarm["ActionsEnabled"] and alarm.get("AlarmActions")):
            yield "tells nobody: its actions are off, or it has none"
        period = timedelta(seconds=alarm["Period"])
        settled = self._now - alarm["AlarmConfigurationUpdatedTimestamp"] > _SETTLES + 2 * period
        missing = alarm.get("TreatMissingData", "missing")
        if settled and missing in _FILLED and alarm["StateValue"] == "INSUFFICIENT_DATA":
            yield f"is INSUFFICIENT_DATA, and takes missing data as {missing}"
        if alarm["AlarmName"] == f"{NAME}-sweep-silent" and alarm["StateValue"] == "ALARM":
            rings = self._now - alarm["StateUpdatedTimestamp"]
            if rings > (alarm["EvaluationPeriods"] + _LATE_PERIODS) * period and self._deployed.last_run:
                yield "rings, and the function runs"
        failed = [item for item in history if item["HistoryItemType"] == "Action" and not _told(item)]
        if failed:
            yield f"could not tell its topic {plural(len(failed), 'time')}"
        for item in history:
            if _rang(item) and self._now - item["Timestamp"] > _SETTLES and not self._heard(item["Timestamp"], history):
                yield f"rang at {item['Timestamp'].isoformat(timespec='seconds')}, and its history names no action"
                break

    @staticmethod
    def _heard(rang: datetime, history: Sequence[AlarmHistoryItemTypeDef]) -> bool:
        acted = (item["Timestamp"] for item in history if item["HistoryItemType"] == "Action")
        return any(abs(at - rang) <= _SETTLES for at in acted)

    def _history(self, name: str) -> list[AlarmHistoryItemTypeDef]:
        pages = self._cloudwatch.get_paginator("describe_alarm_history").paginate(
            AlarmName=name, StartDate=self._now - _REMEMBERED, PaginationConfig={"MaxItems": 1_000}
        )
        return [item for page in pages for item in page["AlarmHistoryItems"]]


def _rang(item: AlarmHistoryItemTypeDef) -> bool:
    return item["HistoryItemType"] == "StateUpdate" and item["HistorySummary"].endswith("to ALARM")


def _told(item: AlarmHistoryItemTypeDef) -> bool:
    """Whether an action was done; one that failed begins otherwise."""
    return item["HistoryItemType"] == "Action" and item["HistorySummary"].startswith("Successfully")
