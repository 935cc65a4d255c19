"""Metrics for alarms and dashboard: the function's own, and AWS's own, which cost nothing."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

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


def messages(queue: sqs.IQueue, *, minutes: int, label: str | None = None) -> cloudwatch.Metric:
    """How many messages wait in a queue, at most, over periods of so many minutes."""
    return queue.metric_approximate_number_of_messages_visible(
        period=Duration.minutes(minutes), statistic="Maximum", label=label
    )


def of_rule(rule: events.IRule, metric: str, period: Duration) -> cloudwatch.Metric:
    """What EventBridge counts of a rule, such as `TriggeredRules`."""
    named = {"RuleName": rule.rule_name}
    return cloudwatch.Metric(
        namespace="AWS/Events", metric_name=metric, dimensions_map=named, statistic="Sum", period=period
    )
