"""`handshakectl remove`: take documents out of Parameter Store."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from handshakectl.errors import BadInput
from handshakectl.fleet.asked import Asked, asked
from handshakectl.fleet.writing import Order, carry_out
from handshakectl.policy import change
from handshakectl.policy.parameters import why_no_name
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
@asked("settings")
def remove(
    options: Asked,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Documents, as pull and push name them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All documents but the deploy's own.")] = False,
) -> int:
    """Take documents out of Parameter Store, after showing them and what that changes in effect.

    Several are taken away while the mode is observe. A document that is not there is as it should be.
    """
    where = options.prefix
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
    order = Order("remove", lambda shown: change.remove(shown, parameters, now), where, options)
    return carry_out(options.selection(), order)
