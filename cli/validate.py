"""`handshakectl validate`: is this a policy, and if not, what is wrong where?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import warnings
from cli.files import read_documents
from cli.output import Json, plural, say, say_json
from cli.settings import ceiling
from cli.verbs import NO, YES
from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import load

app = typer.Typer(add_completion=False)

Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="The deploy's settings, for its origins.",
        show_default="cdk.json, if it is here and names any",
    ),
]


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents; - is standard input.")],
    settings: Settings = None,
    as_json: Json = False,
) -> int:
    """Check documents together as one policy.

    Names file, JSON pointer and reason of every mistake, and warns about each Allow that can never allow anything.
    """
    documents = read_documents(files)
    limit = ceiling(settings)
    policy = load(documents)
    valid = not isinstance(policy, InvalidPolicy)
    errors = policy.told if isinstance(policy, InvalidPolicy) else ()
    found = [] if isinstance(policy, InvalidPolicy) else warnings.find(policy, documents, datetime.now(UTC), limit)
    version = None if isinstance(policy, InvalidPolicy) else policy.version
    if as_json:
        say_json(
            {
                "valid": valid,
                "errors": as_dicts(errors),
                "warnings": as_dicts(found),
                "policy_version": version,
            }
        )
        return YES if valid else NO
    say_mistakes(errors, found)
    if not isinstance(policy, InvalidPolicy):
        counts = f"{plural(len(policy.statements), 'statement')} in {plural(len(documents), 'document')}"
        say(f"valid: {counts}, policy version {version}", "green")
    return YES if valid else NO


def as_dicts(mistakes: Sequence[PolicyError]) -> list[dict[str, Any]]:
    """Errors or warnings for `--json`."""
    return [{"document": each.document, "pointer": each.pointer, "message": each.message} for each in mistakes]


def first_of(invalid: InvalidPolicy) -> str:
    """The first mistake, for one line, and how many there are besides."""
    more = invalid.count - 1
    return f"{invalid.errors[0]} (and {more:,} more)" if more else str(invalid.errors[0])


def say_mistakes(errors: Sequence[PolicyError], found: Sequence[PolicyError]) -> None:
    """Errors and warnings for people, a line each."""
    for error in errors:
        say(str(error), "red")
    for warning in found:
        say(f"warning: {warning}", "yellow")
