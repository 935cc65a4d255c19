"""Carries out a verb that writes, in one account or in many: reads all, shows what would change where, asks, writes.

Nothing is written before every account was read, so that what is asked is what is done. Each account is written by
itself, and read once more before that: one that is not any more as it was shown is left alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from threading import Event
from typing import Any

from handshake_acceptor.policy.documents import Mode
from handshakectl.account.home import refuse_elsewhere
from handshakectl.account.session import Aws, Caller
from handshakectl.errors import EXIT_INTERRUPTED, EXIT_NO, EXIT_YES
from handshakectl.fleet.asked import Asked
from handshakectl.fleet.grouping import alike, totals
from handshakectl.fleet.parallel import map_parallel
from handshakectl.fleet.selection import Selection, Target, refuse_twins
from handshakectl.output import agreed, complain, label, plural, say, say_difference, say_json, say_table
from handshakectl.policy.change import Change
from handshakectl.policy.deployed_ceiling import deployed_ceiling
from handshakectl.policy.mistakes import as_dicts, first_of, say_mistakes
from handshakectl.policy.writer import Lost, Outcome, Shown, Writer, look, mode_sentence

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
    """What was asked for, beside the accounts."""

    verb: str
    plan: Callable[[Shown], Change]
    """What would change in an account; asked once for all that are alike."""
    prefix: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Row:
    """What happened in one account: a line of the table."""

    account_id: str | None
    """None for a profile whose account could not be found out."""
    profile: str | None
    result: Result
    documents: tuple[str, ...] = ()
    """Those that were written or removed, or would be."""
    mode: str | None = None
    policy_version: str | None = None
    why: str = ""
    left_braked: bool = False
    """Whether the mode is observe since a push or remove that stopped midway, this one or an earlier one."""
    lost: tuple[Lost, ...] = ()
    mode_is: str = ""

    @property
    def as_wanted(self) -> bool:
        """Whether the account has what was asked for, and no push or remove left it in observe."""
        return self.result in (Result.WRITTEN, Result.SAME, Result.WOULD) and not self.left_braked

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        told = {key: value for key, value in asdict(self).items() if key not in ("left_braked", "mode_is")}
        return told | {"as_wanted": self.as_wanted}


@dataclass(frozen=True, slots=True)
class _Seen:
    """One account as it is before."""

    aws: Aws
    caller: Caller
    shown: Shown


@dataclass(frozen=True, slots=True)
class _Plan:
    """What would change in one account."""

    seen: _Seen
    change: Change
    row: Row


def carry_out(selection: Selection, order: Order) -> int:
    """Does it, and says what became of it in every account. Answers with the exit status.

    Raises `BadInput` and `retry.READ_FAILURES` where nothing was written.
    """
    if selection.alone:
        return _alone(selection.targets[0], order)
    targets = selection.targets
    looked = map_parallel(targets, partial(_look, order), _not_read, order.asked.parallel, doing="reading")
    rows = [seen for seen in looked if isinstance(seen, Row)]
    there = [(target, seen) for target, seen in zip(targets, looked, strict=True) if isinstance(seen, _Seen)]
    refuse_twins((seen.caller.account_id, target.profile) for target, seen in there)
    for _, seen in there:
        refuse_elsewhere(seen.caller, seen.aws.region)
    plans = _planned(there, order, alone=False)
    if not order.asked.as_json:
        regions = ", ".join(sorted({seen.aws.region for _, seen in there}))
        say(f"{plural(len(targets), 'account')}, region {regions or 'unknown'}, {order.prefix}")
        _show(rows, plans)
    interrupted = Event()
    if not order.asked.dry_run:
        writable = [plan for plan in plans if plan.change.writes]
        agreed_to = _agreed(writable, order)
        if writable and not agreed_to:
            return EXIT_NO
        work, parallel = partial(_write, order), order.asked.parallel
        rows += map_parallel(agreed_to, work, _not_written, parallel, doing="writing", interrupted=interrupted)
        ids = {id(plan) for plan in agreed_to}
        left = [plan for plan in writable if id(plan) not in ids]
        rows += [replace(plan.row, result=Result.REFUSED, why="you did not agree to it") for plan in left]
        plans = [plan for plan in plans if not plan.change.writes]
    rows = sorted([*rows, *(plan.row for plan in plans)], key=lambda row: (row.account_id or "", row.profile or ""))
    if order.asked.as_json:
        say_json([row.as_dict() for row in rows])
    else:
        _say(rows, order)
    for row in rows:
        _complain_of_lost(row, label(row.account_id, row.profile))
    if braked := [row for row in rows if row.left_braked]:
        complain(f"{_named(braked)}: {_LEFT_BRAKED}")
    if interrupted.is_set():
        return EXIT_INTERRUPTED
    return EXIT_YES if all(row.as_wanted for row in rows) else EXIT_NO


_LEFT_BRAKED = (
    "the mode is observe since a push or remove that stopped midway, so nothing is accepted there; the same again "
    "finishes it, and `handshakectl brake off --foreign` releases it as it is"
)


def _alone(target: Target, order: Order) -> int:
    """The same for the caller's own account, with more words about it."""
    seen = _look(order, target)
    refuse_elsewhere(seen.caller, seen.aws.region)
    (plan,) = _planned([(target, seen)], order, alone=True)
    change, row = plan.change, plan.row
    if not order.asked.as_json:
        where = f"account {seen.caller.account_id}, region {seen.aws.region}, {order.prefix}"
        say(f"{where}, mode {_shown_mode(row.mode)}")
        _show_change(change, row)
    interrupted = Event()
    if not order.asked.dry_run and change.writes and _agreed([plan], order):
        row = _write(order, plan, interrupted)
    if order.asked.as_json:
        say_json(
            {
                "account_id": row.account_id,
                "region": seen.aws.region,
                "written": list(row.documents) if row.result in (Result.WRITTEN, Result.STOPPED) else [],
                "unchanged": list(change.unchanged),
                "differences": change.differences,
                "effect": list(change.effect),
                "errors": as_dicts(change.invalid.told if change.invalid else ()),
                "warnings": as_dicts(change.warnings),
                "mode": row.mode,
                "policy_version": change.version,
                "lost": [asdict(each) for each in row.lost],
                "stopped": row.why or None,
            }
        )
    else:
        for parameter in row.documents if row.result is Result.WRITTEN else ():
            say(f"{parameter}: {'removed' if change.wanted[parameter] is None else 'written'}", "green")
    _complain_of_lost(row, "")
    if row.why and not change.invalid:
        complain(f"{row.result}: {row.why}")
    if row.left_braked:
        complain(_LEFT_BRAKED)
    if not order.asked.as_json and row.mode_is:
        say(row.mode_is)
    if interrupted.is_set():
        return EXIT_INTERRUPTED
    return EXIT_YES if row.as_wanted and (order.asked.dry_run or row.result is not Result.WOULD) else EXIT_NO


