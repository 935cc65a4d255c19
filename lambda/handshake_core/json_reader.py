"""Reads JSON that a person wrote: strictly, and with words and places of its own for every mistake.

Python's decoder finds that there is a mistake. It does not say which one: its words and places differ between Python's
versions, and the function and the tools run on different ones. So do its limits: how deeply a text may be nested, and
how many digits a number may have. Here all of that is the same everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isinf
from typing import Any, Final

from handshake_core.json_schema import escaped

MOST_LEVELS: Final = 32
"""How many lists and objects may stand in each other. A policy needs 6, a handshake about as many."""
MOST_DIGITS: Final = 100
"""How many characters a number may have."""

TWICE: Final = "this key is written more than once; JSON would keep only the last"

_WHITE_SPACE: Final = " \t\r\n"  # JSON knows no other
_SPACE = re.compile(r"[ \t\r\n]*")
_TEXT = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
"""A text from its opening quote up to its closing one, or to the first character that cannot be in it."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_CONSTANT = re.compile(r"NaN|-?Infinity")  # Python reads them, though JSON does not have them

_VALUE: Final = "a value must stand here: a text in double quotes, a number, true, false, null, [ or {"
_KEY: Final = "a key in double quotes must stand here"
_COLON: Final = "a colon must stand here"
_AFTER_VALUE: Final = "a comma or {} must stand here"
_STRAY_COMMA: Final = "nothing follows this comma; take it out"
_UNCLOSED: Final = "the document ends here, but {} is missing"
_EXTRA: Final = "nothing may follow the end of the document"
_BYTE_ORDER_MARK: Final = "it begins with a byte order mark; save it without one"
_UNTERMINATED: Final = "the text that begins here has no closing quote"
_LINE_BREAK: Final = "a line break inside a text; is the closing quote missing?"
_HEXADECIMAL: Final = r"four hexadecimal digits must follow \u"
_ESCAPE: Final = r"there is no such escape; a backslash itself is written \\"
_TOO_DEEP: Final = f"nested too deeply: more than {MOST_LEVELS} lists and objects in each other"
_TOO_LARGE: Final = f"a number that is too large, or has more than {MOST_DIGITS} digits"


class NotReadable(ValueError):
    """The text is not JSON, or is beyond what is read of it. The message says where and why, in one ASCII line."""


def read(text: str) -> tuple[Any, list[str]]:
    """The content, and the JSON pointers of keys that are written more than once, of which it has the last value.

    Raises `NotReadable`.
    """
    if not text.strip(_WHITE_SPACE):
        raise NotReadable("the document is empty")
    try:
        content = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer, parse_float=_fraction
        )
        repeated = _look_through(content)
    except (ValueError, RecursionError):
        raise _not_readable(text) from None
    return content, list(_pointers(content)) if repeated else []


def read_strictly(text: str) -> Any:
    """The content of a text that has every key once. Raises `NotReadable`."""
    content, repeated = read(text)
    if repeated:
        more = f" (and {len(repeated) - 1:,} more such keys)" if len(repeated) > 1 else ""
        raise NotReadable(f"{repeated[0]}: {TWICE}{more}")
    return content


