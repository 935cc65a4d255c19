"""The relay's entry point: makes the parts, runs them, and fails only where the event should be tried again."""

from __future__ import annotations

from typing import Any

import botocore.session
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from handshake_core import retry
from handshake_relay.event import parse
from handshake_relay.metric import Metric
from handshake_relay.publisher import Buses, Outcome, Sent
from handshake_relay.relay import relay

_CONFIG = retry.client_config("handshake-relay")
_SESSION = botocore.session.get_session()
_EVENTS = _SESSION.create_client("events", config=_CONFIG)
_ORGANIZATIONS = _SESSION.create_client("organizations", config=_CONFIG)

_METRIC_OF = {
    Outcome.SENT: Metric.HINTS_SENT,
    Outcome.FAILED: Metric.HINTS_FAILED,
    Outcome.UNREACHED: Metric.ACCOUNTS_UNREACHED,
    Outcome.NOT_ADDRESSABLE: Metric.NOT_ADDRESSABLE,
}

logger = Logger()
metrics = Metrics()


class RelayFailed(Exception):
    """Some hints could not be sent; sending the others again does no harm."""


@logger.inject_lambda_context
def handler(event: Any, context: LambdaContext) -> dict[str, int]:
    """Sends a hint to every account that the call in `event` invited, and answers how many had which outcome.

    Raises `RelayFailed` at the very end, so that the asynchronous invocation is retried and then kept in the queue.
    """
    call = parse(event)
    if call is None:
        logger.warning("not a call that creates a handshake")
        return {}
    clock = retry.real_clock(lambda: context.get_remaining_time_in_millis() / 1000)
    # Partition and region are read off the function itself: arn:partition:lambda:region:account:function:…
    _, partition, _, region, *_ = context.invoked_function_arn.split(":")
    report = relay(call, _ORGANIZATIONS, Buses(_EVENTS, clock, partition, region), clock, _say)
    for outcome, count in report.counts.items():
        if count:
            metrics.add_metric(_METRIC_OF[outcome], MetricUnit.Count, count)
    if metrics.metric_set:
        metrics.flush_metrics()
    if report.failures:
        raise RelayFailed(", ".join(report.failures))
    return {outcome.value: count for outcome, count in report.counts.items() if count}


def _say(sent: Sent) -> None:
    """One line a hint. Nothing in it is an e-mail address, a name or a note."""
    logger.info(
        "hint",
        extra={
            "handshake_id": sent.hint.handshake_id,
            "action": sent.hint.action,
            "account_id": sent.hint.account_id or None,
            "outcome": sent.outcome.value,
            "code": sent.code or None,
        },
    )
