"""How handshakectl speaks: JSON for programs; lines, tables and differences for people, plain without a terminal."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import unified_diff
from io import StringIO
from typing import Any

import typer

_GOOD = (
    *("ACCEPT", "ACCEPTED", "ALREADY_ACCEPTED"),
    *("ok", "proven", "joined", "written", "nothing differs"),
)
_BAD = (
    *("DENY", "DECLINE", "DECLINED", "POLICY_INVALID", "NEEDS_HUMAN"),
    *("wrong", "false", "stuck", "unreachable", "refused", "failed", "stopped midway"),
)
COLOURS = {**dict.fromkeys(_GOOD, "green"), **dict.fromkeys(_BAD, "red")}
"""Colours of the words that a person looks for; every other word of their kind is yellow."""

_EMAIL = re.compile(r"[^\s\"'<>]+@[^\s\"'<>]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def say_json(value: Any) -> None:
    """One JSON value, in ASCII."""
    typer.echo(json.dumps(value, indent=2))


def say(text: str, colour: str | None = None) -> None:
    """One line for a person."""
    typer.echo(paint(sanitize(text), colour))


def complain(text: str) -> None:
    """One line about what is missing or went wrong, on standard error."""
    typer.echo(sanitize(text), err=True)


def agreed(question: str) -> bool:
    """Whether the person says yes; who does not is told that nothing was written."""
    if typer.confirm(question, err=True):
        return True
    complain("nothing was written")
    return False


def paint(text: str, colour: str | None) -> str:
    """The text in a colour, unless nobody wants colours; `say` takes them off where there is no terminal."""
    return typer.style(text, fg=colour) if colour and not os.environ.get("NO_COLOR") else text


def word(text: str) -> str:
    """A decision, outcome or verdict in its colour."""
    return paint(text, COLOURS.get(text, "yellow"))


def sanitize(text: str) -> str:
    """Text that may come from elsewhere, without what moves a terminal's cursor and without e-mail addresses."""
    shown = _EMAIL.sub("(e-mail address, not shown)", text)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)


def say_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, coloured: int = 0) -> None:
    """A table; the cells of column number `coloured` are decisions, outcomes or verdicts."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=box.ROUNDED if terminal else None, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        styles = (COLOURS.get(cell, "yellow") if index == coloured else "" for index, cell in enumerate(row))
        table.add_row(*(Text(sanitize(cell), style=style) for cell, style in zip(row, styles, strict=True)))
    if terminal:
        Console(highlight=False).print(table)
        return
    # Lines that are broken at the width of a terminal that is not there help nobody.
    console = Console(file=StringIO(), width=100_000, highlight=False, no_color=True)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


@contextmanager
def progress_bar(doing: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal what is under way and how far it is: call it with how many are done. Elsewhere nothing."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(sanitize(doing), total=total, completed=done)
        yield lambda now: progress.update(task, completed=now)


def difference(old: str, new: str, old_name: str, new_name: str) -> list[str]:
    """The lines of a unified difference; empty if the texts are the same."""
    if old == new:
        return []
    lines = list(unified_diff(_lines(old), _lines(new), old_name, new_name, lineterm=""))
    return lines or [f"--- {old_name}", f"+++ {new_name}", "(only the line ends differ)"]


def say_difference(lines: Iterable[str]) -> None:
    """A difference in the colours that everybody knows."""
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        say(line, None if line.startswith(("---", "+++")) else colour)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]}  (no line end)"]


def plural(count: int, thing: str) -> str:
    """`1 document`, `2 documents`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def label(account_id: str | None, profile: str | None) -> str:
    """An account as people see it: `222222222222`, or with its profile."""
    return " ".join([*([account_id] if account_id else []), *([f"({profile})"] if profile else [])])


def name_in(arn: str) -> str:
    """The session or user of an ARN; the role where that is an e-mail address; empty where neither may be shown."""
    names = [part for part in arn.split("/")[1:] if "@" not in part]
    return names[-1] if names else ""
