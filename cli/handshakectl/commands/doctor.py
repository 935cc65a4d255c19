"""`handshakectl doctor`: is the acceptor deployed, awake and allowed to do its work? Looked at from the outside."""

import typer

from handshakectl.account.checks import Finding, Verdict, examine
from handshakectl.account.session import Aws
from handshakectl.commands.options import Json, Prefix, Profile, Region, Stack, prefix
from handshakectl.errors import EXIT_NO, EXIT_YES
from handshakectl.names import PREFIX
from handshakectl.output import say, say_json, word

app = typer.Typer(add_completion=False)


@app.command()
def doctor(
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = PREFIX,
    as_json: Json = False,
) -> int:
    """Check a deployed account: region, stack, function, rules, schedule, policy, permissions, queue, last run,
    and whether somebody else answered handshakes.

    Reads only. Exit status 0 if all is well, 1 if anything is wrong or cannot be told.
    """
    findings = examine(Aws(profile, region), stack, prefix(path))
    healthy = all(finding.verdict is Verdict.OK for finding in findings)
    if as_json:
        say_json({"healthy": healthy, "checks": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            _say(finding)
    return EXIT_YES if healthy else EXIT_NO


def _say(finding: Finding) -> None:
    advice = f" -> {finding.advice}" if finding.advice else ""
    padding = " " * (len(Verdict.CANNOT_TELL) - len(finding.verdict))
    typer.echo(f"{word(finding.verdict)}{padding}  ", nl=False)
    say(f"{finding.check}: {finding.why}{advice}")
