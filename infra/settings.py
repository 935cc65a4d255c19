"""The deploy's settings: read once from the CDK context, valid from there on.

They are the object `handshakeAcceptor` in cdk.json or, with `-c settings=FILE`, that JSON file instead;
`settings.schema.json` says what each means. Relay and hub have fewer, each an object of its own. Everything wrong with
them is said at once, one sentence a mistake.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final

from constructs import Node

from handshake_acceptor.policy.decide import InvalidPolicy, Policy
from handshake_acceptor.policy.documents import Document
from handshake_acceptor.policy.documents import load as load_policy
from handshake_core.handshake import Action
from handshake_core.json_reader import TWICE, NotReadable, read
from handshake_core.json_schema import compile_schema, violations
from handshake_core.mistakes import Words, and_more, told
from infra.partitions import HOME_REGIONS

CONTEXT: Final = "handshakeAcceptor"
FILE: Final = "settings"
STACK: Final = "stack"
"""Which stack this run of the app makes: `-c stack=relay`."""
RELAY: Final = "handshakeRelay"
HUB: Final = "handshakeHub"
KEYS: Final = (CONTEXT, RELAY, HUB, FILE, STACK)

MOST_GRANTS: Final = 60
"""A role's inline policies hold 10,240 characters together, and a grant's ARN takes up to 130 of them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

MOST_BYTES: Final = 8192
"""The most that a parameter of Parameter Store holds."""

_SCHEMA: Final = Path(__file__).with_name("settings.schema.json")


class WrongSettings(Exception):
    """Settings that nothing may be deployed with; `problems` has a sentence for each mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Origin:
    """What may be answered, and from whom: one organization, its management account, and actions."""

    organization_id: str
    management_account_id: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The document of the setting `policy`, which is valid, and when it was read."""

    name: str
    """As the setting names it."""
    text: str
    policy: Policy
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Settings:
    """What one deploy of the acceptor stack is told. In JSON the names are in camel case."""

    region: str
    origins: tuple[Origin, ...] = ()
    """The ceiling: the most that the policy can ever allow. None means that nothing can be accepted."""
    allow_any_origin: bool = False
    """No ceiling: whoever may edit the policy decides alone. Never together with `origins`."""
    declinable: tuple[Origin, ...] = ()
    management_accounts: tuple[str, ...] = ()
    """The accounts that may put hints on the bus. None means that only the sweep finds invitations."""
    policy: PolicyFile | None = None
    """A policy document that code owns: every deploy writes it anew, beside those that people own."""
    prefix: str = "/handshake-acceptor/"
    sweep_minutes: int = 5
    log_retention_days: int = 365
    tracing: bool = False
    alarm_email: str = ""
    """Who is told of an alarm; nobody is, until that person confirms. Empty: whoever subscribes to the topic."""
    dashboard: bool = True
    observability_sink: str = ""
    """The hub's sink that this account shares its figures with; empty: with nobody."""
    runbook: str = "docs/runbook.md"
    expiry_hours: int = 48
    failed_tries: int = 3
    silent_sweeps: int = 3
    clear_sweeps: int = 3


def load(node: Node, region: str) -> Settings:
    """The acceptor's settings of this run of the CDK app. Raises `WrongSettings`."""
    file = node.try_get_context(FILE)
    return parse(given(node), region, folder=Path() if file is None else Path(str(file)).parent)


def given(node: Node, context: str = CONTEXT) -> Any:
    """The settings that this run of the CDK app is given, as JSON has them. Raises `WrongSettings`."""
    for key in node.get_all_context():
        near = get_close_matches(key, KEYS, n=1, cutoff=0.8)
        if near and key not in KEYS:
            # CDK knows no wrong context, and would deploy cdk.json's settings for `-c setting=FILE`.
            raise WrongSettings([f"context {key}: unknown; did you mean {near[0]}?"])
    file = node.try_get_context(FILE)
    return node.try_get_context(context) if file is None else read_file(str(file))


