"""The AWS account that handshakectl works on: credentials and region from the usual chain, and its clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

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


class Aws:
    """One account in one region. It keeps no client: of hundreds of accounts only those at work hold any."""

    def __init__(self, profile: str | None, region: str | None, core: botocore.session.Session | None = None) -> None:
        self._session = boto3.Session(profile_name=profile, region_name=region, botocore_session=core)
        self._keys: dict[str, str] = {}
        self.region: str = self._session.region_name or ""
        if not self.region:
            raise BadInput("no region: give --region or set AWS_REGION; it is the partition's home region (us-east-1)")

    def client(self, service: str, *, config: Config | None = None) -> Any:
        """A client of a service, with this tool's timeouts and retries."""
        try:
            with _MAKES_CLIENTS:
                wanted = _CONFIG.merge(config) if config else _CONFIG
                make: Callable[..., Any] = self._session.client  # a name that is a variable has no type
                return make(service, config=wanted, **self._keys)
        except ValueError as error:  # botocore's answer to an endpoint that is no URL
            raise BadInput(f"AWS configuration: {error}") from error

    def with_credentials(self, given: CredentialsTypeDef) -> Aws:
        """The same with other credentials, as STS gives them: whose they are decides which account it is."""
        other = copy(self)
        other._keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
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
    """What makes the account of each profile, when it is wanted. Raises what botocore raises where there is no such.

    They share what is read of the services, which is the greatest part of a session.
    """
    common = botocore.session.Session()
    loader, known = common.get_component("data_loader"), common.available_profiles

    def made(profile: str) -> Aws:
        with _MAKES_CLIENTS:
            core = botocore.session.Session(profile=profile)
            core.register_component("data_loader", loader)
            return Aws(profile, region, core)

    for profile in profiles:
        if profile not in known:
            raise ProfileNotFound(profile=profile)
    return [partial(made, profile) for profile in profiles]
