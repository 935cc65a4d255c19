"""What an operator sees of the embedded AWS: its metrics, alarms and log, and the dashboard drawn from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local.aws import FUNCTION, EmbeddedAws
from local.cloudwatch.dashboard_svg import Seen, draw
from local.cloudwatch.metrics import Datum, evaluate

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DatapointTypeDef, MetricAlarmTypeDef


def metrics(aws: EmbeddedAws, account_id: str, since: datetime) -> list[Datum]:
    """Everything that CloudWatch was sent since then."""
    cloudwatch: CloudWatchClient = aws.client("cloudwatch", account_id)
    return [
        Datum(metric["Namespace"], metric["MetricName"], dimensions, value, point["Unit"], point["Timestamp"])
        for metric in cloudwatch.list_metrics()["Metrics"]
        for dimensions in [tuple(sorted((each["Name"], each["Value"]) for each in metric["Dimensions"]))]
        for point in cloudwatch.get_metric_statistics(
            Namespace=metric["Namespace"],
            MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"],
            StartTime=since,
            EndTime=datetime.now(UTC) + timedelta(seconds=1),
            Period=1,  # AWS has no shorter one than a minute
            Statistics=["Sum", "Minimum", "Maximum", "SampleCount"],
        )["Datapoints"]
        for value in _values(point)
    ]


def _values(point: DatapointTypeDef) -> list[float]:
    """The values of a second, those in the middle evened out."""
    count, least, most = int(point["SampleCount"]), point["Minimum"], point["Maximum"]
    between = [(point["Sum"] - least - most) / (count - 2)] * (count - 2) if count > 2 else []
    return [least, *between, most][:count]


def alarms(aws: EmbeddedAws, account_id: str) -> dict[str, MetricAlarmTypeDef]:
    """The deployed alarms, by the last part of their names."""
    cloudwatch: CloudWatchClient = aws.client("cloudwatch", account_id)
    found = cloudwatch.describe_alarms(AlarmNamePrefix=f"{FUNCTION}-")["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(f"{FUNCTION}-"): alarm for alarm in found}


def dashboard(aws: EmbeddedAws, account_id: str, since: datetime) -> str:
    """The deployed dashboard as SVG, from then until now, in periods of a second."""
    now = datetime.now(UTC) + timedelta(seconds=1)
    data = metrics(aws, account_id, since)
    states = {alarm["AlarmName"]: evaluate(alarm, data, now) for alarm in alarms(aws, account_id).values()}
    body = aws.client("cloudwatch", account_id).get_dashboard(DashboardName=FUNCTION)["DashboardBody"]
    lines = [
        {"@timestamp": line["timestamp"], **line}
        for kind in ("decision", "run")
        for line in aws.log_records(account_id, kind)
    ]
    return draw(body, Seen(data, lines, states, since, now, timedelta(seconds=1)))
