"""What breaks a run without a change to its code: clients that hide from it what AWS answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local.world import PREFIX, client_error, document
from tests.faults.fault_world import NOT_IN_USE

Perform = Callable[[str, dict[str, Any]], dict[str, Any]]


def remembers(wanted: str, perform: Perform) -> Perform:
    """Every call of one operation is answered as the first one was."""
    answers: dict[str, dict[str, Any]] = {}

    def remembering(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation != wanted:
            return perform(operation, request)
        key = json.dumps(request)
        if key not in answers:
            answers[key] = perform(operation, request)
        return answers[key]

    return remembering


def remembers_the_account(perform: Perform) -> Perform:
    """The account's organization is asked for once."""
    error: list[ClientError] = []

    def remembering(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation != "DescribeOrganization":
            return perform(operation, request)
        if error:
            raise error[0]
        try:
            return perform(operation, request)
        except ClientError as answer:
            if answer.response["Error"]["Code"] == NOT_IN_USE:
                error.append(answer)
            raise

    return remembering


def takes_pages_for_one(perform: Perform) -> Perform:
    """All pages of the policy look like one, as if they were of one moment."""

    def merged(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        page = perform(operation, request)
        while operation == "GetParametersByPath" and isinstance(token := page.pop("NextToken", None), str):
            more = perform(operation, request | {"NextToken": token})
            page = more | {"Parameters": [*page["Parameters"], *more["Parameters"]]}
        return page

    return merged


def reads(change: Callable[[dict[str, Any]], None], perform: Perform) -> Perform:
    """What a page of the policy says is changed on its way."""

    def changed(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        page = perform(operation, request)
        for raw in (page.get("Parameters") or ()) if operation == "GetParametersByPath" else ():
            if isinstance(raw, dict):
                change(raw)
        return page

    return changed


def no_deny(raw: dict[str, Any]) -> None:
    try:
        content = json.loads(raw["Value"])
        kept = [each for each in content["Statement"] if each["Effect"] == "Allow"]
    except (KeyError, TypeError, ValueError):
        return
    raw["Value"] = document(*kept)


def no_brake(raw: dict[str, Any]) -> None:
    if raw.get("Name") == f"{PREFIX}mode":
        raw["Value"] = "enforce"


def takes_lost_for_throttled(perform: Perform) -> Perform:
    """What may have had its effect is taken for what certainly had none."""

    def softened(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return perform(operation, request)
        except Exception as error:
            if operation in ("AcceptHandshake", "DeclineHandshake"):
                raise client_error("TooManyRequestsException", operation) from error
            raise

    return softened


def takes_refusals_for_success(perform: Perform) -> Perform:
    seen: dict[str, dict[str, Any]] = {}

    def believing(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            page = perform(operation, request)
        except ClientError:
            if operation == "AcceptHandshake" and request["HandshakeId"] in seen:
                return {"Handshake": seen[request["HandshakeId"]] | {"State": "ACCEPTED"}}
            raise
        if operation == "ListHandshakesForAccount":
            seen.update(
                {raw["Id"]: raw for raw in page.get("Handshakes") or () if isinstance(raw, dict) and "Id" in raw}
            )
        return page

    return believing
