"""What both adapters say on the wire: AWS JSON 1.1, every request and answer held against the model."""

import json
from datetime import datetime
from typing import Any

from local.service.contract import ModelMismatch, check_answer, check_error, check_request
from local.service.handshake_service import HandshakeService, ServiceError

WireAnswer = tuple[int, dict[str, str], str]
"""Status, headers, body."""


def answer(service: HandshakeService, operation: str, account_id: str, request: dict[str, Any]) -> WireAnswer:
    """Answer one request; a mismatch of ours with the model is not an answer but a bug, and raised."""
    try:
        check_request(operation, request)
    except ModelMismatch as mismatch:
        # AWS has a reason for each kind of these; botocore refuses most of them before they are sent.
        return _failure(ServiceError("InvalidInputException", str(mismatch), "INVALID_PATTERN"))
    try:
        result = service.call(operation, account_id, request)
    except ServiceError as error:
        if not error.injected:
            check_error(operation, error.code, error.reason)
        return _failure(error)
    check_answer(operation, result)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(result, default=datetime.timestamp)


def _failure(error: ServiceError) -> WireAnswer:
    content = {"__type": error.code, "Message": error.message}
    if error.reason is not None:
        content["Reason"] = error.reason
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": error.code}
    return error.status, headers, json.dumps(content)
