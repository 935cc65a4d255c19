"""As much of the CloudWatch Logs Insights query language as the saved queries use, over log lines in memory.

`fields`, `filter` (`=`, `>`, `and`, `or`, `ispresent`), `stats` (`count`, `max`, `latest`, `coalesce`) `by`,
`sort … desc` and `limit`. Anything else is refused, so that a query that cannot be tried here is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Line = Mapping[str, Any]
Table = list[dict[str, Any]]
"""Rows, the columns of each in their order."""

_TOKEN = re.compile(r'\s*("[^"]*"|\d+|[()=>]|[@\w.]+)')


class NotUnderstood(Exception):
    """A query says something that is not known here."""


def ask(query: str, lines: Iterable[Line]) -> Table:
    """The answer to a query; a line's time is its `@timestamp`. Raises `NotUnderstood`."""
    rows: list[Line] = sorted(lines, key=lambda line: str(line["@timestamp"]))
    columns: list[str] = []
    for command in (part.strip() for part in query.split("|")):
        verb, _, rest = command.partition(" ")
        if verb == "filter":
            rows = [line for line in rows if _Condition(rest).holds(line)]
        elif verb == "fields":
            columns = _split(rest)
        elif verb == "stats":
            rows = list(_stats(rest, rows))
        elif verb == "sort" and rest.endswith(" desc"):
            rows.sort(key=lambda row: value(row, rest.removesuffix(" desc")), reverse=True)
        elif verb == "limit":
            rows = rows[: int(rest)]
        elif verb != "SOURCE":
            raise NotUnderstood(command)
    return [{name: value(row, name) for name in columns} if columns else dict(row) for row in rows]


def value(line: Line, name: str) -> Any:
    """A field, such as `reasons.0.code`; None where there is none."""
    here: Any = line
    for step in [name] if name.startswith("@") else name.split("."):
        if isinstance(here, list):
            here = here[int(step)] if step.isdigit() and int(step) < len(here) else None
        else:
            here = here.get(step) if isinstance(here, Mapping) else None
    return here


def _stats(text: str, lines: list[Line]) -> Table:
    aggregates, _, keys = text.partition(" by ")
    groups: dict[tuple[Any, ...], list[Line]] = {}
    named_keys = [_named(key) for key in _split(keys)]
    for line in lines:
        groups.setdefault(tuple(_key(expression, line) for expression, _ in named_keys), []).append(line)
    return [
        {name: _aggregate(expression, group) for expression, name in map(_named, _split(aggregates))}
        | {name: part for (_, name), part in zip(named_keys, key, strict=True)}
        for key, group in groups.items()
    ]


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)]


def _named(text: str) -> tuple[str, str]:
    expression, _, name = text.partition(" as ")
    return expression, name or expression


def _key(expression: str, line: Line) -> Any:
    if inner := re.fullmatch(r"coalesce\((.+)\)", expression):
        found = (value(line, name.strip()) for name in inner[1].split(","))
        return next((each for each in found if each is not None), None)
    return value(line, expression)


def _aggregate(expression: str, lines: list[Line]) -> Any:
    call = re.fullmatch(r"(count|max|latest)\((.+)\)", expression)
    if not call:
        raise NotUnderstood(expression)
    if call[1] == "count":
        return len(lines)
    values = [each for each in (value(line, call[2]) for line in lines) if each is not None]
    return max(values) if call[1] == "max" else values[-1]


class _Condition:
    """A condition, read as it is evaluated; `and` binds closer than `or`."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        if re.sub(r"\s", "", text) != "".join(self._tokens).replace(" ", ""):
            raise NotUnderstood(text)

    def holds(self, line: Line) -> bool:
        self._left, self._line = list(self._tokens), line
        return self._either()

    def _either(self) -> bool:
        return any(self._chain("or", self._both))

    def _both(self) -> bool:
        return all(self._chain("and", self._one))

    def _chain(self, word: str, part: Callable[[], bool]) -> list[bool]:
        held = [part()]
        while self._left and self._left[0] == word:
            self._left.pop(0)
            held.append(part())
        return held

    def _one(self) -> bool:
        first = self._left.pop(0)
        if first == "(":
            holds = self._either()
            self._left.pop(0)
            return holds
        if first == "ispresent":
            _, name, _ = (self._left.pop(0) for _ in range(3))
            return value(self._line, name) is not None
        operator, literal = self._left.pop(0), self._left.pop(0)
        seen = value(self._line, first)
        if operator == "=":
            return bool(seen == literal.strip('"'))
        if operator == ">":
            return seen is not None and bool(seen > float(literal))
        raise NotUnderstood(operator)
