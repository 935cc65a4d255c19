"""`handshakectl validate`: is this a policy, and if not, what is wrong where?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from handshake_acceptor.policy.decide import Policy
from handshake_acceptor.policy.documents import load
from handshakectl.errors import EXIT_NO, EXIT_YES
from handshakectl.options import Json, Settings
from handshakectl.output import plural, say, say_json
from handshakectl.policy import unreachable
from handshakectl.policy.ceiling import ceiling
from handshakectl.policy.files import read_documents
from handshakectl.policy.mistakes import as_dicts, of_all, say_mistakes
from handshakectl.policy.sizes import longish, too_long

app = typer.Typer(add_completion=False)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents; - is standard input.")],
    settings: Settings = None,
    as_json: Json = False,
) -> int:
    """Check documents together as one policy.

    Names file, JSON pointer and reason of every mistake. Warns about each Allow that can never allow anything, each
    Deny that can never deny anything, and each document that is larger than a standard parameter.
    """
    documents = read_documents(files)
    limit = ceiling(settings)
    policy = load(documents)
    invalid = of_all(too_long(documents), policy)
    valid = policy if isinstance(policy, Policy) and not invalid else None
    errors, found = invalid.told if invalid else (), longish(documents)
    if valid:
        found += unreachable.find(valid, documents, datetime.now(UTC), limit)
    if as_json:
        say_json(
            {
                "valid": valid is not None,
                "errors": as_dicts(errors),
                "warnings": as_dicts(found),
                "policy_version": valid.version if valid else None,
            }
        )
        return EXIT_YES if valid else EXIT_NO
    say_mistakes(errors, found)
    if valid:
        counts = f"{plural(len(valid.statements), 'statement')} in {plural(len(documents), 'document')}"
        say(f"valid: {counts}, policy version {valid.version}", "green")
    return EXIT_YES if valid else EXIT_NO
