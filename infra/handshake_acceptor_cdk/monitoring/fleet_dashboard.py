"""The dashboard of a fleet: which accounts want a person, how many handshakes were accepted, who is alive.

Every figure is a question to all linked accounts at once, answered by account id
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html), so that
an account shows up when it has linked itself, and a thousand of them need no line of their own. A widget asks one
question: CloudWatch takes one of them a call
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html).
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor_cdk.monitoring.widgets import graph, header
from handshake_acceptor_cdk.names import NAME, RELAY_NAME
from handshake_relay.metric import Metric as RelayMetric

_PERIOD = Duration.minutes(5)
_MOST_ACCOUNTS = 20
"""Lines of one graph. The worst come first; `handshakectl status` lists all."""
_HEADER = (
    f"# {NAME}: the fleet\n"
    "Every graph by account shows the worst first. **An account wants a person?** Its own alarms say what happened, and"
    " `handshakectl status` lists all accounts in one table."
)


class FleetDashboard(cloudwatch.Dashboard):
    """One dashboard for all linked accounts, over the last day."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, dashboard_name=f"{NAME}-fleet", default_interval=Duration.days(1))
        self.add_widgets(header(_HEADER))
        self.add_widgets(
            graph("Need a human, by account", [_by_account("MAX", Metric.NEEDS_HUMAN)]),
            graph("Policy invalid, by account", [_by_account("MAX", Metric.POLICY_INVALID)]),
            graph("Hours left of the first to expire, by account", [_by_account("MIN", Metric.HOURS_LEFT)], "hours"),
        )
        self.add_widgets(
            graph("Waiting, by account", [_by_account("MAX", Metric.PENDING)]),
            graph("Waiting, and nearly allowed, by account", [_by_account("MAX", Metric.NOT_ALLOWED)]),
            graph("Failed runs, by account", [_by_account("SUM", "Errors", _LAMBDA)]),
        )
        self.add_widgets(
            _of_all("Alive: runs, all accounts", _all("SUM", "Invocations", _LAMBDA)),
            _of_all("Accepted, all accounts", _all("SUM", Metric.ACCEPTED)),
            _of_all("Declined, all accounts", _all("SUM", Metric.DECLINED)),
            _of_all("Longest from invitation to acceptance", _all("MAX", Metric.SECONDS_TO_ACCEPT), "seconds"),
        )
        self.add_widgets(
            _of_all("Hints that EventBridge took", _all("SUM", RelayMetric.HINTS_SENT, name=RELAY_NAME)),
            _of_all("Hints that failed", _all("SUM", RelayMetric.HINTS_FAILED, name=RELAY_NAME)),
            _of_all("Hints that a bus refused", _all("SUM", RelayMetric.ACCOUNTS_UNREACHED, name=RELAY_NAME)),
            _of_all("By e-mail, left to the sweep", _all("SUM", RelayMetric.NOT_ADDRESSABLE, name=RELAY_NAME)),
        )


_OWN = f"{NAMESPACE}, service", "service"
_LAMBDA = '"AWS/Lambda", FunctionName', "FunctionName"


def _of_all(title: str, line: cloudwatch.IMetric, unit: str = "count") -> cloudwatch.GraphWidget:
    """A quarter of a row."""
    return graph(title, [line], unit, width=6)


def _all(function: str, metric: str, source: tuple[str, str] = _OWN, name: str = NAME) -> cloudwatch.MathExpression:
    """One line for all accounts together."""
    label = "all accounts" if name == NAME else name
    return cloudwatch.MathExpression(expression=_question(function, metric, source, name), label=label, period=_PERIOD)


def _by_account(function: str, metric: str, source: tuple[str, str] = _OWN) -> cloudwatch.MathExpression:
    """A line for each account, the worst first."""
    order = "ASC" if function == "MIN" else "DESC"
    grouped = f"GROUP BY AWS.AccountId ORDER BY {function}() {order} LIMIT {_MOST_ACCOUNTS}"
    question = f"{_question(function, metric, source, NAME)} {grouped}"
    return cloudwatch.MathExpression(expression=question, label="${LABEL}", period=_PERIOD)


def _question(function: str, metric: str, source: tuple[str, str], name: str) -> str:
    schema, dimension = source
    return f"SELECT {function}({metric}) FROM SCHEMA({schema}) WHERE {dimension} = '{name}'"  # noqa: S608 - our own names
