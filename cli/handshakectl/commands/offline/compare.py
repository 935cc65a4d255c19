"""`handshakectl compare`: what does this change of the policy change in effect? Offline."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from handshake_acceptor.policy.decide import InvalidPolicy, Policy
from handshake_acceptor.policy.documents import load
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.options import Json
from handshakectl.output import say, say_json
from handshakectl.policy.comparison import Change, Names, compare, sentences
from handshakectl.policy.files import read_documents
from handshakectl.policy.mistakes import first_of
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)


@app.command("compare", cls=ManyValues)
def compare_files(
    base: Annotated[
        list[Path], typer.Option("--base", metavar="FILE...", help="The documents of the policy as it was.")
    ],
    to: Annotated[
        list[Path], typer.Option("--to", metavar="FILE...", help="The documents of the policy as it will be.")
    ],
    as_json: Json = False,
) -> int:
    """Show what a change of the policy changes in effect, exactly.

    Exit status 0 if nothing is newly accepted or declined, 1 if something is.
    """
    before, after = _policy("--base", base), _policy("--to", to)
    changes = compare(before, after)
    told = list(zip(changes.changes, sentences(changes), strict=True))
    if as_json:
        say_json(
            {
                "widens": changes.widen,
                "changes": [_as_dict(change) | {"sentence": sentence} for change, sentence in told],
                "base_version": before.version,
                "to_version": after.version,
            }
        )
    else:
        for change, sentence in told:
            say(sentence, "yellow" if change.kind.widens else None)
        if not changes.changes:
            say("nothing changes in effect", "green")
    return EXIT_NO if changes.widen else EXIT_YES


def _policy(option: str, files: Iterable[Path]) -> Policy:
    policy = load(read_documents(files))
    if isinstance(policy, InvalidPolicy):
        raise BadInput(f"{option}: {first_of(policy)}")
    return policy


def _as_dict(change: Change) -> dict[str, Any]:
    return asdict(change) | {
        "organizations": _names(change.organizations),
        "management_accounts": _names(change.management_accounts),
        "current_organizations": _names(change.current_organizations),
        "times": [{"from": _time(stretch.since), "until": _time(stretch.until)} for stretch in change.times],
    }


def _names(names: Names) -> dict[str, list[str]]:
    return {"all_but" if names.all_but else "only": list(names.names)}


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
