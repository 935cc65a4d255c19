"""`handshakectl push`: show what would change in Parameter Store, ask, and write it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from handshake_acceptor.policy.documents import Document, load
from handshakectl.errors import BadInput
from handshakectl.fleet.asked import Asked, asked
from handshakectl.fleet.writing import Order, carry_out
from handshakectl.policy import change
from handshakectl.policy.ceiling import ceiling
from handshakectl.policy.change import Change
from handshakectl.policy.files import read_documents
from handshakectl.policy.mistakes import first_of, of_all
from handshakectl.policy.sizes import too_long
from handshakectl.policy.writer import Shown
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command(cls=ManyValues)
@asked()
def push(
    options: Asked,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents.")],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The document's name.", show_default="the file's, without .json"),
    ] = None,
) -> int:
    """Write documents to Parameter Store, after showing the difference and what it changes in effect.

    They are validated together with the documents that stay there. Several are written while the mode is observe.

    Many accounts are written side by side with --profiles, or with --role and --accounts: FILE... before the options.
    Exit status 0 only if every account is as wanted; push again after a failure, and only what differs is written.
    """
    where, limit = options.prefix, ceiling(options.settings)
    documents = change.named(read_documents(files), name, where)
    selection = options.selection()
    if not selection.alone:
        _refuse_mistakes(list(documents.values()))
    now = datetime.now(UTC)

    def plan(shown: Shown) -> Change:
        return change.push(shown, documents, limit if options.settings else shown.ceiling or limit, now)

    return carry_out(selection, Order("push", plan, where, options))


def _refuse_mistakes(documents: list[Document]) -> None:
    """What is wrong with the documents themselves is wrong in every account: none is asked. Raises `BadInput`."""
    if invalid := of_all(too_long(documents), load(documents)):
        raise BadInput(first_of(invalid))
