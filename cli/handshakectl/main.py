"""handshakectl: for the people who keep an account's handshake policy, and for their programs.

Exit status of every verb: 0 yes, 1 no, 2 usage or bad input, with one line on standard error that says where.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from handshakectl.verbs import Verbs

app = typer.Typer(cls=Verbs, add_completion=True, pretty_exceptions_enable=False)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("handshake-acceptor"))
        raise typer.Exit


@app.callback()
def handshakectl(
    release: Annotated[bool, typer.Option("--version", help="Which release this is", callback=_print_version)] = False,
) -> None:
    """Writes, tries and watches the policy by which an AWS account accepts handshakes.

    Exit status: 0 yes, 1 no, 2 usage or bad input. Every verb takes --json.
    """


def main() -> None:
    """The entry point of the installed command."""
    app()
