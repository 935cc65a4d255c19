"""From texts to a `Policy`, or to the mistakes in them, each with its place.

`policy.schema.json` is the source of truth for shape. What a schema cannot say is here: Sids that must be unique over
all documents, times that must exist and be in order, and where `ANY` may stand.

Who may write a parameter may fill it with mistakes, so the work is bounded: it grows with the length of the texts,
no document is looked at after ten mistakes, and only ten are put into words.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from handshake_acceptor.policy.decide import ANY, Effect, InvalidPolicy, Policy, PolicyError, Respond, Statement
from handshake_core import json_reader
from handshake_core.handshake import Action, timestamp
from handshake_core.json_schema import Validator, compile_schema, shown, violations
from handshake_core.mistakes import MOST_TOLD, Words, told

READY_MADE = f"{__package__}.policy_validator"
"""The module that the asset's build makes of the schema (handshake_acceptor_cdk.asset.build)."""

# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
MOST_BYTES = 8192
"""The most that a parameter holds, and so a document: an advanced one."""
STANDARD_BYTES = 4096
"""The most that a standard parameter holds, which costs nothing."""

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Mode(StrEnum):
    """`ENFORCE` acts on what was decided; `OBSERVE` decides, records, and calls nothing."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Document:
    """One policy document: where it comes from (parameter name or file) and its exact text."""

    name: str
    text: str


def load(documents: Iterable[Document]) -> Policy | InvalidPolicy:
    """Takes documents together as one policy. No document at all is a policy that allows nothing."""
    documents = sorted(documents, key=lambda document: document.name)
    mistakes: list[Callable[[], PolicyError]] = []
    statements: list[Statement] = []
    places: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    unchecked = len(documents)
    for document in documents:
        if len(mistakes) >= MOST_TOLD:
            break
        unchecked -= 1
        content, found = _read(document.text)
        mistakes += [partial(_error, document.name, pointer, words) for pointer, words in found]
        for index, raw in _statements(content):
            if isinstance(sid := raw.get("Sid"), str):
                places[sid].append((document.name, f"/Statement/{index}/Sid"))
        if not found:
            statements += [_statement(raw) for raw in content["Statement"]]
    for sid, (first, *others) in places.items():
        words = partial(_taken, sid, *first)
        mistakes += [partial(_error, name, pointer, words) for name, pointer in others]
    if mistakes:
        errors, more = told(mistakes)
        return InvalidPolicy(tuple(errors), more=more, unchecked=unchecked)
    return Policy(statements, version(document.text for document in documents))


def _error(document: str, pointer: str, words: Words) -> PolicyError:
    return PolicyError(document, pointer, words())


def load_mode(name: str, text: str) -> Mode | InvalidPolicy:
    """The mode as its parameter says it."""
    if text in (mode.value for mode in Mode):
        return Mode(text)
    message = f"{shown(text)} is no mode; use enforce or observe"
    return InvalidPolicy((PolicyError(name, "", message),))


def version(texts: Iterable[str]) -> str:
    """16 hexadecimal digits of a hash over the exact texts, whatever their order: the same for files and parameters."""
    digests = sorted(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts)
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of one document."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("policy.schema.json").read_text("utf-8"))
    return loaded


def _read(text: str) -> tuple[Any, list[tuple[str, Words]]]:
    """A document's content, and the mistakes in it; the content is valid only if there is none."""
    try:
        content, repeated = json_reader.read(text)
    except json_reader.NotReadable as error:
        return None, [("", partial(str, error))]
    shape = list(violations(_validator(), content))
    twice = [(pointer, partial(str, json_reader.TWICE)) for pointer in repeated]
    return content, [*twice, *shape, *_beyond_schema(content, {pointer for pointer, _ in shape})]


@cache
def _validator() -> Validator:
    """The schema's validator. The asset has it ready made, for its making would be a tenth of a cold start."""
    if find_spec(READY_MADE):
        ready_made: Validator = import_module(READY_MADE).validate
        return ready_made
    return compile_schema(schema())


