"""`handshakectl doctor`: is the acceptor deployed, awake and allowed to do its work? Looked at from the outside."""

from collections.abc import Iterable
from typing import Any

import typer

from handshakectl.account.checks import Finding, Verdict, examine, not_entered
from handshakectl.errors import EXIT_NO, EXIT_YES
from handshakectl.fleet.grouping import alike, totals
from handshakectl.fleet.parallel import Failed, map_parallel
from handshakectl.fleet.selection import Target, label, selected
from handshakectl.options import (
    PARALLEL,
    Accounts,
    AccountsFile,
    Json,
    Parallel,
    Prefix,
    Profile,
    Profiles,
    Region,
    Role,
    Stack,
    prefix,
)
from handshakectl.output import plural, say, say_json, word
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
def doctor(
    profiles: Profiles = None,
    role: Role = None,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    parallel: Parallel = PARALLEL,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Check a deployed account: region, stack, function, rules, schedule, policy, permissions, queue, last run,
    and whether somebody else answered handshakes.

    Reads only. Exit status 0 if all is well, 1 if anything is wrong or cannot be told.
    """
    where = prefix(path)
    selection = selected(profile, region, profiles, role, accounts, accounts_file, parallel)
    if selection.alone:
        aws, caller = selection.targets[0].enter()
        findings = examine(aws, caller, stack, where)
        if as_json:
            say_json(_as_dict(findings))
        else:
            for found in findings:
                _say(found)
        return EXIT_YES if _healthy(findings) else EXIT_NO

    def examined(target: Target) -> tuple[str, list[Finding]]:
        aws, caller = target.enter()
        return caller.account_id, examine(aws, caller, stack, where)

    every: list[tuple[str | None, str | None, list[Finding]]] = []
    answers = map_parallel(selection.targets, examined, parallel, doing="examining")
    for target, answer in zip(selection.targets, answers, strict=True):
        if isinstance(answer, Failed):
            every.append((target.account_id, target.profile, [not_entered(answer.why)]))
        else:
            every.append((answer[0], target.profile, answer[1]))
    if as_json:
        say_json([{"account_id": id_, "profile": name} | _as_dict(findings) for id_, name, findings in every])
    else:
        _say_many(every)
    return EXIT_YES if all(_healthy(findings) for *_, findings in every) else EXIT_NO


def _healthy(findings: Iterable[Finding]) -> bool:
    return all(found.verdict is Verdict.OK for found in findings)


def _as_dict(findings: list[Finding]) -> dict[str, Any]:
    return {"healthy": _healthy(findings), "checks": [found.as_dict() for found in findings]}


def _say_many(every: list[tuple[str | None, str | None, list[Finding]]]) -> None:
    """What is not well, each once with the accounts in which it is so."""
    bad = [(found, label(id_, name)) for id_, name, findings in every for found in findings]
    for found, same in alike((each for each in bad if each[0].verdict is not Verdict.OK), lambda each: each[0]):
        say(f"{plural(len(same), 'account')} ({', '.join(name for _, name in same)}):")
        _say(found)
    say(totals(["ok" if _healthy(findings) else "not ok" for *_, findings in every], ("ok", "not ok")))


def _say(finding: Finding) -> None:
    advice = f" -> {finding.advice}" if finding.advice else ""
    padding = " " * (len(Verdict.CANNOT_TELL) - len(finding.verdict))
    typer.echo(f"{word(finding.verdict)}{padding}  ", nl=False)
    say(f"{finding.check}: {finding.why}{advice}")
