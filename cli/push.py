"""`handshakectl push`: show what would change in Parameter Store, ask, and write it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import warnings
from cli.aws import PREFIX, Aws, Prefix, Profile, Region, clock, prefix
from cli.files import read_documents
from cli.output import Json, complain, difference, plural, say, say_difference, say_json
from cli.parameters import MAX_BYTES, Parameters, read, why_no_name
from cli.settings import ceiling
from cli.validate import Settings, as_dicts, say_mistakes
from cli.verbs import NO, YES, BadInput
from cli.writing import MAX_REASON, Stopped, Writer
from handshake_acceptor.policy import InvalidPolicy, PolicyError
from handshake_acceptor.policy_documents import Document

app = typer.Typer(add_completion=False)


@app.command()
def push(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents.")],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The document's name.", show_default="the file's, without .json"),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the parameter's history.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference and write nothing.")] = False,
    settings: Settings = None,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = PREFIX,
    as_json: Json = False,
) -> int:
    """Write documents to Parameter Store, after showing the difference.

    They are validated together with the documents that stay there. Several are written while the mode is observe.
    """
    if as_json and not (yes or dry_run):
        raise BadInput("push: --json asks nothing, so it needs --yes or --dry-run")
    if len(reason) > MAX_REASON:
        raise BadInput(f"--reason: {len(reason)} characters; a parameter's description takes {MAX_REASON} of them")
    where, limit = prefix(path), ceiling(settings)
    documents = _named(read_documents(files), name, where)
    aws = Aws(profile, region)
    ssm = aws.client("ssm")
    current = read(ssm, clock(), where)
    texts = {parameter: document.text for parameter, document in documents.items()}
    planned = current.with_documents(texts)
    errors, found, version = _judged(planned, documents, limit)
    changed = {} if errors else {n: text for n, text in texts.items() if current.text(n) != text}
    answer: dict[str, Any] = {
        "written": [],
        "unchanged": [n for n in texts if not errors and n not in changed],
        "differences": {n: _difference(current, n, documents[n]) for n in changed},
        "errors": as_dicts(errors),
        "warnings": as_dicts(found),
        "mode": current.mode,
        "policy_version": version,
    }
    if not as_json:
        _show(answer, errors, found)
    stopped = ""
    if changed and not dry_run and (yes or _agreed(len(changed))):
        writer = Writer(ssm, aws.caller(), reason, lambda: read(ssm, clock(), where))
        try:
            writer.write(current, changed)
        except Stopped as error:
            stopped, answer["mode"] = str(error), "observe"
        answer["written"] = writer.written
    if as_json:
        say_json(answer | {"stopped": stopped or None})
    elif not stopped:
        for parameter in answer["written"]:
            say(f"{parameter}: written", "green")
    if stopped:
        complain(stopped)
    refused = bool(errors or stopped) or (bool(changed) and not dry_run and not answer["written"])
    return NO if refused else YES


def _named(documents: list[Document], name: str | None, where: str) -> dict[str, Document]:
    """The documents by the names of their parameters."""
    if name is not None and len(documents) > 1:
        raise BadInput(f"--name: is for one file, and there are {len(documents)}")
    named: dict[str, Document] = {}
    for document in documents:
        own = name if name is not None else Path(document.name).name.removesuffix(".json")
        if why := why_no_name(own):
            raise BadInput(f"{document.name}: {own!r} cannot be its name in Parameter Store: {why}; give --name")
        parameter = f"{where}policy/{own}"
        if parameter in named:
            raise BadInput(f"{document.name}: {named[parameter].name} would be written to {parameter} too")
        named[parameter] = document
    return named


def _judged(
    planned: Parameters, documents: dict[str, Document], limit: Any
) -> tuple[list[PolicyError], list[PolicyError], str | None]:
    """Errors, warnings and version of the policy as it would be; what is in a file is said of that file."""
    errors = [_too_long(document) for document in documents.values() if len(document.text.encode()) > MAX_BYTES]
    policy = planned.snapshot().policy
    if isinstance(policy, InvalidPolicy):
        return [*errors, *(_of_file(error, documents) for error in policy.errors)], [], None
    every = [Document(name, raw["Value"]) for name, raw in planned.documents().items()]
    found = warnings.find(policy, every, datetime.now(UTC), limit)
    return errors, [_of_file(warning, documents) for warning in found], policy.version


def _too_long(document: Document) -> PolicyError:
    size = len(document.text.encode())
    text = f"{size} bytes; a parameter holds {MAX_BYTES} (8 KB): split it, the documents are taken together"
    return PolicyError(document.name, "", text)


def _of_file(mistake: PolicyError, documents: dict[str, Document]) -> PolicyError:
    """The same, naming files where it names parameters that would be written from them."""
    name, message = mistake.document, mistake.message
    for parameter, document in documents.items():
        name = document.name if name == parameter else name
        message = message.replace(f"{parameter}: ", f"{document.name}: ")
    return PolicyError(name, mistake.pointer, message)


def _difference(current: Parameters, parameter: str, document: Document) -> list[str]:
    raw = current.raw.get(parameter)
    old_name = f"{parameter} (version {raw.get('Version')})" if raw else f"{parameter} (not there yet)"
    return difference(raw["Value"] if raw else "", document.text, old_name, document.name)


def _show(answer: dict[str, Any], errors: list[PolicyError], found: list[PolicyError]) -> None:
    for lines in answer["differences"].values():
        say_difference(lines)
    for parameter in answer["unchanged"]:
        say(f"{parameter}: nothing differs")
    say_mistakes(errors, found)
    if errors:
        complain("nothing was written: the policy would be invalid")


def _agreed(count: int) -> bool:
    if typer.confirm(f"Write {plural(count, 'document')}?", err=True):
        return True
    complain("nothing was written")
    return False
