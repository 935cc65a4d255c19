"""What a push would change: the documents by their parameters' names, and the policy as it would be. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import Document
from handshakectl.errors import BadInput
from handshakectl.output import difference
from handshakectl.policy import unreachable
from handshakectl.policy.ceiling import Ceiling
from handshakectl.policy.parameters import MAX_BYTES, Parameters, why_no_name

DEPLOYED = "deployed"
"""The document that the deploy writes, from its setting `policy`."""


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of an account's documents and of its policy; nothing is changed where there are errors."""

    changed: Mapping[str, str]
    """The text of each parameter that would be written."""
    unchanged: tuple[str, ...]
    differences: Mapping[str, list[str]]
    """Of each parameter that would be written, line by line."""
    invalid: InvalidPolicy | None
    warnings: list[PolicyError]
    version: str | None


def named(documents: list[Document], name: str | None, where: str) -> dict[str, Document]:
    """The documents by the names of their parameters. Raises `BadInput`."""
    if name is not None and len(documents) > 1:
        raise BadInput(f"--name: is for one file, and there are {len(documents)}")
    found: dict[str, Document] = {}
    for document in documents:
        own = name if name is not None else Path(document.name).name.removesuffix(".json")
        if why := why_no_name(own):
            raise BadInput(f"{document.name}: {own!r} cannot be its name in Parameter Store: {why}; give --name")
        parameter = f"{where}policy/{own}"
        if own == DEPLOYED:
            text = "is the deploy's, which would write over it: give --name, or make it the deploy's setting policy"
            raise BadInput(f"{document.name}: {parameter} {text}")
        if parameter in found:
            raise BadInput(f"{document.name}: {found[parameter].name} would be written to {parameter} too")
        found[parameter] = document
    return found


def change(current: Parameters, documents: Mapping[str, Document], limit: Ceiling | None, now: datetime) -> Change:
    """What writing the documents, by parameter name, would change; what is in a file is said of that file."""
    texts = {parameter: document.text for parameter, document in documents.items()}
    planned = current.with_documents(texts)
    invalid = too_long(documents.values())
    found: list[PolicyError] = []
    policy, version = planned.snapshot().policy, None
    if isinstance(policy, InvalidPolicy):
        of_files = replace(policy, errors=tuple(_of_file(error, documents) for error in policy.errors))
        invalid = InvalidPolicy.together(invalid, of_files) if invalid else of_files
    else:
        every = [Document(name, raw["Value"]) for name, raw in planned.documents().items()]
        found = [_of_file(warning, documents) for warning in unreachable.find(policy, every, now, limit)]
        version = policy.version
    changed = {} if invalid else {name: text for name, text in texts.items() if current.text(name) != text}
    unchanged = () if invalid else tuple(name for name in texts if name not in changed)
    differences = {name: _difference(current, name, documents[name]) for name in changed}
    return Change(changed, unchanged, differences, invalid, found, version)


def too_long(documents: Iterable[Document]) -> InvalidPolicy | None:
    """A mistake for each document that no parameter can hold, if there is one."""
    sizes = ((document.name, len(document.text.encode())) for document in documents)
    text = f"bytes; a parameter holds {MAX_BYTES} (8 KB): split it, the documents are taken together"
    errors = tuple(PolicyError(name, "", f"{size} {text}") for name, size in sizes if size > MAX_BYTES)
    return InvalidPolicy.together(InvalidPolicy(errors)) if errors else None


def _of_file(mistake: PolicyError, documents: Mapping[str, Document]) -> PolicyError:
    """The same, naming files where it names parameters that would be written from them."""
    name, message = mistake.document, mistake.message
    for parameter, document in documents.items():
        name = document.name if name == parameter else name
        message = message.replace(f"{parameter}: ", f"{document.name}: ")
    return PolicyError(name, mistake.pointer, message)


def _difference(current: Parameters, parameter: str, document: Document) -> list[str]:
    raw = current.raw.get(parameter)
    if raw is None:
        old_name = f"{parameter} (not there yet)"
    else:
        old_name = f"{parameter} (version {raw['Version']})" if "Version" in raw else parameter
    return difference(raw["Value"] if raw else "", document.text, old_name, document.name)
