"""From texts to a `Policy`, or to every mistake in them, each with its place.

`policy.schema.json` is the source of truth for shape. What a schema cannot say is here: JSON itself, duplicate keys,
Sids that must be unique over all documents, times that must exist and be in order, and where `ANY` may stand.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from handshake_acceptor.policy.decide import ANY, Effect, InvalidPolicy, Policy, PolicyError, Respond, Statement
from handshake_core.handshake import Action, timestamp
from handshake_core.json_schema import Validator, compile_schema, escaped, shown, violations

READY_MADE = f"{__package__}.policy_validator"
"""The module that the asset's build makes of the schema (handshake_acceptor_cdk.asset.build)."""

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
    errors: list[PolicyError] = []
    statements: list[Statement] = []
    places: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for document in documents:
        content, mistakes = _read(document)
        errors += mistakes
        for index, sid in _sids(content):
            places[sid].append((document.name, f"/Statement/{index}/Sid"))
        if not mistakes:
            statements += [_statement(raw) for raw in content["Statement"]]
    for sid, found in places.items():
        for name, pointer in found[1:]:
            first = "{}: {}".format(*found[0])
            errors.append(
                PolicyError(name, pointer, f"{_named(sid)} is a Sid already, at {first}; a Sid must be unique")
            )
    if errors:
        return InvalidPolicy(tuple(errors))
    return Policy(statements, version(document.text for document in documents))


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


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys were written twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.duplicates = sorted({key for key in keys if keys.count(key) > 1}) if len(self) < len(keys) else []


def _read(document: Document) -> tuple[Any, list[PolicyError]]:
    """The document's content, and every mistake in it; the content is valid only if there is none."""
    if not document.text.strip(_WHITE_SPACE):
        return None, [PolicyError(document.name, "", "the document is empty")]
    try:
        content = json.loads(document.text, object_pairs_hook=_Object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return None, [PolicyError(document.name, "", _not_json(error))]
    except RecursionError:
        return None, [PolicyError(document.name, "", "nested too deeply")]
    except _RefusedConstant as error:
        return None, [PolicyError(document.name, "", f"not JSON: it has the constant {error}")]
    except ValueError:  # json raises it for nothing else
        return None, [PolicyError(document.name, "", "it has a number of more digits than can be read")]
    shape = list(violations(_validator(), content))
    mistakes = [*_duplicate_keys(content), *shape, *_beyond_schema(content, {pointer for pointer, _ in shape})]
    return content, [PolicyError(document.name, pointer, message) for pointer, message in mistakes]


_WHITE_SPACE = " \t\r\n"  # JSON knows no other


class _RefusedConstant(ValueError):
    """`NaN` or `Infinity`, which Python reads though JSON does not have them."""


def _refuse_constant(constant: str) -> None:
    raise _RefusedConstant(constant)


def _not_json(error: json.JSONDecodeError) -> str:
    """Where and why, for the mistakes that editing by hand leaves behind."""
    text, at, why = error.doc, error.pos, error.msg
    before = text[:at].rstrip(_WHITE_SPACE)
    if text.startswith("\ufeff"):
        at, why = 0, "it begins with a byte order mark; save it without one"
    elif at < len(text) and not text[at].isascii():
        why = f"U+{ord(text[at]):04X} ({unicodedata.name(text[at], 'without a name')}) does not belong here"
    elif text[at : at + 1] in ("}", "]") and before.endswith(","):
        at, why = len(before) - 1, "nothing follows this comma; take it out"
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f"not JSON, at line {line}, column {column}: {why}"


def _duplicate_keys(content: Any) -> Iterator[tuple[str, str]]:
    waiting = [("", content)]
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, _Object):
            for key in value.duplicates:
                yield f"{pointer}/{escaped(key)}", "this key is written more than once; JSON would keep only the last"
            waiting += [(f"{pointer}/{escaped(key)}", item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{pointer}/{index}", item) for index, item in enumerate(value)]


@cache
def _validator() -> Validator:
    """The schema's validator. The asset has it ready made, for its making would be a tenth of a cold start."""
    if find_spec(READY_MADE):
        ready_made: Validator = import_module(READY_MADE).validate
        return ready_made
    return compile_schema(schema())


def _sids(content: Any) -> Iterator[tuple[int, str]]:
    statements = content.get("Statement") if isinstance(content, dict) else None
    for index, raw in enumerate(statements if isinstance(statements, list) else []):
        sid = raw.get("Sid") if isinstance(raw, dict) else None
        if isinstance(sid, str):
            yield index, sid


def _named(sid: str) -> str:
    """A Sid as it is, if it is one; what else somebody wrote there may not be fit to show."""
    return sid if _SID.fullmatch(sid) else shown(sid)


def _beyond_schema(content: Any, misshapen: set[str]) -> Iterator[tuple[str, str]]:
    """What a schema cannot say, of the parts that it finds nothing wrong with."""

    def is_whole(place: str) -> bool:
        return not any(f"{wrong}/".startswith(f"{place}/") for wrong in misshapen)

    statements = content.get("Statement") if isinstance(content, dict) else None
    for index, raw in enumerate(statements if isinstance(statements, list) else []):
        if not isinstance(raw, dict):
            continue
        pointer = f"/Statement/{index}"
        condition = raw.get("Condition", {})
        if not isinstance(condition, dict):
            continue
        current = f"{pointer}/Condition/CurrentOrganization"
        if is_whole(f"{pointer}/Action") and is_whole(current):
            yield from _about_current_organization(raw, condition, pointer, current)
        times = {}
        for key in ("NotBefore", "NotAfter"):
            if key in condition and is_whole(f"{pointer}/Condition/{key}"):
                times[key] = timestamp(condition[key].upper())
                if times[key] is None:
                    yield f"{pointer}/Condition/{key}", f"there is no such time as {shown(condition[key])}"
        start, end = times.get("NotBefore"), times.get("NotAfter")
        if start is not None and end is not None and end < start:
            yield f"{pointer}/Condition/NotAfter", "is before NotBefore, so the statement could never match"


def _about_current_organization(
    raw: Mapping[str, Any], condition: Mapping[str, Any], pointer: str, current: str
) -> Iterator[tuple[str, str]]:
    organizations, actions = _values(condition.get("CurrentOrganization")), _values(raw.get("Action"))
    transfer = Action.TRANSFER_RESPONSIBILITY
    if raw.get("Effect") == Effect.ALLOW and transfer in actions and not organizations:
        yield f"{pointer}/Condition", f"CurrentOrganization is missing: an Allow for {transfer} has no default"
    if ANY in organizations and (actions != {transfer} or len(organizations) > 1):
        yield current, f"ANY stands alone, and only in a statement whose one Action is {transfer}"


def _values(value: Any) -> frozenset[str]:
    """A field that is a text or a list of texts, or is not there."""
    if value is None:
        return frozenset()
    return frozenset({value} if isinstance(value, str) else value)


def _statement(raw: Mapping[str, Any]) -> Statement:
    """One statement that is known to be valid."""
    origin, condition = raw.get("Origin", {}), raw.get("Condition", {})

    def time(key: str) -> datetime | None:
        return timestamp(condition[key].upper()) if key in condition else None

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
