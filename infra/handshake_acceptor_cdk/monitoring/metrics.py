"""The function's own metrics, by the names it sends, for alarms and dashboard. AWS's own cost nothing."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor_cdk.names import NAME


def own(metric: Metric, statistic: str, *, minutes: int, label: str | None = None) -> cloudwatch.Metric:
    """One of the function's own metrics, over periods of so many minutes."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        # What Powertools names it; the function's environment says the same.
        dimensions_map={"service": NAME},
        statistic=statistic,
        period=Duration.minutes(minutes),
        label=label,
    )