def _now() -> datetime:
    return datetime.now(UTC)


def parse(raw: Any, region: str, *, folder: Path = Path(), now: Callable[[], datetime] = _now) -> Settings:
    """Settings as JSON gives them, for a deploy to `region`. Raises `WrongSettings` with every mistake.

    Files that they name are looked for from `folder`: that of the settings, or of cdk.json, in which CDK runs the app.
    """
    name = raw.get("policy") if isinstance(raw, dict) else None
    policy = _policy(name, folder, now) if name and isinstance(name, str) else None
    problems = policy if isinstance(policy, list) else []
    given = checked(raw, schema(), region, context=CONTEXT, together=_together, problems=problems)
    if "policy" in given:
        given["policy"] = policy
    for name in given.keys() & {"origins", "declinable"}:
        given[name] = tuple(map(_origin, given[name]))
    if "management_accounts" in given:
        given["management_accounts"] = tuple(given["management_accounts"])
    return Settings(region=region, **given)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of the acceptor's settings."""
    loaded: dict[str, Any] = json.loads(_SCHEMA.read_text("utf-8"))
    return loaded


def checked(
    raw: Any,
    schema: dict[str, Any],
    region: str,
    *,
    context: str,
    together: Callable[[dict[str, Any]], Iterable[tuple[str, str]]] = lambda raw: (),
    problems: Iterable[str] = (),
) -> dict[str, Any]:
    """Settings that nothing is wrong with, in snake case. Raises `WrongSettings` with the mistakes.

    `together` finds what is wrong with settings that are each right, as (JSON pointer, why). `problems` were found
    before.
    """
    if raw is None:
        raise WrongSettings([f"context {context}: missing; cdk.json must have it, or name a file: -c {FILE}=FILE"])
    mistakes = [partial(_sentence, *each) for each in violations(compile_schema(schema), raw)]
    mistakes = mistakes or [partial(_sentence, pointer, partial(str, why)) for pointer, why in together(raw)]
    found, more = told(mistakes)
    if more:
        found.append(and_more(more))
    if region not in HOME_REGIONS:
        found.append(
            f"region {region}: Organizations sends its events only to its partition's home region; "
            f"deploy to {' or '.join(HOME_REGIONS)}"
        )
    found += problems
    if found:
        raise WrongSettings(found)
    return {_snake_case(key): value for key, value in raw.items()}


def _sentence(pointer: str, words: Words) -> str:
    return f"setting {pointer or '/'}: {words()}"


def _policy(name: str, folder: Path, now: Callable[[], datetime]) -> PolicyFile | list[str]:
    """The document that the setting `policy` names, or every mistake in it."""
    try:
        text = (folder / name).read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return [f"setting /policy: {json.dumps(name)}: cannot be read: {why}"]
    policy = load_policy([Document(name, text)])
    if isinstance(policy, InvalidPolicy):
        return [f"setting /policy: {error}" for error in policy.told]
    if (size := len(text.encode())) > MOST_BYTES:
        return [f"setting /policy: {name}: {size} bytes; a parameter holds {MOST_BYTES} (8 KB)"]
    return PolicyFile(name, text, policy, now())


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


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def read_file(file: str) -> Any:
    """The content of a JSON file that a person wrote. Raises `WrongSettings`."""
    try:
        content, repeated = read(Path(file).read_text("utf-8"))
    except OSError as error:
        raise WrongSettings([f"settings file {json.dumps(file)}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise WrongSettings([f"settings file {json.dumps(file)}: not UTF-8 text, at byte {error.start}"]) from error
    except NotReadable as error:
        raise WrongSettings([f"settings file {json.dumps(file)}: {error}"]) from error
    if repeated:
        found, more = told([partial(_sentence, pointer, partial(str, TWICE)) for pointer in repeated])
        raise WrongSettings([*found, and_more(more)] if more else found)
    return content
