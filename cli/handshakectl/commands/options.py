"""The options that several verbs have in common."""

from pathlib import Path
from typing import Annotated

import typer

from handshakectl.errors import BadInput
from handshakectl.names import PREFIX, STACK

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Profile of the AWS configuration.")]
Region = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", envvar="AWS_REGION", help="Where the acceptor is deployed."),
]
Prefix = Annotated[str, typer.Option("--prefix", metavar="PATH", help="Where the policy's parameters are.")]
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


def prefix(text: str) -> str:
    """The path of the policy's parameters, with a slash at both ends."""
    inner = text.strip("/")
    if not inner:
        raise BadInput(f"--prefix: {text!r} is not a path such as {PREFIX}")
    return f"/{inner}/"
