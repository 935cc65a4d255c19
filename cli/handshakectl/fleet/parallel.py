"""Works on many accounts side by side. What fails in one account is that account's answer, and never stops another."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Event
from typing import TypeVar

from handshake_core import retry
from handshakectl.errors import BadInput, EntryRefused
from handshakectl.failures import explained
from handshakectl.output import plural, progress_bar

T = TypeVar("T")
R = TypeVar("R")
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why there is no answer from an account."""

    why: str
    entry: bool = False
    """Whether the account's role could not be assumed."""


def map_parallel(
    items: Sequence[T],
    work: Callable[[T], R],
    failed: Callable[[T, str], F],
    parallel: int,
    *,
    doing: str,
    interrupted: Event | None = None,
) -> list[R | F]:
    """What the work came to for each, in their order, at most so many at the same time.

    `failed` makes an answer of why there is none.

    `doing` names what is under way, for the progress on a terminal. An interrupt lets those end that are under way, and
    begins no other; work that writes gives an event, which is set then, to tell how far it came.
    """
    answers: dict[int, R | _Failed] = {}
    writes, interrupted = interrupted is not None, interrupted or Event()
    ready = Event()

    def one(index: int) -> None:
        # Not before all are submitted: an interrupt in between can leave a thread that the pool does not wait for.
        ready.wait()
        if not interrupted.is_set():
            answers[index] = _answer(work, items[index])
            progress(len(answers))

    with (
        progress_bar(f"{doing} {plural(len(items), 'account')}", len(items)) as progress,
        ThreadPoolExecutor(parallel) as pool,
    ):
        try:
            submitted = [pool.submit(one, index) for index in range(len(items))]
            ready.set()
            for each_ in submitted:
                while not wait((each_,), timeout=0.1).done:
                    pass  # a wait without an end can sleep through an interrupt, until the account is through
                each_.result()
        except KeyboardInterrupt:
            interrupted.set()
            if not writes:
                raise
        finally:
            ready.set()
    told = _told_apart([answers.get(index, _Failed("interrupted before it began")) for index in range(len(items))])
    return [
        failed(item, each.why) if isinstance(each, _Failed) else each for item, each in zip(items, told, strict=True)
    ]


def _told_apart(answers: list[R | _Failed]) -> list[R | _Failed]:
    """Says where to look for a role that cannot be assumed, for which STS has one answer: where others can, or none."""
    refused = [each for each in answers if isinstance(each, _Failed) and each.entry]
    others = len(answers) - len(refused)
    if not refused or len(answers) == 1:
        return answers
    advice = "every account refuses, so look at the role's name, and at what the caller may assume"
    if others:
        advice = (
            f"{plural(others, 'other account')} did not refuse, so look at this one: its number, its role, its trust"
        )
    return [
        replace(each, why=f"{each.why}; {advice}") if isinstance(each, _Failed) and each.entry else each
        for each in answers
    ]


def _answer(work: Callable[[T], R], item: T) -> R | _Failed:
    try:
        return work(item)
    except (BadInput, *retry.READ_FAILURES) as error:
        why = str(error) if isinstance(error, BadInput) else explained(error)
        return _Failed(why, isinstance(error, EntryRefused))
