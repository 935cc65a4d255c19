"""`handshakectl push`: show what would change in Parameter Store, ask, and write it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.policy.documents import Document, load
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
    Settings,
    Yes,
    asked_well,
    prefix,
)
from handshakectl.policy import change
from handshakectl.policy.ceiling import ceiling
from handshakectl.policy.files import read_documents
from handshakectl.policy.mistakes import first_of
from handshakectl.policy.sizes import too_long
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
def push(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents.")],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The document's name.", show_default="the file's, without .json"),
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    before_deploy: BeforeDeploy = False,
    profiles: Profiles = None,
    role: Role = None,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    parallel: Parallel = PARALLEL,
    settings: Settings = None,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Write documents to Parameter Store, after showing the difference and what it changes in effect.

    They are validated together with the documents that stay there. Several are written while the mode is observe.

    Many accounts are written side by side with --profiles, or with --role and --accounts: FILE... before the options.
    Exit status 0 only if every account is as wanted; push again after a failure, and only what differs is written.
    """
    asked_well("push", reason, as_json=as_json, yes=yes, dry_run=dry_run)
    where, limit = prefix(path), ceiling(settings)
    documents = change.named(read_documents(files), name, where)
    selection = selected(profile, region, profiles, role, accounts, accounts_file, parallel)
    if not selection.alone:
        _refuse_mistakes(list(documents.values()))
    now = datetime.now(UTC)
    return carry_out(
        selection,
        Order(
            "push",
            lambda shown: change.push(shown, documents, limit if settings else shown.ceiling or limit, now),
            where,
            reason,
            parallel,
            yes=yes,
            dry_run=dry_run,
            as_json=as_json,
            before_deploy=before_deploy,
        ),
    )


def _refuse_mistakes(documents: list[Document]) -> None:
    """What is wrong with the documents themselves is wrong in every account: none is asked. Raises `BadInput`."""
    parts = [part for part in (too_long(documents), load(documents)) if isinstance(part, InvalidPolicy)]
    if parts:
        raise BadInput(first_of(InvalidPolicy.together(*parts)))
