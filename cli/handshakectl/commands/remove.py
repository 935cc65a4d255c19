"""`handshakectl remove`: take documents out of Parameter Store."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from handshakectl.errors import BadInput
from handshakectl.fleet.selection import selected
from handshakectl.fleet.writing import Order, carry_out
from handshakectl.options import (
    PARALLEL,
    Accounts,
    AccountsFile,
    BeforeDeploy,
    DryRun,
    Json,
    Parallel,
    Prefix,
    Profile,
    Profiles,
    Reason,
    Region,
    Role,
    Yes,
    asked_well,
    prefix,
)
from handshakectl.policy import change
from handshakectl.policy.parameters import why_no_name
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
def remove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Documents, as pull and push name them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All documents but the deploy's own.")] = False,
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    before_deploy: BeforeDeploy = False,
    profiles: Profiles = None,
    role: Role = None,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    parallel: Parallel = PARALLEL,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Take documents out of Parameter Store, after showing them and what that changes in effect.

    Several are taken away while the mode is observe. A document that is not there is as it should be.
    """
    asked_well("remove", reason, as_json=as_json, yes=yes, dry_run=dry_run)
    where = prefix(path)
    if bool(names) is every:
        raise BadInput("remove: which documents? Give either NAME... or --all")
    for name in names or []:
        if why := why_no_name(name):
            raise BadInput(f"remove: {name!r} is no document's name: {why}")
        if name == change.DEPLOYED:
            text = "is the deploy's, which would write it again: take the setting policy out, and deploy"
            raise BadInput(f"remove: {where}policy/{name} {text}")
    parameters = None if every else [f"{where}policy/{name}" for name in dict.fromkeys(names or [])]
    now = datetime.now(UTC)
    return carry_out(
        selected(profile, region, profiles, role, accounts, accounts_file, parallel),
        Order(
            "remove",
            lambda shown: change.remove(shown, parameters, now),
            where,
            reason,
            parallel,
            yes=yes,
            dry_run=dry_run,
            as_json=as_json,
            before_deploy=before_deploy,
        ),
    )
