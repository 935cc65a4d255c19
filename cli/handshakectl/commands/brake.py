"""`handshakectl brake`: stop all accepting at once, and let it go on again."""

from enum import StrEnum
from typing import Annotated

import typer

from handshakectl.errors import BadInput
from handshakectl.fleet.asked import Asked, asked
from handshakectl.fleet.writing import Order, carry_out
from handshakectl.policy import change
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


class Switch(StrEnum):
    """What the brake is to be."""

    ON = "on"
    OFF = "off"


@app.command(cls=ManyValues)
@asked("dry_run", "settings")
def brake(
    options: Asked,
    switch: Annotated[Switch, typer.Argument(metavar="on|off", help="on: the mode becomes observe; off: enforce.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever looks next.")],
    foreign: Annotated[bool, typer.Option("--foreign", help="off: release also what others set, one by one.")] = False,
) -> int:
    """Set the mode to observe, so that nothing is accepted or declined any more, or back to enforce.

    `off` releases only what `handshakectl brake` set; others are shown with who set them, and left (exit status 1).
    """
    if not reason.strip():
        raise BadInput("--reason: is empty; say why, for whoever looks next")
    if foreign and switch is Switch.ON:
        raise BadInput("--foreign: is for off; on is set over whatever there is")
    on = switch is Switch.ON
    order = Order("brake", lambda shown: change.brake(shown, on, foreign), options.prefix, options)
    return carry_out(options.selection(), order)
