"""Organizations answers from the handshake service; where there is a trail, what changes handshakes is recorded."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.adapters.ministack.buses import tell
from local.adapters.ministack.hooks import Ministack
from local.service import aws_json, cloudtrail
from local.service.admin_api import AdminApi
from local.service.handshake_service import OPERATIONS


def add_handshakes(aws: Ministack, admin: AdminApi) -> None:
    """Has the handshake service answer its operations, and forgets its world with everything else on a reset."""
    organizations, account_id = aws["organizations"], aws["responses"].get_account_id

    def handler(operation: str) -> Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]:
        def handle(payload: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            status, headers, body = aws_json.answer(admin.service, operation, account_id(), payload)
            if status == 200 and operation in cloudtrail.RECORDED and admin.has_trail(account_id()):
                _deliver_record(aws, operation, payload, json.loads(body))
            if status == 200 and operation == "AcceptHandshake":
                _tell_who_joined(aws, admin, json.loads(body)["Handshake"])
            return status, headers, body.encode()

        return handle

    organizations._DISPATCH.update({operation: handler(operation) for operation in OPERATIONS})
    parents: dict[str, str] = {}
    organizations._DISPATCH.update(_parents(aws, admin, parents))
    reset_organizations = organizations.reset

    def reset() -> None:  # `/_ministack/reset` is for the whole world
        reset_organizations()
        parents.clear()
        admin.reset()

    organizations.reset = reset


ROOT = "r-root"
"""The root of every organization here."""


def _parents(aws: Ministack, admin: AdminApi, parents: dict[str, str]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Moves accounts between a root and its units, which are ids and no more; `parents` has those that were moved."""
    responses = aws["responses"]
    account_id, error, answered = responses.get_account_id, responses.error_response_json, responses.json_response

    def described(payload: dict[str, Any]) -> dict[str, Any] | None:
        accounts = admin.service.call("ListAccounts", account_id(), {})["Accounts"]
        return next((each for each in accounts if each["Id"] == payload["AccountId"]), None)

    def describe_account(payload: dict[str, Any]) -> Any:
        found = described(payload)
        if found is None:
            return error("AccountNotFoundException", "no such account", 400)
        return answered({"Account": found | {"JoinedTimestamp": found["JoinedTimestamp"].timestamp()}})

    def list_parents(payload: dict[str, Any]) -> Any:
        parent = parents.get(payload["ChildId"], ROOT)
        kind = "ROOT" if parent.startswith("r-") else "ORGANIZATIONAL_UNIT"
        return answered({"Parents": [{"Id": parent, "Type": kind}]})

    def move_account(payload: dict[str, Any]) -> Any:
        if not described(payload) or parents.get(payload["AccountId"], ROOT) != payload["SourceParentId"]:
            return error("AccountNotFoundException", "no such account in that parent", 400)
        parents[payload["AccountId"]] = payload["DestinationParentId"]
        return answered({})

    return {"DescribeAccount": describe_account, "ListParents": list_parents, "MoveAccount": move_account}


def _tell_who_joined(aws: Ministack, admin: AdminApi, handshake: dict[str, Any]) -> None:
    """The event of AWS itself in the management account, where that has a trail."""
    joined = aws["responses"].get_account_id()
    management = handshake["Arn"].split(":")[4]
    if handshake["Action"] != "INVITE" or not admin.has_trail(management):
        return
    detail = cloudtrail.joined(management, joined, datetime.now(UTC))
    with aws["responses"].request_scope(management, aws["responses"].get_region()):
        tell(aws["eventbridge"], "aws.organizations", "AWS Service Event via CloudTrail", detail)


def _deliver_record(aws: Ministack, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
    """At once; AWS takes seconds to minutes, and promises nothing."""
    account_id, caller = aws["responses"].get_account_id(), aws["iam_evaluator"].caller_arn()
    detail = cloudtrail.record(operation, account_id, caller, request, answer, datetime.now(UTC))
    tell(aws["eventbridge"], "aws.organizations", "AWS API Call via CloudTrail", detail)