def _agreed(plans: Sequence[_Plan], order: Order) -> list[_Plan]:
    """Those of which the person says yes: all at once, but for brakes of others, which are asked about one by one."""
    if order.asked.yes:
        return list(plans)
    usual = [plan for plan in plans if not plan.change.foreign]
    yes = usual if usual and agreed(_question(usual)) else []
    for plan in plans if yes or not usual else ():
        if plan.change.foreign and plan.seen.shown.mode and agreed(_question([plan])):
            yes = [*yes, plan]
    return yes


def _question(plans: Sequence[_Plan]) -> str:
    first = plans[0]
    accounts = plural(len(plans), "account")
    where = f"account {first.row.account_id}" if len(plans) == 1 else accounts
    if first.change.brake is Mode.OBSERVE:
        return f"Set the mode to observe in {where}?"
    if first.change.foreign:
        told = first.seen.shown.mode.told() if first.seen.shown.mode else ""
        return f"Set the mode to enforce in {where}, which is not of handshakectl brake: {told}?"
    if first.change.brake is Mode.ENFORCE:
        return f"Set the mode to enforce in {where}?"
    removes = any(text is None for plan in plans for text in plan.change.wanted.values())
    documents = len({name for plan in plans for name in plan.change.wanted})
    if not documents:
        return f"Release the brake that an earlier run left behind in {where}?"
    return f"{'Remove' if removes else 'Write'} {plural(documents, 'document')} in {where}?"


def _look(order: Order, target: Target) -> _Seen:
    aws, caller = target.enter()
    shown = look(aws.client("ssm"), order.prefix)
    if order.verb != "brake":  # which is in a hurry, and changes no document
        shown = replace(shown, ceiling=deployed_ceiling(aws.client("iam")))
    return _Seen(aws, caller, shown)


def _planned(there: Iterable[tuple[Target, _Seen]], order: Order, *, alone: bool) -> list[_Plan]:
    """What would change in each account; found out once for all that have the same parameters."""

    def respect(each: tuple[Target, _Seen]) -> tuple[Any, ...]:
        shown = each[1].shown
        mode = shown.mode
        told = mode.told() if mode and mode.text != Mode.ENFORCE and not mode.plan and not mode.is_brake else ""
        return (shown.parameters.content(), shown.ceiling, mode and mode.plan, bool(mode and mode.is_brake), told)

    plans = []
    for _, same in alike(there, respect):
        shown = same[0][1].shown
        # Of many, versions are not shown: they differ where the texts are the same.
        change = order.plan(shown if alone else replace(shown, parameters=shown.parameters.content()))
        if shown.mode is None and not order.asked.before_deploy:
            text = (
                f"there is no {order.prefix}mode, so that no acceptor is deployed there yet, or with another --prefix"
            )
            change = replace(change, refused=f"{text}; --before-deploy writes all the same")
        for target, seen in same:
            plans.append(_Plan(seen, change, _row(target, seen, change)))
    return plans


