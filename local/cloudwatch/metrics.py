"""What CloudWatch makes of metrics, as far as this project needs it: embedded metric format, statistics, alarms.

Pure, so that a month passes in no time. Alarms and widgets are read as the template has them.

- A log line in the embedded metric format becomes data (`read`).
- A call that asks too much is refused (`refusal`).
- An alarm's state comes from the data of its last periods (`evaluate`), missing ones included; ministack's own alarms
  know neither dimensions nor periods without data. The periods end with the time asked about, where AWS aligns them.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any, Final

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of one metric."""

    namespace: str
    name: str
    dimensions: Dimensions
    value: float
    unit: str
    time: datetime


def read(line: str) -> Iterator[Datum]:
    """The data of a log line; none unless it is in the embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    try:
        document = json.loads(line)
    except ValueError:
        return
    if not isinstance(document, dict) or "_aws" not in document:
        return
    time = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = tuple(sorted((name, str(document[name])) for name in names))
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    unit = metric.get("Unit", "None")
                    yield Datum(directive["Namespace"], metric["Name"], dimensions, float(value), unit, time)


_STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "Average": mean,
    "SampleCount": len,
}


def statistic(name: str, values: Sequence[float]) -> float:
    """`Sum`, `Minimum`, `Maximum`, `Average`, `SampleCount` or a percentile such as `p50`, of at least one value."""
    if name.startswith("p"):
        return sorted(values)[max(0, math.ceil(len(values) * float(name[1:]) / 100) - 1)]
    return float(_STATISTICS[name](values))


def refusal(queries: Iterable[Mapping[str, Any]]) -> str | None:
    """Why `GetMetricData` does not take these queries, if it does not.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html: "each GetMetricData
    operation can include only one query" of Metrics Insights. A dashboard's widget is one such call.
    """
    asked = [each for each in queries if str(each.get("Expression", "")).lstrip().upper().startswith("SELECT")]
    return f"{len(asked)} Metrics Insights queries; a call can include only one" if len(asked) > 1 else None


_CROSSED = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}


SPARE: Final = 2
"""How many periods beyond its own an alarm looks at, in AWS's examples; how many it is otherwise is not documented."""


def evaluate(
    alarm: Mapping[str, Any],
    data: Iterable[Datum],
    now: datetime,
    before: str = "INSUFFICIENT_DATA",
    *,
    spare: int = SPARE,
) -> str:
    """The state of an alarm, given as the properties of `AWS::CloudWatch::Alarm`; `before` is what it was.

    Where data is missing, older data counts first, as many as the alarm has periods; only what is missing then is what
    `TreatMissingData` says:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, "How alarm state is
    evaluated when data is missing".
    """
    dimensions = tuple(sorted((each["Name"], each["Value"]) for each in alarm.get("Dimensions", ())))
    wanted = (alarm["Namespace"], alarm["MetricName"], dimensions)
    ours = [datum for datum in data if (datum.namespace, datum.name, datum.dimensions) == wanted]
    period = timedelta(seconds=alarm["Period"])
    points: list[bool | None] = []
    for number in range(alarm["EvaluationPeriods"] + spare):
        end = now - number * period
        values = [datum.value for datum in ours if end - period <= datum.time < end]
        value = statistic(alarm.get("ExtendedStatistic") or alarm["Statistic"], values) if values else None
        points.append(None if value is None else _CROSSED[alarm["ComparisonOperator"]](value, alarm["Threshold"]))
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return _state(points, alarm["EvaluationPeriods"], needed, alarm.get("TreatMissingData", "missing"), before)


def _state(points: Sequence[bool | None], periods: int, needed: int, missing: str, before: str) -> str:
    """Of points, the youngest first, that each cross the threshold, do not, or are not there."""
    real = [point for point in points if point is not None][:periods]
    crossing = sum(real) + (periods - len(real) if missing == "breaching" else 0)
    if crossing >= needed:
        return "ALARM"
    if missing in ("breaching", "notBreaching") or False in real:
        return "OK"
    if missing == "ignore":
        return before
    if not real:
        return "INSUFFICIENT_DATA"
    # Nothing but crossings, too few of them: early, if the oldest is old enough.
    return "ALARM" if max(age for age, point in enumerate(points, 1) if point) >= needed else "OK"