def _statements(content: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """What may be a statement, and where it stands in the list."""
    statements = content.get("Statement") if isinstance(content, dict) else None
    for index, raw in enumerate(statements if isinstance(statements, list) else []):
        if isinstance(raw, dict):
            yield index, raw


def _taken(sid: str, document: str, pointer: str) -> str:
    """The message that a Sid is taken. A text that is no valid Sid is escaped and shortened first."""
    named = sid if _SID.fullmatch(sid) else shown(sid)
    return f"{named} is a Sid already, at {document}: {pointer}; a Sid must be unique"


def _beyond_schema(content: Any, misshapen: Iterable[str]) -> Iterator[tuple[str, Words]]:
    """What a schema cannot say, of the parts that it finds nothing wrong with."""
    broken = {place for pointer in misshapen for place in _on_the_way(pointer)}
    for index, raw in _statements(content):
        pointer = f"/Statement/{index}"
        condition = raw.get("Condition", {})
        if not isinstance(condition, dict):
            continue
        current = f"{pointer}/Condition/CurrentOrganization"
        if broken.isdisjoint((f"{pointer}/Action", current)):
            yield from _about_current_organization(raw, condition, pointer, current)
        times = {}
        for key in ("NotBefore", "NotAfter"):
            if key in condition and f"{pointer}/Condition/{key}" not in broken:
                times[key] = timestamp(condition[key])
                if times[key] is None:
                    yield f"{pointer}/Condition/{key}", partial(_no_such_time, condition[key])
        start, end = times.get("NotBefore"), times.get("NotAfter")
        if start is not None and end is not None and end < start:
            why = "is before NotBefore, so the statement could never match"
            yield f"{pointer}/Condition/NotAfter", partial(str, why)


def _on_the_way(pointer: str) -> Iterator[str]:
    """A pointer and those to all that holds what it points at."""
    while pointer:
        yield pointer
        pointer = pointer.rpartition("/")[0]


def _no_such_time(text: str) -> str:
    return f"there is no such time as {shown(text)}"


def _about_current_organization(
    raw: Mapping[str, Any], condition: Mapping[str, Any], pointer: str, current: str
) -> Iterator[tuple[str, Words]]:
    organizations, actions = _values(condition.get("CurrentOrganization")), _values(raw.get("Action"))
    transfer = Action.TRANSFER_RESPONSIBILITY
    if raw.get("Effect") == Effect.ALLOW and transfer in actions and not organizations:
        why = f"CurrentOrganization is missing: an Allow for {transfer} has no default"
        yield f"{pointer}/Condition", partial(str, why)
    if ANY in organizations and (actions != {transfer} or len(organizations) > 1):
        yield current, partial(str, f"ANY stands alone, and only in a statement whose one Action is {transfer}")


def _values(value: Any) -> frozenset[str]:
    """A field that is a text or a list of texts, or is not there."""
    if value is None:
        return frozenset()
    return frozenset({value} if isinstance(value, str) else value)


def _statement(raw: Mapping[str, Any]) -> Statement:
    """One statement that is known to be valid."""
    origin, condition = raw.get("Origin", {}), raw.get("Condition", {})

    def time(key: str) -> datetime | None:
        return timestamp(condition[key]) if key in condition else None

    return Statement(
        sid=raw["Sid"],
        effect=Effect(raw["Effect"]),
        actions=frozenset(map(Action, _values(raw.get("Action")))),
        organization_ids=_values(origin.get("OrganizationId")),
        management_account_ids=_values(origin.get("ManagementAccountId")),
        current_organizations=_values(condition.get("CurrentOrganization")),
        not_before=time("NotBefore"),
        not_after=time("NotAfter"),
        respond=Respond(raw.get("Respond", Respond.LEAVE_PENDING)),
    )