def _row(target: Target, seen: _Seen, change: Change) -> Row:
    refused = first_of(change.invalid) if change.invalid else change.refused
    result = Result.REFUSED if refused else Result.WOULD if change.writes else Result.SAME
    mode = seen.shown.parameters.mode
    left = change.brake is None and bool(seen.shown.mode and seen.shown.mode.plan) and not change.finish
    return Row(
        seen.caller.account_id,
        target.profile,
        result,
        tuple(change.wanted),
        mode,
        change.version,
        refused,
        left,
        mode_is=mode_sentence(mode) if result is not Result.REFUSED else "",
    )


def _write(order: Order, plan: _Plan, interrupted: Event | None = None) -> Row:
    writer = Writer(plan.seen.aws.client("ssm"), order.prefix, order.verb, plan.seen.caller.name, order.asked.reason)
    shown, change = plan.seen.shown, plan.change
    if change.brake is Mode.OBSERVE:
        outcome = writer.brake(shown)
    elif change.brake is Mode.ENFORCE:
        outcome = writer.release(shown)
    else:
        outcome = writer.documents(shown, change.wanted, finish=change.finish)
    if outcome.interrupted and interrupted:
        interrupted.set()
    return _outcome_row(plan, outcome)


def _outcome_row(plan: _Plan, outcome: Outcome) -> Row:
    well = not outcome.why
    enforced = plan.row.mode == Mode.ENFORCE or plan.change.finish
    stopped = not well and plan.change.brake is None and outcome.mode == Mode.OBSERVE and outcome.touched
    return replace(
        plan.row,
        result=Result.WRITTEN if well else Result.STOPPED if outcome.touched else Result.FAILED,
        documents=outcome.written,
        mode=outcome.mode,
        policy_version=plan.row.policy_version if well else None,
        why=outcome.why,
        left_braked=plan.row.left_braked or (stopped and enforced),
        lost=outcome.lost,
        mode_is=outcome.mode_is,
    )


def _not_read(target: Target, why: str) -> Row:
    return Row(target.account_id, target.profile, Result.FAILED, why=why)


def _not_written(plan: _Plan, why: str) -> Row:
    return replace(plan.row, result=Result.FAILED, documents=(), policy_version=None, why=why)


def _complain_of_lost(row: Row, where: str) -> None:
    """What was overwritten in the last instant, whole: whoever wrote it may need it again."""
    for lost in row.lost:
        version = f" version {lost.version}" if lost.version is not None else ""
        head = f"{where}: " if where else ""
        complain(
            f"{head}{lost.name}{version}, {lost.told}, was overwritten in the last instant{':' if lost.text else ''}"
        )
        for line in lost.text.splitlines():
            complain(f"  {line}")


def _show(failed: Iterable[Row], plans: Iterable[_Plan]) -> None:
    """What would become of which accounts: each difference and each reason once."""
    for _, same in alike(plans, lambda plan: (plan.row.result, plan.row.mode, plan.row.why, plan.change)):
        first = same[0]
        mode = f", mode {_shown_mode(first.row.mode)}"
        say(f"{_named([plan.row for plan in same])}: {first.row.result}{mode}")
        _show_change(first.change, first.row)
    for why, rows in alike(failed, lambda row: row.why):
        say(f"{_named(rows)}: {Result.FAILED}: {why}", "red")


def _show_change(change: Change, row: Row) -> None:
    for lines in change.differences.values():
        say_difference(lines)
    for parameter in change.unchanged if row.result is not Result.REFUSED else ():
        say(f"{parameter}: nothing differs")
    for sentence in change.effect:
        say(sentence, "yellow" if sentence.startswith("newly accepted") else None)
    if change.writes and not change.effect:
        say("nothing changes in effect")
    if change.brake and change.writes:
        say(f"{'the brake' if change.brake is Mode.OBSERVE else 'no brake'}: the mode becomes {change.brake}")
    if change.finish and change.writes:
        say("the brake that an earlier run left behind is released in the end: the mode becomes enforce")
    say_mistakes(change.invalid.told if change.invalid else (), change.warnings)
    if change.invalid:
        complain("nothing was written: the policy would be invalid")


def _shown_mode(mode: str | None) -> str:
    return "none" if mode is None else mode if mode in set(Mode) else "invalid"


def _say(rows: Sequence[Row], order: Order) -> None:
    headers = ("result", "account", "documents", "mode", "policy", "why")
    say_table(headers, [_cells(row, order.prefix) for row in rows])
    say(totals([row.result for row in rows], Result))


def _cells(row: Row, prefix: str) -> list[str]:
    documents = ", ".join(name.removeprefix(f"{prefix}policy/") for name in row.documents)
    mode = _shown_mode(row.mode) if row.mode or row.result is not Result.FAILED else "?"
    return [row.result, label(row.account_id, row.profile), documents, mode, row.policy_version or "", row.why]


def _named(rows: Sequence[Row]) -> str:
    """`3 accounts (222222222222, 333333333333 and 1 more)`."""
    names = [label(row.account_id, row.profile) for row in rows]
    more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return f"{plural(len(names), 'account')} ({' '.join([', '.join(names[:_MOST_NAMES]), *more])})"
