"""How many mistakes are told at once, in what a person reads and in what is logged and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")

Words = Callable[[], str]
"""What is wrong, put into words only when somebody is told: a mistake is found at far less cost than its words."""

MOST_TOLD: Final = 10
"""The most mistakes that are told at once. 8 KB can hold thousands, and nobody reads them all."""


def told(mistakes: Iterable[Callable[[], T]]) -> tuple[list[T], int]:
    """The first `MOST_TOLD` mistakes in words, and how many more there are."""
    mistakes = iter(mistakes)
    return [words() for words in islice(mistakes, MOST_TOLD)], sum(1 for _ in mistakes)


def and_more(count: int) -> str:
    """`and 2,720 more mistakes`."""
    return f"and {count:,} more mistake{'s' if count > 1 else ''}"
