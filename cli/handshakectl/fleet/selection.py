"""Which accounts a command is for: a profile for each, or a role of the same name in all of them."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import ClientError

from handshake_core import retry
from handshake_core.handshake import ACCOUNT_ID
from handshakectl.account.session import Aws, Caller, of_profiles
from handshakectl.errors import BadInput, EntryRefused
from handshakectl.failures import error_code
from handshakectl.fleet.grouping import alike
from handshakectl.options import (
    PARALLEL,
    Accounts,
    AccountsFile,
    Json,
    Parallel,
    Prefix,
    Profile,
    Profiles,
    Region,
    Role,
    prefix,
)
from handshakectl.output import sanitize
from handshakectl.policy.files import read_text

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

SESSION = "handshakectl"
"""What a session of an assumed role is called."""

_ROLE = re.compile(r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_ARN = re.compile(rf"arn:([a-z-]+):iam::(\d{{12}}):role/({_ROLE.pattern})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """One account that was asked for."""

    account_id: str | None
    """None where only its credentials tell."""
    profile: str | None
    enter: Callable[[], tuple[Aws, Caller]]
    """The account, and who calls there. Raises what botocore raises."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The accounts that a command is for."""

    targets: list[Target]
    alone: bool
    """Whether it is the caller's own account, because none was named."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which accounts a verb was asked about, and how to answer. The order of the fields is that of `--help`."""

    profiles: Profiles = None
    role: Role = None
    accounts: Accounts = None
    accounts_file: AccountsFile = None
    parallel: Parallel = PARALLEL
    profile: Profile = None
    region: Region = None
    path: Prefix = None
    as_json: Json = False

    @property
    def prefix(self) -> str:
        """The path of the policy's parameters. Raises `BadInput`."""
        return prefix(self.path)

    def targets(self) -> list[Target]:
        """The accounts that the options name; none where none of them is given. Raises `BadInput`."""
        if self.profiles:
            if self.profile or self.role or self.accounts or self.accounts_file:
                raise BadInput("--profiles: goes with none of --profile, --role, --accounts and --accounts-file")
            _unique(("--profiles", name) for name in self.profiles)
            made = of_profiles(self.profiles, self.region)
            return [Target(None, name, _own(make)) for name, make in zip(self.profiles, made, strict=True)]
        ids = _unique(_ids(self.accounts or [], self.accounts_file))
        if self.role is None:
            if ids:
                option = "--accounts" if self.accounts else "--accounts-file"
                raise BadInput(f"{option}: needs --role, the role to assume there")
            return []
        arn = _ROLE_ARN.fullmatch(self.role)
        name = arn[3] if arn else self.role.removeprefix("/")
        if not _ROLE.fullmatch(name):
            raise BadInput(f"--role: {self.role!r} is neither a role's name, with its path if it has one, nor its ARN")
        if arn and ids:
            raise BadInput("--role: an ARN names its account already; give the role's name with --accounts")
        ids = [arn[2]] if arn else ids
        if not ids:
            raise BadInput("--role: needs --accounts or --accounts-file")
        aws = Aws(self.profile, self.region)
        caller = aws.caller()
        if arn and arn[1] != caller.partition:
            raise BadInput(f"--role: is in the partition {arn[1]}, and the credentials are for {caller.partition}")
        return _with_role(aws, caller, name, ids, self.parallel)

    def selection(self) -> Selection:
        """The accounts that the options name, or the caller's own. Raises `BadInput`."""
        if many := self.targets():
            return Selection(many, alone=False)
        aws = Aws(self.profile, self.region)
        return Selection([Target(None, self.profile, _own(lambda: aws))], alone=True)


def refuse_twins(found: Iterable[tuple[str, str | None]]) -> None:
    """Raises `BadInput` if two profiles, given as (account id, profile), are the same account."""
    for account_id, same in alike(found, lambda pair: pair[0]):
        if len(same) > 1:
            names = " and ".join(str(profile) for _, profile in same)
            raise BadInput(f"--profiles: {names} are the same account, {account_id}; give one of them")


def _own(make: Callable[[], Aws]) -> Callable[[], tuple[Aws, Caller]]:
    def enter() -> tuple[Aws, Caller]:
        aws = make()
        return aws, aws.caller()

    return enter


def _with_role(aws: Aws, caller: Caller, role: str, ids: Iterable[str], parallel: int) -> list[Target]:
    """The caller assumes the role in each account; who that is stays the caller's name, not the session's."""
    sts: STSClient = aws.client("sts", config=Config(max_pool_connections=parallel))

    def entering(account_id: str) -> Callable[[], tuple[Aws, Caller]]:
        def enter() -> tuple[Aws, Caller]:
            arn = f"arn:{caller.partition}:iam::{account_id}:role/{role}"
            try:
                assumed = retry.normalize_errors(
                    lambda: aws.with_credentials(sts.assume_role(RoleArn=arn, RoleSessionName=SESSION)["Credentials"])
                )
            except ClientError as error:
                raise EntryRefused(_refused(error, arn, caller)) from error
            return assumed, Caller(account_id, caller.partition, caller.name)

        return enter

    return [Target(account_id, None, entering(account_id)) for account_id in ids]


def _refused(error: ClientError, arn: str, caller: Caller) -> str:
    who = f"{caller.name or 'the caller'} of {caller.account_id}"
    refusal = f"AWS refuses AssumeRole: {error_code(error)}: {sanitize(arn)} to {sanitize(who)}"
    if error_code(error) not in ("AccessDenied", "AccessDeniedException"):
        return refusal
    return f"{refusal}: there is no such account, no such role in it, or the role does not trust the caller"


def _ids(accounts: Iterable[str], file: Path | None) -> Iterator[tuple[str, str]]:
    """(where, id) of each account that is named. Raises `BadInput`."""
    found = [("--accounts", text) for text in accounts]
    if file is not None:
        lines = read_text(file).removeprefix("\ufeff").splitlines()
        listed = [(f"{file}: line {n}", line.partition("#")[0].strip()) for n, line in enumerate(lines, 1)]
        found += [(where, text) for where, text in listed if text]
        if not any(text for _, text in listed):
            raise BadInput(f"{file}: names no account")
    for where, text in found:
        if not ACCOUNT_ID.fullmatch(text):
            raise BadInput(f"{where}: {text[:40]!r} is not an account's id, which has 12 digits")
        yield where, text


def _unique(named: Iterable[tuple[str, str]]) -> list[str]:
    """The names, given as (where, name). Raises `BadInput` where one is there already."""
    seen: dict[str, str] = {}
    for where, name in named:
        if name in seen:
            raise BadInput(f"{where}: {name} is there already, in {seen[name]}")
        seen[name] = where
    return list(seen)
