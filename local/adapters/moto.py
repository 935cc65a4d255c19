"""Puts the handshake service behind moto, for tests in one process.

    with handshakes_in_moto(service):
        client = boto3.client("organizations", aws_access_key_id="222222222222", ...)

moto 5.2.5 mocks Organizations without any handshake. Inside the context these operations come from the service,
those that moto has included, so that there is one truth; every other AWS service is moto's.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore import xform_name
from moto import mock_aws
from moto.core.responses import BaseResponse
from moto.organizations.responses import OrganizationsResponse

from local.service import aws_json
from local.service.handshake_service import OPERATIONS, HandshakeService

_ACCOUNT_ID_AS_KEY = re.compile(r"Credential=(\d{12})/", re.ASCII)
_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)


@contextmanager
def handshakes_in_moto(service: HandshakeService, *, account_id: str | None = None) -> Iterator[HandshakeService]:
    """Start moto with the service in it.

    The caller is the account whose 12-digit id is the access key id, as in the embedded AWS, else `account_id`,
    else what moto finds out; this goes for every AWS service.
    """
    # moto replaces the credentials in the environment by its own, which name no account.
    in_environment = _ACCOUNT_ID.fullmatch(os.environ.get("AWS_ACCESS_KEY_ID", ""))
    default = account_id or (in_environment and in_environment[0])
    moto_account: Callable[[BaseResponse], str] = BaseResponse.get_current_account

    def current_account(response: BaseResponse) -> str:
        key = _ACCOUNT_ID_AS_KEY.search(response.headers.get("Authorization", ""))
        return key[1] if key else default or moto_account(response)

    # moto calls the method that is named like the operation.
    handlers: dict[str, Any] = {xform_name(name): _handler(service, name) for name in OPERATIONS}
    with (
        mock_aws(),
        patch.object(BaseResponse, "get_current_account", current_account),
        patch.multiple(OrganizationsResponse, create=True, **handlers),
    ):
        yield service


def _handler(service: HandshakeService, operation: str) -> Callable[[OrganizationsResponse], aws_json.WireAnswer]:
    def answer(response: OrganizationsResponse) -> aws_json.WireAnswer:
        request = json.loads(response.body or "{}")
        status, headers, body = aws_json.answer(service, operation, response.current_account, request)
        return status, {**headers, "status": str(status)}, body

    return answer
