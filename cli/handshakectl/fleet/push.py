"""Pushes documents to many accounts: reads all of them, shows what would change where, asks once, and writes.

Nothing is written before every account was read, so that what is asked is what is done. Each account is written by
itself, and read once more before that: one whose parameters have changed since they were shown is left alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import Document, Mode, load
from handshakectl.account.session import Aws, Caller
from handshakectl.clock import clock
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.fleet.grouping import alike, totals
from handshakectl.fleet.parallel import Failed, map_parallel
from handshakectl.fleet.selection import Target, label, refuse_twins
from handshakectl.output import agreed, complain, plural, say, say_difference, say_json, say_table
from handshakectl.policy.ceiling import Ceiling
from handshakectl.policy.change import Change, change, too_long
from handshakectl.policy.mistakes import first_of, say_mistakes
from handshakectl.policy.parameters import Parameters, read
from handshakectl.policy.writer import Stopped, Writer, left_in_observe, release

_MOST_NAMES = 3  # accounts that a summary names one by one


class Result(StrEnum):
    """What happened in an account, in the order of the totals."""

    WRITTEN = "written"
    SAME = "nothing differs"
    WOULD = "would be written"
    REFUSED = "refused"
    FAILED = "failed"
    STOPPED = "stopped midway"


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, beside documents and accounts."""

    prefix: str
    limit: Ceiling | None
    reason: str
    parallel: int
    yes: bool
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What happened in one account: a line of the table."""

    account_id: str | None
    """None for a profile whose account could not be found out."""
    profile: str | None
    result: Result
    documents: tuple[str, ...] = ()
    """Those that were written, or would be."""
    mode: str | None = None
    policy_version: str | None = None
    why: str = ""
    braked: bool = False
    """Whether the mode is observe since a push that stopped midway, this one or an earlier one."""

    @property
    def as_wanted(self) -> bool:
        """Whether the account has what was pushed, and no push left it in observe."""
        return self.result in (Result.WRITTEN, Result.SAME, Result.WOULD) and not self.braked

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "account_id": self.account_id,
            "profile": self.profile,
            "result": self.result.value,
            "documents": list(self.documents),
            "mode": self.mode,
            "policy_version": self.policy_version,
            "why": self.why,
            "as_wanted": self.as_wanted,
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """One account as it is before."""

    aws: Aws
    caller: Caller
    parameters: Parameters
    braked: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """What would change in one account."""

    seen: _Seen
    change: Change
    row: Row


def push_many(targets: Sequence[Target], documents: dict[str, Document], order: Order) -> int:
    """Pushes, and says what became of it in every account. Answers with the exit status."""
    _refuse_mistakes(documents.values())
    found = list(zip(targets, map_parallel(targets, partial(_look, order), order.parallel), strict=True))
    rows = [_failed(Row(t.account_id, t.profile, Result.FAILED), seen) for t, seen in found if isinstance(seen, Failed)]
    there = [(target, seen) for target, seen in found if isinstance(seen, _Seen)]
    refuse_twins((seen.caller.account_id, target.profile) for target, seen in there)
    plans = _planned(there, documents, order)
    if not order.as_json:
        _show(rows, plans)
    if not order.dry_run:
        writable = [plan for plan in plans if plan.change.changed]
        what = f"{plural(len(documents), 'document')} in {plural(len(writable), 'account')}"
        if writable and not (order.yes or agreed(f"Write {what}?")):
            return EXIT_NO
        written = map_parallel(writable, partial(_write, order), order.parallel, writes=True)
        rows += [
            _failed(p.row, row) if isinstance(row, Failed) else row for p, row in zip(writable, written, strict=True)
        ]
        plans = [plan for plan in plans if not plan.change.changed]
    rows = sorted([*rows, *(plan.row for plan in plans)], key=lambda row: (row.account_id or "", row.profile or ""))
    if order.as_json:
        say_json([row.as_dict() for row in rows])
    else:
        _say(rows, order)
    if braked := [row for row in rows if row.braked]:
        text = f"{_named(braked)}: the mode is observe since a push that stopped midway, so nothing is accepted there"
        complain(f"{text}; push again until nothing differs, then: {release(order.prefix)}")
    return EXIT_YES if all(row.as_wanted for row in rows) else EXIT_NO


def _refuse_mistakes(documents: Iterable[Document]) -> None:
    """What is wrong with the documents themselves is wrong in every account: none is asked. Raises `BadInput`."""
    parts = [part for part in (too_long(documents), load(documents)) if isinstance(part, InvalidPolicy)]
    if parts:
        raise BadInput(first_of(InvalidPolicy.together(*parts)))


def _look(order: Order, target: Target) -> _Seen:
    aws, caller = target.enter()
    ssm = aws.client("ssm")
    parameters = read(ssm, clock(), order.prefix)
    return _Seen(aws, caller, parameters, left_in_observe(ssm, parameters))


def _planned(there: Iterable[tuple[Target, _Seen]], documents: dict[str, Document], order: Order) -> list[_Plan]:
    """What would change in each account; found out once for all that have the same parameters."""
    now = datetime.now(UTC)
    plans = []
    for content, same in alike(there, lambda each: each[1].parameters.content()):
        found = change(content, documents, order.limit, now)
        result = Result.REFUSED if found.invalid else Result.WOULD if found.changed else Result.SAME
        why = first_of(found.invalid) if found.invalid else ""
        names = tuple(found.changed)
        for target, seen in same:
            account_id = seen.caller.account_id
            row = Row(account_id, target.profile, result, names, content.mode, found.version, why, seen.braked)
            plans.append(_Plan(seen, found, row))
    return plans


def _write(order: Order, plan: _Plan) -> Row:
    ssm = plan.seen.aws.client("ssm")

    def now() -> Parameters:
        return read(ssm, clock(), order.prefix)

    current = now()
    if current.content() != plan.seen.parameters.content():
        return _failed(plan.row, Failed("its parameters have changed since they were shown; push again"))
    writer = Writer(ssm, plan.seen.caller.name, order.reason, now)
    try:
        writer.write(current, plan.change.changed)
    except Stopped as error:
        return replace(
            plan.row,
            result=Result.STOPPED,
            documents=tuple(writer.written),
            mode=Mode.OBSERVE.value,
            policy_version=None,
            why=error.why,
            braked=plan.row.braked or current.mode == Mode.ENFORCE,
        )
    return replace(plan.row, result=Result.WRITTEN)


def _failed(row: Row, failed: Failed) -> Row:
    return replace(row, result=Result.FAILED, documents=(), policy_version=None, why=failed.why)


def _show(failed: Iterable[Row], plans: Iterable[_Plan]) -> None:
    """What would become of which accounts: each difference and each reason once."""
    for (result, differences, invalid, found), same in alike(plans, _shown):
        say(f"{_named([plan.row for plan in same])}: {result}")
        for lines in differences.values():
            say_difference(lines)
        say_mistakes(invalid.told if invalid else (), found)
    for why, rows in alike(failed, lambda row: row.why):
        say(f"{_named(rows)}: {Result.FAILED}: {why}", "red")


def _shown(plan: _Plan) -> tuple[Result, Mapping[str, list[str]], InvalidPolicy | None, list[PolicyError]]:
    return plan.row.result, plan.change.differences, plan.change.invalid, plan.change.warnings


def _say(rows: Sequence[Row], order: Order) -> None:
    headers = ("result", "account", "documents", "mode", "policy", "why")
    say_table(headers, [_cells(row, order.prefix) for row in rows])
    say(totals([row.result for row in rows], Result))


def _cells(row: Row, prefix: str) -> list[str]:
    documents = ", ".join(name.removeprefix(f"{prefix}policy/") for name in row.documents)
    mode = row.mode or ("?" if row.result is Result.FAILED else "none")
    return [row.result, label(row.account_id, row.profile), documents, mode, row.policy_version or "", row.why]


def _named(rows: Sequence[Row]) -> str:
    """`3 accounts (222222222222, 333333333333 and 1 more)`."""
    names = [label(row.account_id, row.profile) for row in rows]
    more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return f"{plural(len(names), 'account')} ({' '.join([', '.join(names[:_MOST_NAMES]), *more])})"
