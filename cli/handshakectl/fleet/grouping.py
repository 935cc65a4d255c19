"""Says the same thing of many accounts once."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from handshakectl.output import plural

T = TypeVar("T")
R = TypeVar("R")


def alike(items: Iterable[T], by: Callable[[T], R]) -> list[tuple[R, list[T]]]:
    """The items that are equal in one respect, together; in the order in which each first comes."""
    groups: list[tuple[R, list[T]]] = []
    for item in items:
        respect = by(item)
        same = next((group for known, group in groups if known == respect), None)
        if same is None:
            groups.append((respect, [item]))
        else:
            same.append(item)
    return groups


def totals(words: Sequence[str], order: Iterable[str]) -> str:
    """`500 accounts: 497 ok, 3 wrong`."""
    return f"{plural(len(words), 'account')}: {counted(words, order)}"


def counted(words: Sequence[str], order: Iterable[str]) -> str:
    """`497 ok, 3 wrong`."""
    return ", ".join(f"{words.count(word)} {word}" for word in order if word in words)
