"""The settings of an acceptor's deploy: read once, valid from there on. `settings.schema.json` says what each means."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from constructs import Node

from handshake_acceptor.policy.decide import InvalidPolicy, Policy
from handshake_acceptor.policy.documents import MOST_BYTES, Document
from handshake_acceptor.policy.documents import load as load_policy
from handshake_acceptor_cdk.settings.reading import (
    CONTEXT,
    FILE,
    WrongSettings,
    checked,
    given,
    refuse_mistakes,
    schema,
)
from handshake_core.handshake import Action

MOST_GRANTS: Final = 60
"""A role's inline policies hold 10,240 characters together, and a grant's ARN takes up to 130 of them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What may be answered, and from whom: one organization, its management account, and actions."""

    organization_id: str
    management_account_id: str
    actions: Sequence[Action] = (Action.INVITE,)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The document of the setting `policy`, which is valid, and when it was read."""

    name: str
    """As the setting names it."""
    text: str
    policy: Policy
    read_at: datetime

    @classmethod
    def read(cls, name: str, folder: Path = Path(), now: Callable[[], datetime] = _now) -> PolicyFile:
        """The document in a file of a folder. Raises `WrongSettings` with every mistake in it."""
        try:
            text = (folder / name).read_bytes().decode("utf-8")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise WrongSettings([f"setting /policy: {json.dumps(name)}: cannot be read: {why}"]) from error
        policy = load_policy([Document(name, text)])
        if isinstance(policy, InvalidPolicy):
            raise WrongSettings(f"setting /policy: {error}" for error in policy.told)
        if (size := len(text.encode())) > MOST_BYTES:
            raise WrongSettings([f"setting /policy: {name}: {size} bytes; a parameter holds {MOST_BYTES} (8 KB)"])
        return cls(name, text, policy, now())


@dataclass(frozen=True, slots=True)
class Settings:
    """What one deploy of an acceptor is told. In JSON the names are in camel case. Raises `WrongSettings`."""

    region: str | None = None
    """Where `AcceptorStack` is deployed: a home region. None: where its stage is."""
    origins: Sequence[Origin] = ()
    """The ceiling: the most that the policy can ever allow. None means that nothing can be accepted."""
    allow_any_origin: bool = False
    """No ceiling: whoever may edit the policy decides alone. Never together with `origins`."""
    declinable: Sequence[Origin] = ()
    management_accounts: Sequence[str] = ()
    """The accounts that may put hints on the bus. None means that only the sweep finds invitations."""
    policy: PolicyFile | None = None
    """A policy document that code owns: every deploy writes it anew, beside those that people own."""
    prefix: str = "/handshake-acceptor/"
    sweep_minutes: int = 5
    log_retention_days: int = 365
    tracing: bool = False
    alarm_email: str = ""
    """Who is told of an alarm; nobody is, until that person confirms. Empty: whoever subscribes to the topic."""
    alarms: str = "all"
    """Which there are: `all`, `essential` (`sweep-silent` and `runs-fail` alone) or `none`."""
    keep: bool = True
    """Whether the policy's parameters and the log outlive the stack. What people pushed besides always does."""
    dashboard: bool = True
    observability_sink: str = ""
    """The hub's sink that this account shares its figures with; empty: with nobody."""
    decision_bus: str = ""
    """The event bus that is told what becomes of handshakes: `default` or an ARN; empty: nothing is told."""
    runbook: str = "docs/runbook.md"
    expiry_hours: int = 48
    failed_tries: int = 3
    silent_sweeps: int = 3
    clear_sweeps: int = 3

    def __post_init__(self) -> None:
        refuse_mistakes(self, schema(), self.region, _together)


def load(node: Node, region: str) -> Settings:
    """The acceptor's settings of this run of the CDK app. Raises `WrongSettings`.

    `region` is the one that is deployed to, or `Aws.REGION` for a template that is for every home region.
    """
    file = node.try_get_context(FILE)
    return parse(given(node), region, folder=Path() if file is None else Path(str(file)).parent)


def parse(raw: Any, region: str, *, folder: Path = Path(), now: Callable[[], datetime] = _now) -> Settings:
    """Settings as JSON gives them, for a deploy to `region`. Raises `WrongSettings` with every mistake.

    Files that they name are looked for from `folder`: that of the settings, or of cdk.json, in which CDK runs the app.
    """
    name = raw.get("policy") if isinstance(raw, dict) else None
    policy, problems = None, tuple[str, ...]()
    if name and isinstance(name, str):
        try:
            policy = PolicyFile.read(name, folder, now)
        except WrongSettings as wrong:
            problems = wrong.problems
    given = checked(raw, schema(), region, context=CONTEXT, together=_together, problems=problems)
    if "policy" in given:
        given["policy"] = policy
    for name in given.keys() & {"origins", "declinable"}:
        given[name] = tuple(map(_origin, given[name]))
    if "management_accounts" in given:
        given["management_accounts"] = tuple(given["management_accounts"])
    return Settings(region=region, **given)


def _together(raw: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with settings that are each right."""
    if raw.get("allowAnyOrigin") and raw.get("origins"):
        yield "/allowAnyOrigin", "true would overrule origins, which names some; keep one of the two"
    grants = sum(len(origin["actions"]) for key in ("origins", "declinable") for origin in raw.get(key, ()))
    if grants > MOST_GRANTS:
        yield "/origins", f"{grants} actions with those of declinable; the function's role has room for {MOST_GRANTS}"


def _origin(raw: dict[str, Any]) -> Origin:
    actions = tuple(Action(action) for action in raw["actions"])
    return Origin(raw["organizationId"], raw["managementAccountId"], actions)
