"""What is wrong with a value by a JSON Schema, each mistake with its place and in words that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import fastjsonschema
from fastjsonschema import JsonSchemaValuesException

from handshake_core.mistakes import Words

Validator = Callable[[Any], Any]

_OPTIONS: dict[str, Any] = {"use_default": False, "use_formats": False, "fast_fail": False}


def compile_schema(schema: dict[str, Any]) -> Validator:
    """A validator that finds every violation of a schema (draft-07), not only the first."""
    validator: Validator = fastjsonschema.compile(schema, **_OPTIONS)
    return validator


def compile_to_module(schema: dict[str, Any]) -> str:
    """The source of a module whose `validate` is that same validator, ready made."""
    code: str = fastjsonschema.compile_to_code(schema, **_OPTIONS)
    # The schema's own function is the first; those of its definitions follow.
    first = code[code.index("def ") + len("def ") :].partition("(")[0]
    return f"{code}\nvalidate = {first}\n"


def violations(validator: Validator, content: Any) -> Iterator[tuple[str, Words]]:
    """Every violation as (JSON pointer, message)."""
    try:
        validator(content)
    except JsonSchemaValuesException as failure:
        for error in failure.errors:
            # Only keys that the schema knows are descended into, so no key here has a dot or a bracket in it.
            pointer = "".join(f"/{part}" for part in error.path[1:])
            yield from _explained(pointer, error.rule, error.value, error.definition)


def _explained(pointer: str, rule: str | None, value: Any, definition: Any) -> Iterator[tuple[str, Words]]:
    if rule == "required":
        for key in definition["required"]:
            if key not in value:
                yield pointer, partial(_missing, key, definition)
    elif rule == "additionalProperties":
        for key in value:
            if key not in definition["properties"]:
                yield f"{pointer}/{escaped(key)}", partial(_unknown_key, key, definition)
    else:
        yield pointer, partial(_wrong_value, rule, value, definition)


def _missing(key: str, definition: Any) -> str:
    why = definition.get("$comment")
    return f"{key} is missing" + (f": {why}" if why else "")


def _unknown_key(key: str, definition: Any) -> str:
    hint: str | None = definition.get("x-misplaced", {}).get(key)  # an annotation of ours, which validators pass over
    known = list(definition["properties"])
    return hint or f"unknown key{_suggestion(key, known)}; known are {', '.join(known)}"


def _wrong_value(rule: str | None, value: Any, definition: Any) -> str:
    """One violation of the schema in words, with the nearest known word where one is near."""
    if rule in ("enum", "const"):
        known = definition["enum"] if rule == "enum" else [definition["const"]]
        return f"{shown(value)} is not known{_suggestion(value, known)}; use {' or '.join(map(shown, known))}"
    if rule == "type":
        wanted = definition["type"] if isinstance(definition["type"], list) else [definition["type"]]
        if "title" in definition and not isinstance(value, dict | list | None):
            return f"{shown(value)} is not {definition['title']}"
        return f"must be {' or '.join(_TYPES[name] for name in wanted)}, is {_type(value)}"
    if rule in ("pattern", "minimum", "maximum"):
        return f"{shown(value)} is not {definition['title']}"
    if rule == "minItems":
        return "an empty list matches nothing; name at least one"
    return str(definition["$comment"])


_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
}


def _type(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int | float: "a number"}
    return next(name for kind, name in names.items() if isinstance(value, kind))


def _suggestion(word: Any, known: list[str]) -> str:
    from difflib import get_close_matches  # only a mistake needs it, so no cold start waits for it

    if not isinstance(word, str):
        return ""
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return f' (did you mean "{by_lower[near[0]]}"?)' if near else ""


def shown(value: Any) -> str:
    """A value of the owner's own document, in ASCII and short; never an e-mail address."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return f"({_type(value)}, nested too deeply to show)"
    if "@" in text:
        return f"({_type(value)} with an @ in it, not shown)"
    return text if len(text) <= 80 else f"{text[:77]}..."


def escaped(key: str) -> str:
    """A key as one part of a JSON pointer (RFC 6901)."""
    return shown(key).removeprefix('"').removesuffix('"').replace("~", "~0").replace("/", "~1")
