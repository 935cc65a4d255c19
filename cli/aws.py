"""The AWS account that handshakectl works on: credentials and region from the usual chain, clients, and failures in
one line.

Error messages of AWS are not passed on: they name the caller, whose session is often an e-mail address.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Annotated, Any

import boto3
import botocore.session
import typer
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from cli.output import harmless
from cli.verbs import BadInput
from handshake_core.retry import MARGIN, Clock, once, real_clock

NAME = "handshake-acceptor"
"""What the function, the bus and the schedule group are called."""

Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Profile of the AWS configuration.")]
Region = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", envvar="AWS_REGION", help="Where the acceptor is deployed."),
]
Prefix = Annotated[str, typer.Option("--prefix", metavar="PATH", help="Where the policy's parameters are.")]
PREFIX = "/handshake-acceptor/"

# This is the one retry layer here, for the Lambda's classes too: `clock()` leaves theirs no time for another attempt.
_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"})
_ADVICE = {
    "AccessDenied": "the caller lacks the permission",
    "AccessDeniedException": "the caller lacks the permission",
    "AuthorizationError": "the caller lacks the permission",
    "UnauthorizedOperation": "the caller lacks the permission",
    "ExpiredToken": "sign in again",
    "ExpiredTokenException": "sign in again",
    "InvalidClientTokenId": "the credentials are not valid here; sign in again",
    "UnrecognizedClientException": "the credentials are not valid here; sign in again",
    "SignatureDoesNotMatch": "the credentials are not valid; sign in again",
}


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

    def __init__(self, profile: str | None, region: str | None, **more: Any) -> None:
        self._session = boto3.Session(profile_name=profile, region_name=region, **more)
        self._keys: dict[str, str] = {}
        self.region: str = self._session.region_name or ""
        if not self.region:
            raise BadInput("no region: give --region or set AWS_REGION; it is the partition's home region (us-east-1)")

    def client(self, service: str, *, config: Config | None = None) -> Any:
        """A client of a service, with this tool's timeouts and retries."""
        try:
            with _MAKES_CLIENTS:
                wanted = _CONFIG.merge(config) if config else _CONFIG
                return self._session.client(service, config=wanted, **self._keys)
        except ValueError as error:  # botocore's answer to an endpoint that is no URL
            raise BadInput(f"AWS configuration: {error}") from error

    def with_credentials(self, given: Mapping[str, Any]) -> "Aws":
        """The same with other credentials, as STS gives them: whose they are decides which account it is."""
        other = copy(self)
        names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
        other._keys = {key: given[name] for key, name in {**names, "aws_session_token": "SessionToken"}.items()}
        return other

    def caller(self) -> Caller:
        """Whose credentials these are. Raises what botocore raises, first of all when there are none."""
        sts = self.client("sts")
        return once(lambda: _caller(sts.get_caller_identity()["Arn"]))


def _caller(arn: str) -> Caller:
    """Raises `ValueError` if it is no ARN."""
    _, partition, _, _, account_id, resource = arn.split(":", 5)
    names = [part for part in resource.split("/")[1:] if "@" not in part]
    return Caller(account_id, partition, names[-1] if names else "")


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
            return Aws(profile, region, botocore_session=core)

    for profile in profiles:
        if profile not in known:
            raise ProfileNotFound(profile=profile)
    return [partial(made, profile) for profile in profiles]


def clock(seconds: float = 0.0) -> Clock:
    """Real time for the Lambda's classes, which may try again for so many seconds."""
    end = time.monotonic() + seconds + (MARGIN if seconds else 0.0)
    return real_clock(lambda: end - time.monotonic())


def prefix(text: str) -> str:
    """The path of the policy's parameters, with a slash at both ends."""
    inner = text.strip("/")
    if not inner:
        raise BadInput(f"--prefix: {text!r} is not a path such as {PREFIX}")
    return f"/{inner}/"


def explained(error: Exception) -> str:
    """What went wrong between here and AWS, in one line without anything personal."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return "no AWS credentials: sign in, or give --profile"
        case NoRegionError():
            return "no region: give --region or set AWS_REGION"
        case ClientError():
            code = error_code(error)
            advice = _ADVICE.get(code, "")
            return f"AWS refuses {error.operation_name}: {code}" + (f": {advice}" if advice else "")
    first, *_ = str(error).splitlines() or [type(error).__name__]
    return harmless(first)


def error_code(error: ClientError) -> str:
    """The service's code for what went wrong."""
    return harmless(str(error.response.get("Error", {}).get("Code", "an unknown error")))


def attempt(call: Callable[[], Any], *absent: str) -> Any:
    """The call's answer, or None where AWS answers with one of these codes, which mean: it is not there."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) in absent:
            return None
        raise
