"""The dashboard: is it alive, what waits and how long it has left, what was accepted and by which statement.

Read from top to bottom it answers in the order in which an operator asks. It has one page, and names no metric that the
function does not send.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor.reporting.metric import Metric
from handshake_acceptor_cdk.monitoring.metrics import messages, own
from handshake_acceptor_cdk.monitoring.saved_queries import ACCEPTED_BY_STATEMENT, DECISIONS, FAILURES, RETRIES, Query
from handshake_acceptor_cdk.monitoring.widgets import WIDTH, axis, graph, header
from handshake_acceptor_cdk.names import NAME
from handshake_acceptor_cdk.partitions import console
from handshake_acceptor_cdk.settings.acceptor import Settings


class Dashboard(cloudwatch.Dashboard):
    """One dashboard of the account, over the last day."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        function: lambda_.IFunction,
        failures: sqs.IQueue,
        log_group: logs.ILogGroup,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            dashboard_name=NAME,
            default_interval=Duration.days(1),
            period_override=cloudwatch.PeriodOverride.INHERIT,
        )
        sweep = settings.sweep_minutes

        def table(title: str, query: Query, *, width: int, height: int) -> cloudwatch.IWidget:
            return cloudwatch.LogQueryWidget(
                title=title,
                log_group_names=[log_group.log_group_name],
                query_string=query.text,
                view=cloudwatch.LogQueryVisualizationType.TABLE,
                width=width,
                height=height,
            )

        self.add_widgets(header(_header(settings, scope)))
        if alarms:
            self.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=WIDTH, height=3))
        self.add_widgets(
            # Not as numbers: CloudWatch would go on showing the last one when nothing waits any more.
            graph(
                "Waiting now, and the hours it has left",
                [own(Metric.PENDING, "Maximum", minutes=sweep, label="pending")],
                right=[own(Metric.HOURS_LEFT, "Minimum", minutes=sweep, label="hours left of the first to expire")],
                right_annotations=[
                    cloudwatch.HorizontalAnnotation(value=settings.expiry_hours, label="alarm expires-soon")
                ],
                right_y_axis=axis("hours"),
            ),
            graph(
                "What became of handshakes",
                [
                    own(Metric.ACCEPTED, "Sum", minutes=sweep, label="accepted"),
                    own(Metric.DECLINED, "Sum", minutes=sweep, label="declined"),
                    own(Metric.NOT_ALLOWED, "Maximum", minutes=sweep, label="wait, nearly allowed"),
                    own(Metric.NEEDS_HUMAN, "Maximum", minutes=sweep, label="wait for a human"),
                    own(Metric.POLICY_INVALID, "Maximum", minutes=sweep, label="policy invalid"),
                ],
                width=10,
            ),
            graph(
                "From invitation to acceptance",
                [
                    own(Metric.SECONDS_TO_ACCEPT, "p50", minutes=sweep, label="half of them within"),
                    own(Metric.SECONDS_TO_ACCEPT, "Maximum", minutes=sweep, label="all of them within"),
                ],
                "seconds",
                width=6,
            ),
        )
        self.add_widgets(
            table("Accepted, by statement", ACCEPTED_BY_STATEMENT, width=8, height=4),
            table("Retries, by reason", RETRIES, width=8, height=4),
            table("Failed runs, by kind", FAILURES, width=8, height=4),
        )
        period = Duration.minutes(sweep)
        self.add_widgets(
            graph(
                "Alive: runs and errors",
                [
                    function.metric_invocations(period=period, statistic="Sum", label="runs"),
                    function.metric_errors(period=period, statistic="Sum", label="errors"),
                    function.metric_throttles(period=period, statistic="Sum", label="throttles"),
                ],
                height=4,
            ),
            graph(
                "How long a run takes",
                [function.metric_duration(period=period, statistic="Maximum", label="longest")],
                "milliseconds",
                height=4,
            ),
            graph("Queue of failures", [messages(failures, minutes=sweep, label="messages")], height=4),
        )
        self.add_widgets(table("Last decisions", DECISIONS, width=WIDTH, height=7))


def _header(settings: Settings, scope: Construct) -> str:
    runbook = settings.runbook
    where = f"[the runbook]({runbook})" if runbook.startswith("https://") else f"the runbook, `{runbook}`"
    host, region = console(scope), Stack.of(scope).region
    allowlist, mode = (
        f"[{name}](https://{host}/systems-manager/parameters{quote(name)}/description?region={region})"
        for name in (f"{settings.prefix}policy/allowlist", f"{settings.prefix}mode")
    )
    return (
        f"# {NAME}: which handshakes this account accepts by itself\n"
        f"**An alarm is red?** Its name is a section of {where}. **Something waits?** `handshakectl pending` says why."
        f" Allow it in {allowlist}, or deny it there. **The brake**: set {mode} to `observe`."
    )
