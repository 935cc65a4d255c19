"""Organizations answers from the handshake service; where there is a trail, what changes handshakes is recorded."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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
            return status, headers, body.encode()

        return handle

    organizations._DISPATCH.update({operation: handler(operation) for operation in OPERATIONS})
    reset_organizations = organizations.reset

    def reset() -> None:  # `/_ministack/reset` is for the whole world
        reset_organizations()
        admin.reset()

    organizations.reset = reset


def _deliver_record(aws: Ministack, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
    """At once; AWS takes seconds to minutes, and promises nothing."""
    detail = cloudtrail.record(
        operation,
        aws["responses"].get_account_id(),
        aws["iam_evaluator"].caller_arn(),
        request,
        answer,
        datetime.now(UTC),
    )
    event = {
        "Source": "aws.organizations",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail),
    }
    aws["eventbridge"]._put_events({"Entries": [event]}, allow_aws_source=True)
