"""Whose credentials a call is signed with, where many accounts share their clients."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from handshakectl.account.session import Aws

A, B = "222222222222", "333333333333"


def entered(aws, account):
    return aws.with_credentials({"AccessKeyId": account, "SecretAccessKey": "s", "SessionToken": f"of {account}"})


@pytest.fixture
def aws():
    return Aws(None, "us-east-1")


@pytest.fixture
def signed(monkeypatch):
    """What every request says of who sends it, and the token it has; each is answered with two pages."""
    seen, held = [], threading.Lock()

    def send(session, request):
        key = request.headers["Authorization"].decode().partition("Credential=")[2].partition("/")[0]
        with held:
            seen.append((key, request.headers["X-Amz-Security-Token"].decode()))

        class Body:
            @staticmethod
            def stream(**_):
                token = b"" if b"NextToken" in request.body else b', "NextToken": "more"'
                yield b'{"Parameters": []%s}' % token

        return AWSResponse(request.url, 200, {}, Body())

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
    return seen


def test_each_account_signs_its_own_calls_in_whichever_order(aws, signed):
    one, other = entered(aws, A).client("ssm"), entered(aws, B).client("ssm")
    for client in (one, other, one):
        client.get_parameters_by_path(Path="/x")
    assert signed == [(A, f"of {A}"), (B, f"of {B}"), (A, f"of {A}")]


def test_each_page_is_signed_for_the_account_that_asked(aws, signed):
    pages = [entered(aws, account).client("ssm").get_paginator("get_parameters_by_path") for account in (A, B)]
    for _ in zip(*(each.paginate(Path="/x") for each in pages), strict=True):
        pass
    assert [key for key, _ in signed] == [A, B, A, B]


def test_side_by_side_nobody_signs_for_another(aws, signed):
    accounts = [f"2{number:011}" for number in range(40)]
    ready = threading.Barrier(8)

    def work(account):
        client = entered(aws, account).client("ssm")
        ready.wait(10)
        for _ in range(5):
            client.get_parameters_by_path(Path=f"/{account}")
        return account

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, accounts))
    assert sorted(signed) == sorted((account, f"of {account}") for account in accounts for _ in range(5))


def test_outside_of_an_account_s_call_there_are_no_credentials(aws, signed):
    entered(aws, A).client("ssm").get_parameters_by_path(Path="/x")
    shared = aws._shared.client("ssm", Config())
    with pytest.raises(NoCredentialsError):
        shared.get_parameters_by_path(Path="/x")
    assert len(signed) == 1


def test_a_call_that_fails_leaves_no_credentials_behind(aws, monkeypatch):
    def fail(session, request):
        raise OSError("no network")

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", fail)
    client = entered(aws, A).client("ssm")
    with pytest.raises(OSError, match="no network"):
        client.get_parameters_by_path(Path="/x")
    with pytest.raises(NoCredentialsError):
        aws._shared.credentials.get_frozen_credentials()


def test_accounts_share_a_client(aws, monkeypatch):
    made = []
    monkeypatch.setattr(
        "handshakectl.account.session._made", lambda session, service, config: made.append(service) or object()
    )
    for account in (A, B):
        entered(aws, account).client("ssm")
    assert made == ["ssm"]
