"""The embedded CloudWatch's alarms where data is missing: AWS's own examples, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.cloudwatch.metrics import SPARE, Datum, evaluate

NOW = datetime(2026, 11, 26, tzinfo=UTC)
PERIOD = timedelta(minutes=5)
BEFORE = "what it was"
ALARM: dict[str, Any] = {
    "Namespace": "Example",
    "MetricName": "Crossings",
    "Statistic": "Maximum",
    "Period": PERIOD.seconds,
    "EvaluationPeriods": 3,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, the two tables. The
# oldest point comes first; X crosses the threshold, 0 does not, - is missing. For missing, ignore,
# breaching, notBreaching.
THREE_OF_THREE = {
    "0 - X - X": ("OK", "OK", "OK", "OK"),
    "- - - - 0": ("OK", "OK", "OK", "OK"),
    "- - - - -": ("INSUFFICIENT_DATA", BEFORE, "ALARM", "OK"),
    "0 X X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "- - X - -": ("ALARM", BEFORE, "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0 - X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 0 X 0 X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 - X - -": ("OK", "OK", "ALARM", "OK"),
    "- - - - 0": ("OK", "OK", "ALARM", "OK"),
    "- - - X -": ("ALARM", BEFORE, "ALARM", "OK"),
}
ROWS = [(3, *row) for row in THREE_OF_THREE.items()] + [(2, *row) for row in TWO_OF_THREE.items()]


@pytest.mark.parametrize(("needed", "points", "states"), ROWS)
def test_an_alarm_looks_at_more_periods_than_its_own_where_data_is_missing(
    needed: int, points: str, states: tuple[str, ...]
) -> None:
    assert len(points.split()) == ALARM["EvaluationPeriods"] + SPARE
    data = [
        Datum("Example", "Crossings", (), float(point == "X"), "Count", NOW - age * PERIOD)
        for age, point in enumerate(reversed(points.split()), 1)
        if point != "-"
    ]
    for missing, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        alarm = ALARM | {"DatapointsToAlarm": needed, "TreatMissingData": missing}
        assert evaluate(alarm, data, NOW, BEFORE) == state, missing
