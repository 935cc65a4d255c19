"""`handshakectl push`: show what would change in Parameter Store, ask, and write it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from handshakectl.account.session import Aws
from handshakectl.clock import clock
from handshakectl.commands.options import (
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
    Settings,
    prefix,
)
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.fleet.push import Order, push_many
from handshakectl.fleet.selection import targets
from handshakectl.names import PREFIX
from handshakectl.output import agreed, complain, plural, say, say_difference, say_json
from handshakectl.policy.ceiling import ceiling
from handshakectl.policy.change import Change, change, named
from handshakectl.policy.files import read_documents
from handshakectl.policy.mistakes import as_dicts, say_mistakes
from handshakectl.policy.parameters import read
from handshakectl.policy.writer import MAX_REASON, Stopped, Writer
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
def push(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents.")],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The document's name.", show_default="the file's, without .json"),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the parameter's history.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference and write nothing.")] = False,
    profiles: Profiles = None,
    role: Role = None,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    parallel: Parallel = PARALLEL,
    settings: Settings = None,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = PREFIX,
    as_json: Json = False,
) -> int:
    """Write documents to Parameter Store, after showing the difference.

    They are validated together with the documents that stay there. Several are written while the mode is observe.

    Many accounts are written side by side with --profiles, or with --role and --accounts: FILE... before the options.
    Exit status 0 only if every account is as wanted; push again after a failure, and only what differs is written.
    """
    if as_json and not (yes or dry_run):
        raise BadInput("push: --json asks nothing, so it needs --yes or --dry-run")
    if len(reason) > MAX_REASON:
        raise BadInput(f"--reason: {len(reason)} characters; a parameter's description takes {MAX_REASON} of them")
    where, limit = prefix(path), ceiling(settings)
    documents = named(read_documents(files), name, where)
    if many := targets(profile, region, profiles, role, accounts, accounts_file, parallel):
        return push_many(
            many, documents, Order(where, limit, reason, parallel, yes=yes, dry_run=dry_run, as_json=as_json)
        )
    aws = Aws(profile, region)
    ssm = aws.client("ssm")
    current = read(ssm, clock(), where)
    found = change(current, documents, limit, datetime.now(UTC))
    answer: dict[str, Any] = {
        "written": [],
        "unchanged": list(found.unchanged),
        "differences": found.differences,
        "errors": as_dicts(found.invalid.told if found.invalid else ()),
        "warnings": as_dicts(found.warnings),
        "mode": current.mode,
        "policy_version": found.version,
    }
    if not as_json:
        _show(found)
    stopped = ""
    if found.changed and not dry_run and (yes or agreed(f"Write {plural(len(found.changed), 'document')}?")):
        writer = Writer(ssm, aws.caller().name, reason, lambda: read(ssm, clock(), where))
        try:
            writer.write(current, found.changed)
        except Stopped as error:
            stopped, answer["mode"] = str(error), "observe"
        answer["written"] = writer.written
    if as_json:
        say_json(answer | {"stopped": stopped or None})
    elif not stopped:
        for parameter in answer["written"]:
            say(f"{parameter}: written", "green")
    if stopped:
        complain(stopped)
    refused = bool(found.invalid or stopped) or (bool(found.changed) and not dry_run and not answer["written"])
    return EXIT_NO if refused else EXIT_YES


def _show(found: Change) -> None:
    for lines in found.differences.values():
        say_difference(lines)
    for parameter in found.unchanged:
        say(f"{parameter}: nothing differs")
    say_mistakes(found.invalid.told if found.invalid else (), found.warnings)
    if found.invalid:
        complain("nothing was written: the policy would be invalid")
