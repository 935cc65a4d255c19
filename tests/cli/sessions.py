"""What the tests of the verbs that call AWS share: making a client is what a test with boto3 spends its time on."""

import os
from functools import cache
from pathlib import Path

import boto3

from handshakectl.account.session import _Shared
from tests.support.services import read_services_once


def share_clients(monkeypatch):
    """What handshakectl makes of boto3 is made once for all tests, and for all runs in each."""
    monkeypatch.setattr("handshakectl.account.session.boto3.Session", session)
    monkeypatch.setattr("handshakectl.account.session._Shared", _shared)
    read_services_once(monkeypatch)


def session(botocore_session=None, **names):
    """The session of these names, with one client a service.

    It has credentials of its own, whichever test comes first: what it finds then stays for all others.
    """
    if botocore_session is None:
        own = {} if names.get("profile_name") else {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return _kept("", **names, **own)
    if "profile_name" in names:
        return _kept(_configuration(), **names)
    return _with_its_clients(boto3_session(botocore_session=botocore_session, **names))


boto3_session = boto3.Session
"""As it is before a test puts `session` in its place."""


@cache
def _kept(configuration, **names):
    return _with_its_clients(boto3_session(**names))


def _with_its_clients(made):
    make, clients = made.client, {}

    def client(service, config=None, **names):
        key = (service, config and config.read_timeout, *sorted(names.items()))
        if key not in clients:
            clients[key] = make(service, config=config, **names)
        return clients[key]

    made.client = client
    return made


def _shared(profile, region):
    return _shared_by(profile, region, _configuration())


@cache
def _shared_by(profile, region, configuration):
    return _Shared(profile, region)


def _configuration():
    """All that a profile can be made of here."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    file = Path(environment.pop("AWS_CONFIG_FILE", os.devnull))
    return str(sorted(environment.items())) + file.read_text()
