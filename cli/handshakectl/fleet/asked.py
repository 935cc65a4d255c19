"""The options that push, remove and brake have in common, declared once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any

from handshakectl.errors import BadInput
from handshakectl.fleet.selection import Selection, selected
from handshakectl.fleet.writing import Order, carry_out
from handshakectl.names import MAX_REASON
from handshakectl.options import (
    PARALLEL,
    Accounts,
    AccountsFile,
    BeforeDeploy,
    DryRun,
    Json,
    Parallel,
    Prefix,
    Profile,
    Profiles,
    Reason,
    Region,
    Role,
    Settings,
    Yes,
    prefix,
)
from handshakectl.policy.change import Change
from handshakectl.policy.writer import Shown


@dataclass(frozen=True, slots=True)
class Asked:
    """How a verb that writes was asked. The order of the fields is that of `--help`."""

    reason: Reason = ""
    yes: Yes = False
    dry_run: DryRun = False
    before_deploy: BeforeDeploy = False
    profiles: Profiles = None
    role: Role = None
    accounts: Accounts = None
    accounts_file: AccountsFile = None
    parallel: Parallel = PARALLEL
    settings: Settings = None
    profile: Profile = None
    region: Region = None
    path: Prefix = None
    as_json: Json = False

    def check(self, verb: str) -> None:
        """Raises `BadInput` where it would have to ask and nobody answers, or for too long a reason."""
        if self.as_json and not (self.yes or self.dry_run):
            either = "" if verb == "brake" else " or --dry-run"
            raise BadInput(f"{verb}: --json asks nothing, so it needs --yes{either}")
        if len(self.reason) > MAX_REASON:
            text = f"{len(self.reason)} characters; a parameter's description takes {MAX_REASON} of them"
            raise BadInput(f"--reason: {text}")

    def selection(self) -> Selection:
        """The accounts. Raises what `selected` raises."""
        return selected(
            self.profile, self.region, self.profiles, self.role, self.accounts, self.accounts_file, self.parallel
        )

    def carry_out(self, verb: str, plan: Callable[[Shown], Change], selection: Selection) -> int:
        """Does it, and answers with the exit status."""
        order = Order(
            verb,
            plan,
            prefix(self.path),
            self.reason,
            self.parallel,
            yes=self.yes,
            dry_run=self.dry_run,
            as_json=self.as_json,
            before_deploy=self.before_deploy,
        )
        return carry_out(selection, order)


def asked(*without: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a verb these options after its own, but for some; it takes them together, first, as `Asked`."""

    def declared(verb: Callable[..., int]) -> Callable[..., int]:
        _, *own = signature(verb).parameters.values()
        common = signature(Asked).parameters
        names = {each.name for each in own}
        parameters = [*own, *(each for name, each in common.items() if name not in {*names, *without})]

        @wraps(verb)
        def run(**given: Any) -> int:
            options = Asked(**{name: value for name, value in given.items() if name in common})
            options.check(verb.__name__)
            return verb(options, **{name: given[name] for name in names})

        declared_at: Any = run
        declared_at.__annotations__ = {each.name: each.annotation for each in parameters}
        declared_at.__signature__ = signature(verb).replace(
            parameters=[each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
        )
        return run

    return declared
