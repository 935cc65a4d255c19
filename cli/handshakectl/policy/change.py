"""What a push, a remove or a brake would change, in the parameters and in effect. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from handshake_acceptor.policy.decide import InvalidPolicy, Policy, PolicyError
from handshake_acceptor.policy.documents import Document, Mode
from handshakectl.errors import BadInput
from handshakectl.output import difference
from handshakectl.policy import unreachable
from handshakectl.policy.ceiling import Ceiling
from handshakectl.policy.comparison import compare, sentences
from handshakectl.policy.mistakes import of_all
from handshakectl.policy.parameters import Parameters, why_no_name
from handshakectl.policy.sizes import longish, too_long
from handshakectl.policy.writer import Shown, left_unfinished

DEPLOYED = "deployed"
"""The document that the deploy writes, from its setting `policy`."""

_NOTHING = Policy((), "")


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of an account's documents, mode and policy; nothing is changed where there are errors."""

    wanted: Mapping[str, str | None]
    """The text of each document that would be written; None for one that would be removed."""
    unchanged: tuple[str, ...] = ()
    """Parameters that are as they should be already."""
    differences: Mapping[str, list[str]] = field(default_factory=dict)
    """Of each parameter that would be written, line by line."""
    effect: tuple[str, ...] = ()
    """What is decided otherwise then."""
    invalid: InvalidPolicy | None = None
    warnings: tuple[PolicyError, ...] = ()
    version: str | None = None
    finish: bool = False
    """Whether it ends the brake that an earlier run with the same plan left behind."""
    brake: Mode | None = None
    """What the mode would be set to by the verb `brake`."""
    refused: str = ""
    """Why this account is left alone."""
    foreign: bool = False
    """Whether a brake would be released that `handshakectl brake` did not set."""

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return not self.refused and not self.invalid and bool(self.wanted or self.finish or self.brake)


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


def push(shown: Shown, documents: Mapping[str, Document], limit: Ceiling | None, now: datetime) -> Change:
    """What writing the documents, by parameter name, would change; what is in a file is said of that file."""
    current = shown.parameters
    texts = {parameter: document.text for parameter, document in documents.items()}
    planned = current.with_documents(texts)
    policy = planned.snapshot().policy
    if isinstance(policy, InvalidPolicy):
        policy = replace(policy, errors=tuple(_of_file(error, documents) for error in policy.errors))
    invalid = of_all(too_long(documents.values()), policy)
    if invalid or isinstance(policy, InvalidPolicy):
        return Change({}, invalid=invalid)
    found = tuple(_of_file(warning, documents) for warning in _warned(policy, planned, now, limit))
    changed = {name: text for name, text in texts.items() if not _is(current, name, text)}
    return Change(
        changed,
        tuple(name for name in texts if name not in changed),
        {name: _difference(current, name, documents[name].text, documents[name].name) for name in changed},
        _effect(current, planned),
        None,
        found,
        policy.version,
        left_unfinished(shown, changed),
    )


def remove(shown: Shown, names: Iterable[str] | None, now: datetime) -> Change:
    """What taking documents away, by parameter name, would change; None for all but the deploy's."""
    current = shown.parameters
    deployed = f"{current.prefix}policy/{DEPLOYED}"
    wanted = [name for name in sorted(current.documents()) if name != deployed] if names is None else list(names)
    gone: dict[str, str | None] = {name: None for name in wanted if name in current.raw}
    planned = current.with_documents(gone)
    policy = planned.snapshot().policy
    return Change(
        gone,
        tuple(name for name in wanted if name not in gone),
        {name: _difference(current, name, "", f"{name} (removed)") for name in gone},
        _effect(current, planned),
        warnings=tuple(_warned(policy, planned, now, shown.ceiling)),
        version=None if isinstance(policy, InvalidPolicy) else policy.version,
        finish=left_unfinished(shown, gone),
    )


def brake(shown: Shown, on: bool, foreign: bool) -> Change:
    """What setting or ending the brake would change. `foreign` ends one that `handshakectl brake` did not set, too."""
    current, mode = shown.parameters, f"{shown.parameters.prefix}mode"
    policy = current.snapshot().policy
    version = None if isinstance(policy, InvalidPolicy) else policy.version
    if on:
        stops = _effect(current, None) if current.mode == Mode.ENFORCE else ()
        return Change({}, effect=stops, version=version, brake=Mode.OBSERVE)
    if shown.mode is None or shown.mode.text == Mode.ENFORCE:
        return Change({}, (mode,), version=version)
    if not shown.mode.is_brake and not foreign:
        text = f"the mode is not of handshakectl brake: {shown.mode.told()}; --foreign releases it"
        return Change({}, refused=text, version=version)
    starts = _effect(None, current)
    return Change({}, effect=starts, version=version, brake=Mode.ENFORCE, foreign=not shown.mode.is_brake)


def _warned(
    policy: Policy | InvalidPolicy, planned: Parameters, now: datetime, limit: Ceiling | None
) -> list[PolicyError]:
    """A warning for each document that costs money and each statement that could never do anything.

    None where the policy is invalid.
    """
    every = [Document(name, raw["Value"]) for name, raw in planned.documents().items()]
    return [] if isinstance(policy, InvalidPolicy) else [*longish(every), *unreachable.find(policy, every, now, limit)]


def _effect(before: Parameters | None, after: Parameters | None) -> tuple[str, ...]:
    """What is decided otherwise; None is a policy that allows nothing."""
    policies, notes = [], []
    for parameters, when in ((before, "is"), (after, "would be")):
        policy = parameters.snapshot().policy if parameters else _NOTHING
        if isinstance(policy, InvalidPolicy):
            notes.append(f"the policy {when} invalid, so that nothing is accepted")
        policies.append(_NOTHING if isinstance(policy, InvalidPolicy) else policy)
    return (*notes, *sentences(compare(*policies)))


def _is(current: Parameters, name: str, text: str) -> bool:
    return current.text(name) == text and current.raw[name].get("Type") == "String"


def _of_file(mistake: PolicyError, documents: Mapping[str, Document]) -> PolicyError:
    """The same, naming files where it names parameters that would be written from them."""
    name, message = mistake.document, mistake.message
    for parameter, document in documents.items():
        name = document.name if name == parameter else name
        message = message.replace(f"{parameter}: ", f"{document.name}: ")
    return PolicyError(name, mistake.pointer, message)


def _difference(current: Parameters, parameter: str, text: str, new_name: str) -> list[str]:
    raw = current.raw.get(parameter)
    if raw is None:
        old_name = f"{parameter} (not there yet)"
    else:
        old_name = f"{parameter} (version {raw['Version']})" if "Version" in raw else parameter
    return difference(raw["Value"] if raw else "", text, old_name, new_name)
