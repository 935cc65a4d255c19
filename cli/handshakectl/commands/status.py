"""`handshakectl status`: has each account joined, does it wait, is it stuck, and why?"""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from handshake_core.handshake import ORGANIZATION_ID
from handshakectl.account.deployment import Deployment
from handshakectl.account.standing import Standing, Why
from handshakectl.account.status import HEADERS, Row, row_of
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.fleet.asked import asked
from handshakectl.fleet.grouping import totals
from handshakectl.fleet.parallel import map_parallel
from handshakectl.fleet.selection import Chosen, Target, refuse_twins
from handshakectl.fleet.watching import Clock, watch
from handshakectl.options import Stack
from handshakectl.output import say, say_json, say_table
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)

_WELL = (Standing.JOINED, Standing.OK)


@app.command(cls=ManyValues)
@asked()
def status(
    options: Chosen,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="o-…", help="The organization that every account is to be in in the end."),
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option("--wait", metavar="MINUTES", min=0, help="Look again until none is on its way, or so long."),
    ] = None,
    problems: Annotated[bool, typer.Option("--problems", help="Leave out the accounts that are well.")] = False,
    stack: Stack = None,
) -> int:
    """Show of each account whether it has joined, is on its way, or is stuck, and why.

    Reads only. Exit status 0 only if every account is `joined`, or without --expect `ok`.
    """
    if expect is not None and not ORGANIZATION_ID.fullmatch(expect):
        raise BadInput(f"--expect: {expect!r} is no organization's id: o- and 10 to 32 lower-case letters or digits")
    where, selection = options.prefix, options.selection()
    if selection.alone:
        selection.targets[0].enter()  # without credentials it is bad input, and no account

    def row(target: Target) -> Row:
        return row_of(Deployment(*target.enter(), stack, where), target.profile, expect)

    def look(targets: Sequence[Target]) -> list[Row]:
        return map_parallel(targets, row, _unreachable, options.parallel, doing="looking at")

    found = watch(selection.targets, look, wait or 0, Clock(time.monotonic, time.sleep))
    refuse_twins((row.account_id, row.profile) for row in found if row.account_id)
    rows = sorted(found, key=lambda row: (row.account_id or "", row.profile or ""))
    shown = [row for row in rows if not (problems and row.verdict in _WELL)]
    if options.as_json:
        say_json([row.as_dict() for row in shown])
    else:
        say_table(HEADERS, [row.cells() for row in shown])
        say(totals([row.verdict for row in rows], Standing))
    return EXIT_YES if all(row.verdict in _WELL for row in rows) else EXIT_NO


def _unreachable(target: Target, why: str) -> Row:
    return Row(target.account_id, target.profile, Standing.UNREACHABLE, (Why("UNREACHABLE", why),))
