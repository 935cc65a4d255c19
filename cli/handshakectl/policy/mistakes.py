"""Errors and warnings about policy documents, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from handshake_acceptor.policy.decide import PolicyError
from handshakectl.output import say


def as_dicts(mistakes: Sequence[PolicyError]) -> list[dict[str, Any]]:
    """Errors or warnings for `--json`."""
    return [{"document": each.document, "pointer": each.pointer, "message": each.message} for each in mistakes]


def first_of(errors: Sequence[PolicyError]) -> str:
    """The first error, for one line, and how many more there are."""
    return f"{errors[0]} (and {len(errors) - 1} more)" if len(errors) > 1 else str(errors[0])


def say_mistakes(errors: Sequence[PolicyError], found: Sequence[PolicyError]) -> None:
    """Errors and warnings for people, a line each."""
    for error in errors:
        say(str(error), "red")
    for warning in found:
        say(f"warning: {warning}", "yellow")
