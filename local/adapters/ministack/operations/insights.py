"""CloudWatch Logs Insights: saved queries are kept and shown, and a query that cannot be understood is refused."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from local.cloudwatch.insights import NotUnderstood, ask


def keep_saved_queries(handlers: dict[str, Any], logs: Any, responses: Any) -> None:
    """CloudFormation's `AWS::Logs::QueryDefinition`, `DescribeQueryDefinitions` and `PutQueryDefinition`."""
    saved: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    handle, reset = logs.handle_request, logs.reset

    def here() -> dict[str, dict[str, Any]]:
        return saved.setdefault((responses.get_account_id(), responses.get_region()), {})

    def put(query_id: str, properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        here()[query_id] = {
            "queryDefinitionId": query_id,
            "name": properties["Name"],
            "queryString": properties["QueryString"],
            "logGroupNames": properties.get("LogGroupNames", []),
        }
        return query_id, {"QueryDefinitionId": query_id}

    handlers["AWS::Logs::QueryDefinition"] = {
        "create": lambda logical_id, properties, stack: put(logical_id, properties),
        "update": lambda physical_id, old, new, stack: put(physical_id, new),
        "delete": lambda physical_id, properties: here().pop(physical_id, None),
    }

    def describe(request: dict[str, Any]) -> Any:
        prefix = request.get("queryDefinitionNamePrefix", "")
        found = [each for each in here().values() if each["name"].startswith(prefix)]
        return logs.json_response({"queryDefinitions": found})

    def put_one(request: dict[str, Any]) -> Any:
        query_id = request.get("queryDefinitionId") or str(uuid4())
        put(query_id, {f"{name[0].upper()}{name[1:]}": value for name, value in request.items()})
        return logs.json_response({"queryDefinitionId": query_id})

    operations = {"DescribeQueryDefinitions": describe, "PutQueryDefinition": put_one}

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        operation = operations.get(headers.get("x-amz-target", "").rpartition(".")[2])
        return operation(json.loads(body or b"{}")) if operation else await handle(method, path, headers, body, query)

    def forget() -> None:
        saved.clear()
        reset()

    logs.handle_request, logs.reset = handle_request, forget


def understand_queries(logs: Any) -> None:
    """Ministack passes over what it does not understand of a query; AWS refuses it."""
    start = logs._start_query

    def start_query(request: dict[str, Any]) -> Any:
        text = request.get("queryString", "")
        groups = logs._resolve_query_log_groups(request)
        answer = start(request)
        if answer[0] != 200:
            return answer
        lines = logs._collect_query_records(groups, request["startTime"], request["endTime"])
        try:
            table = ask(text, [_line(line) for line in lines])
        except NotUnderstood as error:
            return logs.error_response_json("MalformedQueryException", f"cannot be understood: {error}", 400)
        logs._queries[json.loads(answer[2])["queryId"]]["results"] = [
            [{"field": name, "value": str(cell)} for name, cell in row.items() if cell is not None] for row in table
        ]
        return answer

    logs._start_query = start_query


def _line(record: dict[str, Any]) -> dict[str, Any]:
    """A line of the log with its fields, which Insights finds where it is JSON."""
    message = record.get("@message", "")
    try:
        fields = json.loads(message)
    except ValueError:
        fields = {}
    found = fields if isinstance(fields, dict) else {}
    return {**found, "@timestamp": str(record.get("_timestamp_ms", "")), "@message": message}
