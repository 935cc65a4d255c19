"""The options that several verbs have in common, given to each of them in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any

from handshakectl.errors import BadInput
from handshakectl.fleet.selection import Chosen
from handshakectl.names import MAX_REASON
from handshakectl.options import BeforeDeploy, DryRun, Reason, Settings, Yes


@dataclass(frozen=True)
class Asked(Chosen):
    """How a verb that writes was asked."""

    reason: Reason = ""
    yes: Yes = False
    dry_run: DryRun = False
    before_deploy: BeforeDeploy = False
    settings: Settings = None

    def check(self, verb: str) -> None:
        """Raises `BadInput` where it would have to ask and nobody answers, or for too long a reason."""
        if self.as_json and not (self.yes or self.dry_run):
            either = "" if verb == "brake" else " or --dry-run"
            raise BadInput(f"{verb}: --json asks nothing, so it needs --yes{either}")
        if len(self.reason) > MAX_REASON:
            text = f"{len(self.reason)} characters; a parameter's description takes {MAX_REASON} of them"
            raise BadInput(f"--reason: {text}")


def asked(*without: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a verb the fields of its first parameter's class as options after its own, but for some."""

    def declared(verb: Callable[..., int]) -> Callable[..., int]:
        first, *own = signature(verb).parameters.values()
        common = signature(first.annotation).parameters
        names = {each.name for each in own}
        parameters = [*own, *(each for name, each in common.items() if name not in {*names, *without})]

        @wraps(verb)
        def run(**given: Any) -> int:
            options = first.annotation(**{name: value for name, value in given.items() if name in common})
            if isinstance(options, Asked):
                options.check(verb.__name__)
            return verb(options, **{name: given[name] for name in names})

        declared_at: Any = run
        declared_at.__annotations__ = {each.name: each.annotation for each in parameters}
        declared_at.__signature__ = signature(verb).replace(
            parameters=[each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
        )
        return run

    return declared
