"""Every question that the stack saved or drew, asked once: of the log, and of CloudWatch's metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from handshakectl.account.checks.finding import Unclear, Wrong
from handshakectl.account.deployment import Deployment
from handshakectl.account.verification.wakes import Patience
from handshakectl.failures import DENIED, error_code
from handshakectl.names import NAME
from handshakectl.output import plural

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

_ASKED_ABOUT: Final = timedelta(hours=1)
"""A query is billed by the bytes of the log that it looks at."""
_LATE: Final = timedelta(minutes=10)
"""How long a metric may take to be there."""
_UNDER_WAY = ("Scheduled", "Running", "Unknown")
_ANSWERED = ("Complete", "PartialData")
_SOURCES = re.compile(r"(\s*SOURCE '[^']+'\s*\|\s*)+", re.ASCII)
_PERIOD_SECONDS = 300
_REFUSALS = ("MalformedQueryException", "InvalidParameterException", "ResourceNotFoundException", "ValidationError")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A question to log groups."""

    text: str
    groups: tuple[str, ...]


class Queries:
    """The checks of what people ask with."""

    def __init__(self, deployed: Deployment, patience: Patience) -> None:
        self._deployed = deployed
        self._patience = patience
        self._logs: CloudWatchLogsClient = deployed.aws.client("logs")
        self._cloudwatch: CloudWatchClient = deployed.aws.client("cloudwatch")

    def saved_queries(self) -> str:
        """Runs every query that is saved under our name."""
        answer = self._logs.describe_query_definitions(queryDefinitionNamePrefix=f"{NAME}/")
        saved = answer["queryDefinitions"]
        if not saved:
            raise Wrong(f"no query is saved under {NAME}/", "deploy again")
        wrong = []
        for each in saved:
            query = LogQuery(each["queryString"], tuple(each.get("logGroupNames", ())))
            wrong += [f"{each['name']}: {why}" for why in self._asked(query)]
        if wrong:
            raise Wrong("; ".join(wrong), "compare them with the template's, then deploy again")
        return f"{plural(len(saved), 'saved question')} answered"

    def dashboard(self) -> str:
        """Asks what every widget of ours asks."""
        listed = self._cloudwatch.list_dashboards(DashboardNamePrefix=NAME)["DashboardEntries"]
        if not listed:
            return "no dashboard is deployed"
        wrong, count = [], 0
        for name in (each["DashboardName"] for each in listed):
            body: Any = json.loads(self._cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
            for widget in body["widgets"]:
                if widget["type"] in _ASKS:
                    count += 1
                    title = widget["properties"].get("title", widget["type"])
                    wrong += [f"{name}, {title}: {why}" for why in _ASKS[widget["type"]](self, widget["properties"])]
        if wrong:
            raise Wrong("; ".join(wrong), "compare it with the template's, then deploy again")
        return f"{plural(count, 'widget')} of {', '.join(each['DashboardName'] for each in listed)} answered"

    def _log_widget(self, properties: Any) -> Iterator[str]:
        return self._asked(log_query(properties["query"]))

    def _metric_widget(self, properties: Any) -> Iterator[str]:
        """What is wrong with a graph; nothing if CloudWatch answers it whole."""
        end = self._patience.now()
        asked: Any = metric_queries(properties)
        try:
            answer = self._cloudwatch.get_metric_data(
                MetricDataQueries=asked, StartTime=end - _ASKED_ABOUT, EndTime=end
            )
        except ClientError as error:
            yield from _refusal(error)
            return
        told = {each["Id"]: each for each in answer["MetricDataResults"]}
        yield from (f"no answer to {each['Id']}" for each in asked if each["Id"] not in told and each["ReturnData"])
        for each in told.values():
            if each["StatusCode"] not in _ANSWERED:
                yield f"{each.get('Label') or each['Id']} is {each['StatusCode']}"
        for each in asked:
            if _counts_runs(each) and each["Id"] in told and not told[each["Id"]].get("Values") and self._ran(end):
                yield f"{each['Id']} is empty, and the function ran"

    def _ran(self, end: datetime) -> bool:
        """Whether the function ran in the time that is asked about, and so long ago that CloudWatch must have it."""
        runs = [at for at, record in self._deployed.said if record["message"] == "run"]
        return any(end - _ASKED_ABOUT + _LATE < at < end - _LATE for at in runs)

    def _asked(self, query: LogQuery) -> Iterator[str]:
        """What is wrong with a question to the log; nothing if it is answered. Raises `Unclear` if that takes long."""
        end = self._patience.now()
        try:
            started = self._logs.start_query(
                logGroupNames=list(query.groups),
                queryString=query.text,
                startTime=int((end - _ASKED_ABOUT).timestamp()),
                endTime=int(end.timestamp()),
            )
        except ClientError as error:
            yield from _refusal(error)
            return
        status = self._patience.until(lambda: self._status(started["queryId"]))
        if status is None:
            raise Unclear("a query of the log is under way still", "try again")
        if status != "Complete":
            yield f"it ended {status}"

    def _status(self, query_id: str) -> str | None:
        status = self._logs.get_query_results(queryId=query_id)["status"]
        return None if status in _UNDER_WAY else status


_ASKS = {"log": Queries._log_widget, "metric": Queries._metric_widget}


def _counts_runs(query: dict[str, Any]) -> bool:
    """Whether a graph's line is the one that cannot be empty: the runs of the function, by the names AWS gives."""
    metric = query.get("MetricStat", {}).get("Metric", {})
    return (metric.get("Namespace"), metric.get("MetricName")) == ("AWS/Lambda", "Invocations")


def _refusal(error: ClientError) -> Iterator[str]:
    """That AWS does not take what was asked. Raises the error again if it is about who asks, or how often."""
    code = error_code(error)
    if code in DENIED or code not in _REFUSALS:
        raise error
    yield f"AWS refuses it: {code}"


def log_query(text: str) -> LogQuery:
    """The question of a dashboard's widget, which names its log groups in front: `SOURCE 'a' | SOURCE 'b' | …`."""
    sources = _SOURCES.match(text)
    named = sources[0] if sources else ""
    return LogQuery(text.removeprefix(named), tuple(re.findall(r"'([^']+)'", named)))


def metric_queries(properties: Any) -> list[dict[str, Any]]:
    """A graph's lines as `GetMetricData` takes them.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    return [_metric_query(number, line, properties) for number, line in enumerate(properties["metrics"])]


def _metric_query(number: int, line: Sequence[Any], properties: Any) -> dict[str, Any]:
    options = line[-1] if isinstance(line[-1], dict) else {}
    names = [part for part in line if not isinstance(part, dict)]
    period = options.get("period", properties.get("period", _PERIOD_SECONDS))
    query = {"Id": options.get("id", f"line{number}"), "ReturnData": options.get("visible", True)}
    if "expression" in options:
        return query | {"Expression": options["expression"], "Period": period}
    dimensions = [{"Name": name, "Value": value} for name, value in zip(names[2::2], names[3::2], strict=True)]
    metric = {"Namespace": names[0], "MetricName": names[1], "Dimensions": dimensions}
    stat = options.get("stat", properties.get("stat", "Average"))
    return query | {"MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}
