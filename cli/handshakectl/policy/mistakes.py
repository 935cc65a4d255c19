"""Errors and warnings about policy documents, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshakectl.output import say


def as_dicts(mistakes: Sequence[PolicyError]) -> list[dict[str, Any]]:
    """Errors or warnings for `--json`."""
    return [{"document": each.document, "pointer": each.pointer, "message": each.message} for each in mistakes]


def first_of(invalid: InvalidPolicy) -> str:
    """The first mistake, for one line, and how many there are besides."""
    more = invalid.count - 1
    return f"{invalid.errors[0]} (and {more:,} more)" if more else str(invalid.errors[0])


def of_all(*parts: object) -> InvalidPolicy | None:
    """The mistakes of those parts that have any."""
    invalid = [part for part in parts if isinstance(part, InvalidPolicy)]
    return InvalidPolicy.together(*invalid) if invalid else None


def say_mistakes(errors: Sequence[PolicyError], found: Sequence[PolicyError]) -> None:
    """Errors and warnings for people, a line each."""
    for error in errors:
        say(str(error), "red")
    for warning in found:
        say(f"warning: {warning}", "yellow")
