"""What the function says: one structured log line a decision, one a run, and metrics only where something happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy
from handshake_acceptor.reporting.metric import Metric
from handshake_acceptor.reporting.record import Outcome, Record, Report, Unlooked
from handshake_acceptor.trigger import Trigger
from handshake_core.handshake import Handshake, showable

if TYPE_CHECKING:
    from handshake_acceptor.reporting.decision_events import Event

_METRIC_OF = {
    Outcome.ACCEPTED: Metric.ACCEPTED,
    Outcome.DECLINED: Metric.DECLINED,
    Outcome.NEEDS_HUMAN: Metric.NEEDS_HUMAN,
}


class Telemetry:
    """Logger and metrics of the function. Both write to standard output; neither calls AWS."""

    def __init__(self, logger: Logger, metrics: Metrics, now: Callable[[], datetime]) -> None:
        self._logger = logger
        self._metrics = metrics
        self._now = now

    def decision(self, record: Record) -> None:
        """Says what was decided about one handshake and what became of it."""
        self._logger.info("decision", extra=record.as_dict())
        if metric := _METRIC_OF.get(record.outcome):
            self._metrics.add_metric(metric, MetricUnit.Count, 1)
        sent_at = record.handshake.requested_at if isinstance(record.handshake, Handshake) else None
        if record.outcome is Outcome.ACCEPTED and sent_at:
            seconds = (self._now() - sent_at).total_seconds()
            self._metrics.add_metric(Metric.SECONDS_TO_ACCEPT, MetricUnit.Seconds, max(seconds, 0.0))

    def refused(self, event: Event, code: str) -> None:
        """Says that a bus did not take an event. The decision itself is in the log already."""
        told = {"detail_type": event.detail_type.value, "handshake_id": event.detail.get("handshake_id")}
        self._logger.warning("event refused", extra=told | {"code": showable(code)})

    def run(self, report: Report, trigger: Trigger) -> None:
        """Says how the run went; a policy with a mistake is said even when nothing is pending."""
        policy = report.snapshot.policy
        if isinstance(policy, InvalidPolicy) and not policy.unreadable:
            self._metrics.add_metric(Metric.POLICY_INVALID, MetricUnit.Count, 1)
            self._logger.error("policy invalid", extra={"errors": [str(error) for error in policy.told]})
        repeated = report.unlooked.records if report.unlooked else ()
        for record in repeated:
            if record.outcome is Outcome.NEEDS_HUMAN:
                self._metrics.add_metric(Metric.NEEDS_HUMAN, MetricUnit.Count, 1)
        self._waiting([record for record in (*report.records, *repeated) if _waits(record)])
        self._logger.info(
            "run",
            extra={
                "trigger": trigger.kind.value,
                "mode": report.snapshot.mode.value,
                "policy_version": "" if isinstance(policy, InvalidPolicy) else policy.version,
                "listed": report.listed,
                "decisions": len(report.records),
                "failures": list(report.failures),
                "postponed": list(report.postponed),
                **(_unlooked(report.unlooked) if report.unlooked else {}),
            },
        )
        if self._metrics.metric_set:
            self._metrics.flush_metrics()

    def _waiting(self, records: list[Record]) -> None:
        if records:
            self._metrics.add_metric(Metric.PENDING, MetricUnit.Count, len(records))
        if not_allowed := sum(record.decision.kind in _NOBODY_SAID and _awaited(record) for record in records):
            self._metrics.add_metric(Metric.NOT_ALLOWED, MetricUnit.Count, not_allowed)
        expiries = [
            record.handshake.expires_at
            for record in records
            # An explicit Deny is an answer: such a handshake may expire unheard.
            if isinstance(record.handshake, Handshake) and record.decision.kind is not DecisionKind.DENY
            if _awaited(record)
        ]
        if expiries:
            hours = (min(expiries) - self._now()).total_seconds() / 3600
            self._metrics.add_metric(Metric.HOURS_LEFT, MetricUnit.NoUnit, max(hours, 0.0))


_NOBODY_SAID = frozenset({DecisionKind.NO_MATCH, DecisionKind.INELIGIBLE})


def _unlooked(told: Unlooked) -> dict[str, Any]:
    return {"skipped": told.skipped, "last_look": told.last_look.isoformat() if told.last_look else None}


def _waits(record: Record) -> bool:
    """Whether it is one of this account's own that waits: a hint can name a stranger's, which is nobody's alarm."""
    return record.pending and record.handshake.listed


def _awaited(record: Record) -> bool:
    """Whether somebody may be waiting for it. What comes from an origin that no Allow names holds no alarm.

    Else anybody who may invite could keep an alarm red, and a typing error in the policy would ring nothing.
    """
    known = isinstance(record.handshake, Handshake)
    return record.decision.kind not in _NOBODY_SAID or record.decision.near_miss or not known
