"""Alarms are evaluated as `local.cloudwatch.metrics` has it, and their history names what they did."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from local.cloudwatch.metrics import Datum, evaluate


def evaluate_alarms(cloudwatch: Any) -> None:
    """Ministack's own evaluation knows neither dimensions nor periods without data. Here it happens when one looks."""
    describe, dispatch = cloudwatch._describe_alarms, cloudwatch._dispatch_alarm_actions

    def evaluate_alarm(alarm: dict[str, Any]) -> None:
        if not alarm.get("MetricName"):
            return
        # ministack keeps None for what is not set
        stated = {name: value for name, value in alarm.items() if value is not None}
        before = alarm["StateValue"]
        after = evaluate(stated, _data(cloudwatch, alarm), datetime.now(UTC), before)
        if after != before:
            alarm |= {"StateValue": after, "StateReason": after, "StateUpdatedTimestamp": int(time.time())}
            cloudwatch._record_history(alarm["AlarmName"], before, after, after)
            dispatch_alarm_actions(alarm, before, after, after)

    def dispatch_alarm_actions(alarm: dict[str, Any], before: str, after: str, reason: str) -> None:
        dispatch(alarm, before, after, reason)
        named = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}[after]
        for arn in alarm.get(named, ()) if alarm.get("ActionsEnabled", True) else ():
            cloudwatch._history_entries().append(
                {
                    "AlarmName": alarm["AlarmName"],
                    "AlarmType": "MetricAlarm",
                    "Timestamp": cloudwatch._ts_iso(time.time()),
                    "HistoryItemType": "Action",
                    "HistorySummary": f"Successfully executed action {arn}",
                    "HistoryData": "{}",
                }
            )

    def describe_alarms(*request: Any) -> Any:
        for alarm in list(cloudwatch._alarms.values()):
            evaluate_alarm(alarm)
        return describe(*request)

    cloudwatch._evaluate_alarm, cloudwatch._dispatch_alarm_actions = evaluate_alarm, dispatch_alarm_actions
    cloudwatch._describe_alarms = describe_alarms


def _data(cloudwatch: Any, alarm: dict[str, Any]) -> list[Datum]:
    namespace, name = alarm["Namespace"], alarm["MetricName"]
    dimensions = tuple(sorted((each["Name"], each["Value"]) for each in alarm["Dimensions"]))
    points = cloudwatch._metrics.get((namespace, name, cloudwatch._dims_key(dict(dimensions))), ())
    return [
        Datum(namespace, name, dimensions, each["Value"], each["Unit"], datetime.fromtimestamp(each["Timestamp"], UTC))
        for each in list(points)
    ]
