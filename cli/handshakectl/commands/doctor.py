"""`handshakectl doctor`: is the acceptor deployed, awake and allowed to do its work? Looked at from the outside."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from handshake_acceptor.policy.decide import NONE
from handshake_core.handshake import ORGANIZATION_ID
from handshakectl.account.checks.examine import examine
from handshakectl.account.checks.finding import Finding, Verdict, not_entered
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.fleet.asked import asked
from handshakectl.fleet.grouping import alike, totals
from handshakectl.fleet.parallel import map_parallel
from handshakectl.fleet.selection import Chosen, Target
from handshakectl.output import label, plural, say, say_json, say_table, word
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class _Examined:
    """What was found in one account."""

    account_id: str | None
    profile: str | None
    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        return all(found.verdict is Verdict.OK for found in self.findings)

    def as_dict(self) -> dict[str, Any]:
        return {"healthy": self.healthy, "checks": [found.as_dict() for found in self.findings]}


@app.command(cls=ManyValues)
@asked()
def doctor(
    options: Chosen,
    expect_current: Annotated[
        str | None,
        typer.Option(
            "--expect-current",
            metavar="NONE|o-…",
            help="Before a wave: the organization that every account is in now. One table, a row an account.",
        ),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            "--stack",
            metavar="acceptor|relay|hub|NAME",
            help="What to look at: one of the three, or the deployed stack's name.",
            show_default="the acceptor",
        ),
    ] = None,
) -> int:
    """Check what is deployed in an account, or in many: is it whole, awake, and allowed to do its work?

    Reads only. Exit status 0 if all is well, 1 if anything is wrong or cannot be told.
    """
    if expect_current is not None and expect_current != NONE and not ORGANIZATION_ID.fullmatch(expect_current):
        raise BadInput(f"--expect-current: {expect_current!r} is neither {NONE} nor an organization's id")
    where, selection = options.prefix, options.selection()

    def examined(target: Target) -> _Examined:
        aws, caller = target.enter()
        return _Examined(caller.account_id, target.profile, examine(aws, caller, stack, where, expect_current))

    if selection.alone:
        every = [examined(selection.targets[0])]
    else:
        every = map_parallel(selection.targets, examined, _not_entered, options.parallel, doing="examining")
    if options.as_json and selection.alone:
        say_json(every[0].as_dict())
    elif options.as_json:
        say_json([{"account_id": one.account_id, "profile": one.profile} | one.as_dict() for one in every])
    elif expect_current is not None:
        _say_table(every)
    elif selection.alone:
        for found in every[0].findings:
            _say(found)
    else:
        _say_many(every)
    return EXIT_YES if all(one.healthy for one in every) else EXIT_NO


def _not_entered(target: Target, why: str) -> _Examined:
    return _Examined(target.account_id, target.profile, [not_entered(why)])


def _say_table(every: list[_Examined]) -> None:
    """A row an account and a column a check; what is not well stands in the last one."""
    checks = list(dict.fromkeys(found.check for one in every for found in one.findings))
    rows = []
    for one in every:
        verdicts = {found.check: found.verdict.value for found in one.findings}
        why = "; ".join(f"{each.check}: {_told(each)}" for each in one.findings if each.verdict is not Verdict.OK)
        cells = (verdicts.get(check, "") for check in checks)
        rows.append(["ok" if one.healthy else "not ok", label(one.account_id, one.profile), *cells, why])
    say_table(("ready", "account", *checks, "why"), rows)
    _say_totals(every)


def _say_many(every: list[_Examined]) -> None:
    """What is not well, each once with the accounts in which it is so."""
    bad = [
        (found, label(one.account_id, one.profile))
        for one in every
        for found in one.findings
        if found.verdict is not Verdict.OK
    ]
    for found, same in alike(bad, lambda each: each[0]):
        say(f"{plural(len(same), 'account')} ({', '.join(name for _, name in same)}):")
        _say(found)
    _say_totals(every)


def _say_totals(every: Iterable[_Examined]) -> None:
    say(totals(["ok" if one.healthy else "not ok" for one in every], ("ok", "not ok")))


def _say(finding: Finding) -> None:
    padding = " " * (len(Verdict.CANNOT_TELL) - len(finding.verdict))
    typer.echo(f"{word(finding.verdict)}{padding}  ", nl=False)
    say(f"{finding.check}: {_told(finding)}")


def _told(finding: Finding) -> str:
    return f"{finding.why} -> {finding.advice}" if finding.advice else finding.why
