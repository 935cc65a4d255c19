"""Reads settings from the CDK context, or from the file that it names, and says everything that is wrong with them.

They are the objects `handshakeAcceptor`, `handshakeRelay` and `handshakeHub` in cdk.json or, with `-c settings=FILE`,
that JSON file instead. Every mistake is said at once, one sentence each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aws_cdk import Aws, Token
from botocore import xform_name
from constructs import Node

from handshake_acceptor_cdk.partitions import HOME_REGIONS, PARTITIONS, TRACED
from handshake_core.json_reader import TWICE, NotReadable, read
from handshake_core.json_schema import compile_schema, violations
from handshake_core.mistakes import Words, and_more, told

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CONTEXT: Final = "handshakeAcceptor"
FILE: Final = "settings"
STACK: Final = "stack"
"""Which stack this run of the app makes: `-c stack=relay`."""
RELAY: Final = "handshakeRelay"
HUB: Final = "handshakeHub"
KEYS: Final = (CONTEXT, RELAY, HUB, FILE, STACK)

_SCHEMA: Final = Path(__file__).with_name("settings.schema.json")


class WrongSettings(Exception):
    """Settings that nothing may be deployed with; `problems` has a sentence for each mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(self.problems))


def given(node: Node, context: str = CONTEXT) -> Any:
    """The settings that this run of the CDK app is given, as JSON has them. Raises `WrongSettings`."""
    for key in node.get_all_context():
        near = get_close_matches(key, KEYS, n=1, cutoff=0.8)
        if near and key not in KEYS:
            # CDK knows no wrong context, and would deploy cdk.json's settings for `-c setting=FILE`.
            raise WrongSettings([f"context {key}: unknown; did you mean {near[0]}?"])
    file = node.try_get_context(FILE)
    return node.try_get_context(context) if file is None else read_file(str(file))


def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of the acceptor's settings."""
    loaded: dict[str, Any] = json.loads(_SCHEMA.read_text("utf-8"))
    return loaded


Together = Callable[[dict[str, Any]], Iterable[tuple[str, str]]]
"""Finds what is wrong with settings that are each right, as (JSON pointer, why)."""


def checked(
    raw: Any,
    schema: dict[str, Any],
    region: str,
    *,
    context: str,
    together: Together = lambda raw: (),
    problems: Iterable[str] = (),
) -> dict[str, Any]:
    """Settings that nothing is wrong with, in snake case. Raises `WrongSettings` with the mistakes.

    `problems` were found before.
    """
    if raw is None:
        raise WrongSettings([f"context {context}: missing; cdk.json must have it, or name a file: -c {FILE}=FILE"])
    if found := [*_mistakes(raw, schema, region, together), *wrong_region(region), *problems]:
        raise WrongSettings(found)
    return {xform_name(key): value for key, value in raw.items()}


def refuse_mistakes(
    settings: DataclassInstance, schema: dict[str, Any], region: str | None, together: Together = lambda raw: ()
) -> None:
    """Holds settings that Python code states against the schema of those in JSON. Raises `WrongSettings`.

    What has its default value is not looked at, and neither is what the schema does not know: a region, a policy.
    """
    changed = (each for each in fields(settings) if getattr(settings, each.name) != each.default)
    raw = {_camel_case(each.name): _as_json(getattr(settings, each.name)) for each in changed}
    known = {key: value for key, value in raw.items() if key in schema["properties"] and key != "policy"}
    if found := _mistakes(known, schema, region or Aws.REGION, together):
        raise WrongSettings(found)


S = TypeVar("S", bound="DataclassInstance")


def in_region(settings: S, region: str) -> S:
    """Settings that named no region, in that of the stack. Raises `WrongSettings` for what is wrong there."""
    if wrong := wrong_region(region):
        raise WrongSettings(wrong)
    return settings if Token.is_unresolved(region) else replace(settings, region=region)


def wrong_region(region: str) -> list[str]:
    """Why nothing may be deployed to a region; nothing, if it is a home region, or is known only then."""
    if region in HOME_REGIONS or Token.is_unresolved(region):
        return []
    return [
        f"region {region}: Organizations sends its events only to its partition's home region; "
        f"deploy to {' or '.join(HOME_REGIONS)}"
    ]


def _mistakes(raw: Any, schema: dict[str, Any], region: str, together: Together) -> list[str]:
    found = [partial(_sentence, *each) for each in violations(compile_schema(schema), raw)]
    if not found:
        whole = (*together(raw), *_elsewhere(raw, region), *_not_traced(raw, region))
        found = [partial(_sentence, pointer, partial(str, why)) for pointer, why in whole]
    return _told(found)


def _told(found: Iterable[Words]) -> list[str]:
    words, more = told(found)
    return [*words, and_more(more)] if more else words


def _as_json(value: Any) -> Any:
    if is_dataclass(value):
        return {_camel_case(each.name): _as_json(getattr(value, each.name)) for each in fields(value)}
    return [_as_json(each) for each in value] if isinstance(value, list | tuple) else value


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _elsewhere(raw: dict[str, Any], region: str) -> Iterator[tuple[str, str]]:
    """What is named by an ARN and can only be in the region that is deployed to."""
    anywhere = Token.is_unresolved(region)
    homes = {each.home_region: each.name for each in PARTITIONS if anywhere or each.home_region == region}
    ours = " or ".join(f"{home} (partition {name})" for home, name in homes.items())
    for setting, why in _NEARBY.items():
        parts = raw.get(setting, "").split(":")
        if not homes or len(parts) == 1:
            continue  # a deploy to another region is refused anyway, and `default` is where it is
        _, partition, _, its_region, *_ = parts
        if homes.get(its_region) != partition:
            yield f"/{setting}", f"is in {its_region} (partition {partition}); {why}, {ours}"


# https://docs.aws.amazon.com/OAM/latest/APIReference/API_CreateLink.html
# A rule reaches a bus in any region, but not in another partition, and PutEvents only one in the client's own:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
_NEARBY: Final = {
    "observabilitySink": "an account can be linked only to one in its own region",
    "decisionBus": "an account can put events only on a bus in its own region",
    "messageTopic": "a rule can publish only to a topic in its own region",
}


def _not_traced(raw: dict[str, Any], region: str) -> Iterator[tuple[str, str]]:
    if raw.get("tracing") and region in HOME_REGIONS and region not in TRACED:
        yield "/tracing", f"AWS has no X-Ray for functions in {region}; leave it out"


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
        raise WrongSettings(_told([partial(_sentence, pointer, partial(str, TWICE)) for pointer in repeated]))
    return content


def _sentence(pointer: str, words: Words) -> str:
    return f"setting {pointer or '/'}: {words()}"
