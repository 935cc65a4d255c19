"""The options that several verbs have in common."""

from pathlib import Path
from typing import Annotated

import typer

from handshakectl.errors import BadInput
from handshakectl.names import PREFIX, STACK
from handshakectl.policy.ceiling import prefix_here

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Profile of the AWS configuration.")]
Region = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", envvar="AWS_REGION", help="Where the acceptor is deployed."),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        metavar="PATH",
        help="Where the policy's parameters are.",
        show_default=f"that of cdk.json, if it is here and names one, else {PREFIX}",
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the parameter's history.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")]
BeforeDeploy = Annotated[
    bool,
    typer.Option("--before-deploy", help="Write where no mode stands yet, too."),
]
Stack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="The deployed stack.",
        show_default=f"{STACK}, or the one that the function belongs to",
    ),
]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="The deploy's settings, for its origins.",
        show_default="cdk.json, if it is here and names any",
    ),
]
Profiles = Annotated[
    list[str] | None, typer.Option("--profiles", metavar="NAME...", help="Many accounts: a profile for each.")
]
Role = Annotated[
    str | None,
    typer.Option("--role", metavar="ROLE", help="Many accounts: the role to assume in each; its name, or one ARN."),
]
Accounts = Annotated[list[str] | None, typer.Option("--accounts", metavar="ID...", help="The accounts of --role.")]
AccountsFile = Annotated[
    Path | None,
    typer.Option("--accounts-file", metavar="FILE", help="The same in a file, an id a line; # begins a comment."),
]
Parallel = Annotated[int, typer.Option("--parallel", metavar="N", min=1, max=64, help="Accounts at the same time.")]
PARALLEL = 8


def prefix(text: str | None) -> str:
    """The path of the policy's parameters, with a slash at both ends: what is given, else what cdk.json here says."""
    given = text if text is not None else prefix_here() or PREFIX
    inner = given.strip("/")
    if not inner:
        raise BadInput(f"--prefix: {given!r} is not a path such as {PREFIX}")
    return f"/{inner}/"
