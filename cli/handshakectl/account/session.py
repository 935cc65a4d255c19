"""The AWS account that handshakectl works on: credentials and region from the usual chain, and its clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache, partial
from threading import Lock, local
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError, ProfileNotFound

from handshake_core.retry import normalize_errors
from handshakectl.errors import BadInput
from handshakectl.output import name_in

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

# This is the one retry layer here, for the Lambda's classes too: `clock()` leaves theirs no time for another attempt.
_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as STS says it."""

    account_id: str
    partition: str
    name: str
    """The session or user; the role where that is an e-mail address; empty where neither may be shown."""


_MAKES_CLIENTS = Lock()
"""A session makes clients for one thread at a time; so do sessions that share what they have read of the services."""


@cache
def _loader() -> Any:
    """What is read of the services, which is the greatest part of a session."""
    return botocore.session.Session().get_component("data_loader")


class Aws:
    """One account in one region. It keeps no client of its own: hundreds of accounts share theirs."""

    def __init__(self, profile: str | None, region: str | None, core: botocore.session.Session | None = None) -> None:
        self._session = boto3.Session(profile_name=profile, region_name=region, botocore_session=core)
        self._profile = profile
        self._signed: ReadOnlyCredentials | None = None
        self._shared: _Shared | None = None
        self.region: str = self._session.region_name or ""
        if not self.region:
            raise BadInput("no region: give --region or set AWS_REGION; it is the partition's home region (us-east-1)")

    def client(self, service: str, *, config: Config | None = None) -> Any:
        """A client of a service, with this tool's timeouts and retries."""
        wanted = _CONFIG.merge(config) if config else _CONFIG
        if self._shared and self._signed:
            return _Client(self._shared.client(service, wanted), self._shared.credentials, self._signed)
        return _made(self._session, service, wanted)

    def with_credentials(self, given: CredentialsTypeDef) -> Aws:
        """The same with other credentials, as STS gives them: whose they are decides which account it is."""
        other = copy(self)
        self._shared = other._shared = self._shared or _Shared(self._profile, self.region)
        other._signed = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return other

    def caller(self) -> Caller:
        """Whose credentials these are. Raises what botocore raises, first of all when there are none."""
        sts: STSClient = self.client("sts")
        return normalize_errors(lambda: _caller(sts.get_caller_identity()["Arn"]))


def _caller(arn: str) -> Caller:
    """Raises `ValueError` if it is no ARN."""
    _, partition, _, _, account_id, _ = arn.split(":", 5)
    return Caller(account_id, partition, name_in(arn))


def of_profiles(profiles: Sequence[str], region: str | None) -> list[Callable[[], Aws]]:
    """What makes the account of each profile, when it is wanted. Raises what botocore raises where there is no such."""

    def made(profile: str) -> Aws:
        with _MAKES_CLIENTS:
            core = botocore.session.Session(profile=profile)
            core.register_component("data_loader", _loader())
            return Aws(profile, region, core)

    known = botocore.session.Session().available_profiles
    for profile in profiles:
        if profile not in known:
            raise ProfileNotFound(profile=profile)
    return [partial(made, profile) for profile in profiles]


def _made(session: boto3.Session, service: str, config: Config) -> Any:
    try:
        with _MAKES_CLIENTS:
            make: Callable[..., Any] = session.client  # a name that is a variable has no type
            return make(service, config=config)
    except ValueError as error:  # botocore's answer to an endpoint that is no URL
        raise BadInput(f"AWS configuration: {error}") from error


class _ForOneCall(Credentials):  # type: ignore[misc]  # botocore has no types
    """Whoever shares a client signs each call for itself: outside a call there are no credentials at all."""

    def __init__(self) -> None:
        self._now = local()

    @contextmanager
    def signing(self, credentials: ReadOnlyCredentials) -> Iterator[None]:
        """Signs what this thread calls meanwhile."""
        self._now.credentials = credentials
        try:
            yield
        finally:
            del self._now.credentials

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Those of the call that is under way in this thread. Raises `NoCredentialsError` if there is none."""
        found: ReadOnlyCredentials | None = getattr(self._now, "credentials", None)
        if found is None:
            raise NoCredentialsError
        return found

    def load_credentials(self) -> Credentials:
        """What botocore asks a provider of credentials for."""
        return self


class _Shared:
    """One client a service, and its connections, for many accounts: a client takes milliseconds, a connection more."""

    def __init__(self, profile: str | None, region: str) -> None:
        """`profile`: where the configuration says more than whose credentials these are, such as an endpoint."""
        self.credentials = _ForOneCall()
        core = botocore.session.Session(profile=profile)
        core.register_component("data_loader", _loader())
        core.register_component("credential_provider", self.credentials)
        self._session = boto3.Session(region_name=region, botocore_session=core)
        self._clients: dict[tuple[str, int], Any] = {}
        self._lock = Lock()

    def client(self, service: str, config: Config) -> Any:
        """The one client of a service, and of how long it waits."""
        with self._lock:
            key = (service, config.read_timeout)
            if key not in self._clients:
                wanted = config.merge(Config(max_pool_connections=_MOST_AT_ONCE))
                self._clients[key] = _made(self._session, service, wanted)
            return self._clients[key]


_MOST_AT_ONCE = 64
"""The most accounts at the same time, see the option --parallel."""


class _Client:
    """A shared client, all of whose calls are signed for one account."""

    def __init__(self, shared: Any, signer: _ForOneCall, credentials: ReadOnlyCredentials) -> None:
        self._shared, self._signing = shared, partial(signer.signing, credentials)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """One operation of the service."""

        def call(**request: Any) -> Any:
            with self._signing():
                return getattr(self._shared, operation)(**request)

        return call

    def get_paginator(self, operation: str) -> _Pages:
        """As botocore's clients have it."""
        return _Pages(self._shared.get_paginator(operation), self._signing)


class _Pages:
    """A paginator, each page of which is signed for one account."""

    def __init__(self, shared: Any, signing: Callable[[], Any]) -> None:
        self._shared, self._signing = shared, signing

    def paginate(self, **request: Any) -> Iterator[Any]:
        """As botocore's paginators have it."""
        pages = iter(self._shared.paginate(**request))
        while True:
            with self._signing():
                page = next(pages, None)
            if page is None:
                return
            yield page
