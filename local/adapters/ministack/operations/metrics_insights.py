"""CloudWatch Metrics Insights: as much of the query language as the fleet's dashboard uses."""

from __future__ import annotations

import re
from typing import Any

from local.cloudwatch.metrics import refusal

_QUERY = re.compile(
    r"SELECT (?P<function>SUM|MAX|MIN|AVG)\((?P<metric>\w+)\) "
    r'FROM SCHEMA\("?(?P<namespace>[\w/]+)"?, (?P<dimension>\w+)\)'
    r"(?: WHERE (?P=dimension) = '(?P<value>[^']+)')?"
    r"(?: GROUP BY AWS\.AccountId ORDER BY (?P=function)\(\) (?:ASC|DESC) LIMIT [0-9]+)?",
    re.ASCII,
)
_STATISTICS = {"SUM": "Sum", "MAX": "Maximum", "MIN": "Minimum", "AVG": "Average"}


def answer_questions(cloudwatch: Any) -> None:
    """Ministack answers no expression. Here one account's metrics answer, for each is asked in a world of its own.

    Which code AWS gives for a second question in a call, or one that it does not understand, is not documented.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """
    get = cloudwatch._get_metric_data

    def get_metric_data(params: Any, body: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        asked = (body or {}).get("MetricDataQueries", ())
        matches = {each["Id"]: _QUERY.fullmatch(each["Expression"]) for each in asked if "Expression" in each}
        wrong = [f"Error in expression '{name}': it cannot be understood" for name, each in matches.items() if not each]
        if why := refusal(asked) or next(iter(wrong), None):
            return cloudwatch._error("ValidationError", why, 400, use_json=is_json, use_cbor=is_cbor)
        if not matches:
            return get(params, body, is_cbor, is_json)
        understood = [_metric_stat(each, matches.get(each["Id"])) for each in asked]
        return get(params, {**body, "MetricDataQueries": understood}, is_cbor, is_json)

    cloudwatch._get_metric_data = get_metric_data


def _metric_stat(query: dict[str, Any], match: re.Match[str] | None) -> dict[str, Any]:
    if match is None:
        return query
    dimensions = [{"Name": match["dimension"], "Value": match["value"]}] if match["value"] else []
    metric = {"Namespace": match["namespace"], "MetricName": match["metric"], "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": query.get("Period", 300), "Stat": _STATISTICS[match["function"]]}
    return {name: value for name, value in query.items() if name != "Expression"} | {"MetricStat": stat}
