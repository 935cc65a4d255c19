"""`handshakectl brake`: stop all accepting at once, and let it go on again."""

from enum import StrEnum
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
    Json,
    Parallel,
    Prefix,
    Profile,
    Profiles,
    Region,
    Role,
    Yes,
    asked_well,
    prefix,
)
from handshakectl.policy import change
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


class Switch(StrEnum):
    """What the brake is to be."""

    ON = "on"
    OFF = "off"


@app.command(cls=ManyValues)
def brake(
    switch: Annotated[Switch, typer.Argument(metavar="on|off", help="on: the mode becomes observe; off: enforce.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever looks next.")],
    foreign: Annotated[bool, typer.Option("--foreign", help="off: release also what others set, one by one.")] = False,
    yes: Yes = False,
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
    """Set the mode to observe, so that nothing is accepted or declined any more, or back to enforce.

    `off` releases only what `handshakectl brake` set; others are shown with who set them, and left (exit status 1).
    """
    asked_well("brake", reason, as_json=as_json, yes=yes, dry_run=False)
    if not reason.strip():
        raise BadInput("--reason: is empty; say why, for whoever looks next")
    if foreign and switch is Switch.ON:
        raise BadInput("--foreign: is for off; on is set over whatever there is")
    return carry_out(
        selected(profile, region, profiles, role, accounts, accounts_file, parallel),
        Order(
            "brake",
            lambda shown: change.brake(shown, switch is Switch.ON, foreign),
            prefix(path),
            reason,
            parallel,
            yes=yes,
            dry_run=False,
            as_json=as_json,
            before_deploy=before_deploy,
        ),
    )
