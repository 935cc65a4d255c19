"""`handshakectl status`: one account or many in one table."""

from typing import Annotated

import typer

from handshakectl.account.checks import Verdict, not_entered
from handshakectl.errors import EXIT_NO, EXIT_YES
from handshakectl.fleet.grouping import totals
from handshakectl.fleet.parallel import Failed, map_parallel
from handshakectl.fleet.selection import refuse_twins, selected
from handshakectl.fleet.status import HEADERS, Status, status_of
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
from handshakectl.output import say, say_json, say_table
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
def status(
    profiles: Profiles = None,
    role: Role = None,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    parallel: Parallel = PARALLEL,
    problems: Annotated[bool, typer.Option("--problems", help="Leave out the accounts that are ok.")] = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Show each account: deployed, mode, policy version, pending handshakes, last sweep.

    Reads only. Exit status 0 if all is well, 1 if anything is wrong or cannot be told in any account.
    """
    where = prefix(path)
    selection = selected(profile, region, profiles, role, accounts, accounts_file, parallel)
    many = selection.targets
    if selection.alone:
        many[0].enter()  # without credentials it is bad input, and no account
    answers = map_parallel(many, lambda one: status_of(one, stack, where), parallel, doing="looking at")
    found = [
        Status(target.account_id, target.profile, (not_entered(answer.why),)) if isinstance(answer, Failed) else answer
        for target, answer in zip(many, answers, strict=True)
    ]
    refuse_twins((row.account_id, row.profile) for row in found if row.account_id)
    rows = sorted(found, key=lambda row: (row.account_id or "", row.profile or ""))
    shown = [row for row in rows if not (problems and row.verdict is Verdict.OK)]
    if as_json:
        say_json([row.as_dict() for row in shown])
    else:
        say_table(HEADERS, [row.cells() for row in shown])
        say(totals([row.verdict for row in rows], Verdict))
    return EXIT_YES if all(row.verdict is Verdict.OK for row in rows) else EXIT_NO
