"""The deployed alarms and the metrics of the deployed function: each alarm that a run can ring, rung by a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor_cdk.names import NAME
from local import observed
from local.aws import wait_for
from local.cloudwatch.metrics import SPARE, Datum, evaluate
from tests.e2e.conftest import Acceptor
from tests.support.origins import ALLOWED, BEYOND, DENIED, MEMBER, Origin


def alarms(acceptor: Acceptor) -> dict[str, dict[str, Any]]:
    return observed.alarms(acceptor.aws, MEMBER)


def data(acceptor: Acceptor, alarm: dict[str, Any], since: datetime) -> list[Datum]:
    """What the embedded CloudWatch has for an alarm."""
    return [datum for datum in observed.metrics(acceptor.aws, MEMBER, since) if datum.name == alarm["MetricName"]]


def breaks_the_policy(acceptor: Acceptor) -> None:
    acceptor.put("policy/allowlist", "{")
    acceptor.invoke()


def is_nearly_allowed(acceptor: Acceptor) -> None:
    acceptor.allow(Origin(DENIED.organization_id, ALLOWED.management_account_id))
    acceptor.invite(DENIED)
    acceptor.invoke()


def is_invited_long_ago(acceptor: Acceptor) -> None:
    acceptor.put("mode", "observe")
    acceptor.allow(ALLOWED)
    acceptor.aws.admin.advance(seconds=-13.5 * 86_400)
    acceptor.invite()
    acceptor.invoke()


def allows_more_than_the_ceiling(acceptor: Acceptor) -> None:
    acceptor.allow(BEYOND)
    acceptor.invite(BEYOND)
    acceptor.invoke()


def cannot_list(acceptor: Acceptor) -> None:
    fault = {"operation": "ListHandshakesForAccount", "code": "AccessDeniedException", "times": 3}
    acceptor.aws.admin.inject(faults=[fault])
    for _ in range(3):
        assert acceptor.invoke()[0], "the run must fail"


SCENARIOS: dict[str, Callable[[Acceptor], None]] = {
    "policy-invalid": breaks_the_policy,
    "nobody-allows": is_nearly_allowed,
    "expires-soon": is_invited_long_ago,
    "human-needed": allows_more_than_the_ceiling,
    "runs-fail": cannot_list,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_rings_the_deployed_alarm_of_its_situation_until_it_is_over(acceptor: Acceptor, name: str) -> None:
    alarm = alarms(acceptor)[name]
    # Not what the test before it left in the same second.
    since = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    wait_for("the next second", lambda: datetime.now(UTC) >= since)
    SCENARIOS[name](acceptor)
    seen = wait_for("the metric", lambda: data(acceptor, alarm, since))
    now = datetime.now(UTC) + timedelta(seconds=1)
    assert evaluate(alarm, seen, now) == "ALARM"
    over = timedelta(seconds=alarm["Period"] * (alarm["EvaluationPeriods"] + SPARE))
    assert evaluate(alarm, seen, now + over) == "OK"


def test_every_alarm_is_deployed_and_tells_the_topic(acceptor: Acceptor) -> None:
    found = alarms(acceptor)
    assert len(found) == 8
    for alarm in found.values():
        assert alarm["AlarmActions"] == [acceptor.outputs["AlarmTopicArn"]]


def test_the_deployed_dashboard_names_the_metrics_that_the_function_sends(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    acceptor.invite()
    acceptor.invoke()
    body = json.loads(acceptor.client("cloudwatch").get_dashboard(DashboardName=NAME)["DashboardBody"])
    text = json.dumps(body)
    sent = {each["MetricName"] for each in acceptor.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]}
    assert {Metric.ACCEPTED, Metric.SECONDS_TO_ACCEPT} <= sent <= {metric.value for metric in Metric}
    assert all(f'"{name}"' in text for name in sent)
