"""`handshakectl verify`: what the project assumes of AWS, proven on this very account."""

import secrets
import string
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from handshakectl.account.checks.finding import Verdict
from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws
from handshakectl.account.verification.everything import checks_of
from handshakectl.account.verification.proof import HEADERS, WORDS, proved
from handshakectl.account.verification.wakes import Patience
from handshakectl.errors import EXIT_NO, EXIT_YES
from handshakectl.options import Json, Prefix, Profile, Region, prefix
from handshakectl.output import progress_bar, say, say_json, say_table

app = typer.Typer(add_completion=False)

_LETTERS = string.ascii_lowercase + string.digits


@app.command()
def verify(
    stranger: Annotated[
        str | None,
        typer.Option(
            "--stranger",
            metavar="PROFILE",
            help="A profile of another account, which the hint bus does not admit: it puts a hint, to be refused.",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option("--wait", metavar="MINUTES", min=0, help="How long the next sweep may take."),
    ] = 12,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Exit status 0 also where something cannot be told.")
    ] = False,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Prove on this very account what the project assumes of AWS. Meant for a sandbox, after the deploy.

    It wakes the function by a hint at a handshake that does not exist and by a label on the mode's version, which it
    takes off again, and waits for the next sweep; it asks besides, and leaves all as it was. Exit status 0 if nothing
    is false and everything could be told.
    """
    aws, where = Aws(profile, region), prefix(path)
    caller = aws.caller()
    other = Aws(stranger, aws.region) if stranger is not None else None
    patience = Patience(lambda: datetime.now(UTC), time.sleep, wait * 60)
    deployed = Deployment(aws, caller, None, where)
    checks, found = checks_of(deployed, patience, _name, other), []
    with progress_bar("verifying", len(checks)) as done:
        for check in checks:
            found.append(proved(check))
            done(len(found))
    verdicts = [proof.verdict for proof in found]
    well = WORDS[Verdict.WRONG] not in verdicts and (allow_unknown or WORDS[Verdict.CANNOT_TELL] not in verdicts)
    if as_json:
        answer = {"account_id": caller.account_id, "region": aws.region, "well": well}
        say_json(answer | {"checks": [proof.as_dict() for proof in found]})
    else:
        say_table(HEADERS, [proof.cells() for proof in found])
        say(", ".join(f"{verdicts.count(each)} {each}" for each in WORDS.values()))
    return EXIT_YES if well else EXIT_NO


def _name() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(16))
