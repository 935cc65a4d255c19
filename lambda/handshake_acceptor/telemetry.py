"""What the function says: one structured log line a decision, one a run, and metrics only where something happened."""

from __future__ import annotations

from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from handshake_acceptor.policy import InvalidPolicy
from handshake_acceptor.record import Outcome, Record, Report
from handshake_acceptor.trigger import Trigger


class Metric(StrEnum):
    """Every metric there is, each a count. The stack's alarms and widgets name no other."""

    ACCEPTED = "Accepted"
    DECLINED = "Declined"
    LEFT_PENDING = "LeftPending"
    OBSERVED = "Observed"
    RETRY_LATER = "RetryLater"
    NEEDS_HUMAN = "NeedsHuman"
    POLICY_INVALID = "PolicyInvalid"


_METRIC_OF = {
    Outcome.ACCEPTED: Metric.ACCEPTED,
    Outcome.DECLINED: Metric.DECLINED,
    Outcome.LEFT_PENDING: Metric.LEFT_PENDING,
    Outcome.OBSERVED: Metric.OBSERVED,
    Outcome.RETRY_LATER: Metric.RETRY_LATER,
    Outcome.ACCEPT_UNCONFIRMED: Metric.RETRY_LATER,
    Outcome.NEEDS_HUMAN: Metric.NEEDS_HUMAN,
}


class Telemetry:
    """Logger and metrics of the function. Both write to standard output; neither calls AWS."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def decision(self, record: Record) -> None:
        """Says what was decided about one handshake and what became of it."""
        self._logger.info("decision", extra=record.as_dict())
        metric = _METRIC_OF.get(record.outcome)
        if metric and (record.pending or record.outcome in (Outcome.ACCEPTED, Outcome.DECLINED)):
            self._count(metric)

    def run(self, report: Report, trigger: Trigger) -> None:
        """Says how the run went; a policy with a mistake is said even when nothing is pending."""
        policy = report.snapshot.policy
        if isinstance(policy, InvalidPolicy) and not policy.unreadable:
            self._count(Metric.POLICY_INVALID)
            self._logger.error("policy invalid", extra={"errors": [str(error) for error in policy.errors]})
        self._logger.info(
            "run",
            extra={
                "trigger": trigger.kind.value,
                "mode": report.snapshot.mode.value,
                "policy_version": "" if isinstance(policy, InvalidPolicy) else policy.version,
                "listed": report.listed,
                "decisions": len(report.records),
                "failures": list(report.failures),
            },
        )
        if self._metrics.metric_set:
            self._metrics.flush_metrics()

    def _count(self, metric: Metric) -> None:
        self._metrics.add_metric(metric, MetricUnit.Count, 1)
