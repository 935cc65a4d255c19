"""Many accounts for the tests: moto's Parameter Store and token service, and the handshake service, in each of them."""

import json
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import boto3
from botocore.client import BaseClient
from moto.core.models import RESPONSES_METHODS
from moto.iam.models import get_account_id_from
from moto.ssm.models import ssm_backends
from typer.testing import CliRunner

from handshakectl.main import app
from local.adapters.moto import handshakes_in_moto
from local.service.handshake_service import HandshakeService, ShiftedClock
from local.world import MANAGEMENT, ORGANIZATION, PREFIX, document

ACCOUNTS = ("222222222222", "333333333333", "444444444444")
# Nothing here calls AWS but by botocore: moto need not get ready to answer `requests` too, at each start.
RESPONSES_METHODS.clear()
MODE = f"{PREFIX}mode"
ALLOWLIST = f"{PREFIX}policy/allowlist"


def run(*args, **more):
    return CliRunner().invoke(app, [str(arg) for arg in args], **more)


@contextmanager
def organization():
    """The accounts' handshake service, with one organization that may invite."""
    service = HandshakeService(ShiftedClock())
    service.add_organization(ORGANIZATION, MANAGEMENT)
    with handshakes_in_moto(service):
        yield service


@cache
def parameter_store(account):
    keys = {"aws_access_key_id": account, "aws_secret_access_key": "testing"}
    return boto3.client("ssm", region_name="us-east-1", **keys)


def seed(*accounts, mode="enforce", **documents):
    """Parameter Store as the stack seeds it, in each account, or with other documents.

    It is written where moto keeps it: the calls of so many accounts would take longer than most tests.
    """
    unset = dict.fromkeys(("description", "allowed_pattern", "keyid", "tags", "tier", "policies"))
    for account in accounts:
        ssm = ssm_backends[account]["us-east-1"]
        for name, text in ({"mode": mode, "policy/allowlist": document()} | documents).items():
            ssm.put_parameter(
                f"{PREFIX}{name}", value=text, parameter_type="String", overwrite=True, data_type="text", **unset
            )


def value(account, name):
    return parameter_store(account).get_parameter(Name=name)["Parameter"]["Value"]


def history(account, name):
    return parameter_store(account).get_parameter_history(Name=name)["Parameters"]


@contextmanager
def calls(*answers):
    """The calls made meanwhile, each (account, operation). `answers` are (account, operation, part of the request, an
    exception, or a function of the request whose answer, if it has one, is AWS's); account "" is any."""
    seen = []
    real = BaseClient._make_api_call

    def call(client, operation, request):
        key = client._request_signer._credentials.get_frozen_credentials().access_key
        account = key if key.isdecimal() else get_account_id_from(key)
        seen.append((account, operation))
        for wanted_account, wanted, part, answer in answers:
            if account.startswith(wanted_account) and operation == wanted and part in json.dumps(request):
                if isinstance(answer, BaseException):
                    raise answer
                if (answered := answer(request)) is not None:
                    return answered
        return real(client, operation, request)

    with patch.object(BaseClient, "_make_api_call", call):
        yield seen