class _Repeating(dict[str, Any]):
    """A JSON object some of whose keys were written more than once."""

    repeated: list[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    found, seen, repeated = _Repeating(content), set[str](), dict[str, None]()
    for key, _ in pairs:
        if key in seen:
            repeated[key] = None
        seen.add(key)
    found.repeated = list(repeated)
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _integer(digits: str) -> int:
    if _is_too_large(digits):
        raise ValueError(_TOO_LARGE)
    return int(digits)


def _fraction(digits: str) -> float:
    if _is_too_large(digits):
        raise ValueError(_TOO_LARGE)
    return float(digits)


def _is_too_large(number: str) -> bool:
    return len(number) > MOST_DIGITS or isinf(float(number))


def _look_through(content: Any) -> bool:
    """Whether any key in it is written more than once. Raises `ValueError` if it is nested too deeply."""
    repeated, levels, level = False, 0, [content]
    while level := [value for value in level if isinstance(value, (dict, list))]:
        levels += 1
        if levels > MOST_LEVELS:
            raise ValueError(_TOO_DEEP)
        repeated = repeated or any(isinstance(value, _Repeating) for value in level)
        level = [item for value in level for item in (value.values() if isinstance(value, dict) else value)]
    return repeated


def _pointers(content: Any, pointer: str = "") -> Iterator[str]:
    """Of all keys that are written more than once, in the order of the text."""
    if isinstance(content, _Repeating):
        yield from (f"{pointer}/{escaped(key)}" for key in content.repeated)
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _pointers(value, f"{pointer}/{escaped(key)}")
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _pointers(value, f"{pointer}/{index}")


def _not_readable(text: str) -> NotReadable:
    at, why = _first_mistake(text) or (len(text), "Python cannot read it")
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    what = "cannot be read" if why in (_TOO_DEEP, _TOO_LARGE) else "not JSON"
    return NotReadable(f"{what}, at line {line}, column {column}: {why}")


def _first_mistake(text: str) -> tuple[int, str] | None:
    """Where the first mistake is, and what is wrong there; None if there is none.

    Goes through the text from one token to the next. It neither recurses nor looks back, so that its time grows with
    the length of the text and nothing else.
    """
    closers: list[str] = []  # what must still be closed, the innermost last
    wanted = _VALUE
    comma: int | None = None  # where the last token is, if it is a comma
    just_opened = False
    at = 0
    while True:
        at = _end(_SPACE, text, at)
        here = text[at : at + 1]
        if not here and closers:
            return at, _UNCLOSED.format(closers[-1])
        closes = bool(closers) and here == closers[-1] and (just_opened or wanted is _AFTER_VALUE)
        just_opened, last_comma, comma = False, comma, None
        if closes:
            closers.pop()
            at, wanted = at + 1, _AFTER_VALUE
        elif wanted is _AFTER_VALUE:
            if not closers:
                return _misplaced(text, at, _EXTRA) if here else None
            if here != ",":
                return _misplaced(text, at, _AFTER_VALUE.format(closers[-1]))
            at, comma, wanted = at + 1, at, _KEY if closers[-1] == "}" else _VALUE
        elif last_comma is not None and here in ("}", "]"):
            return last_comma, _STRAY_COMMA
        elif wanted is _COLON:
            if here != ":":
                return _misplaced(text, at, _COLON)
            at, wanted = at + 1, _VALUE
        elif here == '"':
            end = _end(_TEXT, text, at)
            if text[end : end + 1] != '"':
                return _broken_text(text, at, end)
            at, wanted = end + 1, _COLON if wanted is _KEY else _AFTER_VALUE
        elif wanted is _KEY:
            return _misplaced(text, at, _KEY)
        elif here in ("{", "["):
            if len(closers) == MOST_LEVELS:
                return at, _TOO_DEEP
            closers.append("}" if here == "{" else "]")
            at, wanted, just_opened = at + 1, _KEY if here == "{" else _VALUE, True
        elif constant := _CONSTANT.match(text, at):
            return at, f"JSON has no {constant[0]}"
        elif scalar := _WORD.match(text, at) or _NUMBER.match(text, at):
            if here not in "tfn" and _is_too_large(scalar[0]):
                return at, _TOO_LARGE
            at, wanted = scalar.end(), _AFTER_VALUE
        else:
            return _misplaced(text, at, _VALUE)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _misplaced(text: str, at: int, wanted: str) -> tuple[int, str]:
    """What somebody who edits by hand does not see is named; else what must stand there is said."""
    if text[at : at + 1].isascii():
        return at, wanted
    if at == 0 and text[at] == "\ufeff":
        return at, _BYTE_ORDER_MARK
    # Only a mistake needs it, so no cold start waits for it. The names of one version are the same in every Python.
    from unicodedata import ucd_3_2_0

    return at, f"U+{ord(text[at]):04X} ({ucd_3_2_0.name(text[at], 'without a name')}) does not belong here"


def _broken_text(text: str, start: int, end: int) -> tuple[int, str]:
    """`start` is the opening quote; `end` is where the text cannot go on."""
    rest = text[end : end + 2]
    if rest in ("", "\\"):
        return start, _UNTERMINATED
    if rest[0] == "\\":
        return end, _HEXADECIMAL if rest[1] == "u" else _ESCAPE
    if rest[0] == "\n" or rest == "\r\n":
        return end, _LINE_BREAK
    return end, f"U+{ord(rest[0]):04X} inside a text; write it as \\u{ord(rest[0]):04x}"
