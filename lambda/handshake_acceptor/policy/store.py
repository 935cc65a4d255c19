"""The policy as Parameter Store has it now: read whole, on every run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import Document, Mode, load, load_mode
from handshake_acceptor.policy.snapshot import PolicySnapshot as PolicySnapshot
from handshake_acceptor.policy.snapshot import Reading
from handshake_core import retry

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

_load = lru_cache(maxsize=1)(load)
"""The texts are read on every run; what they mean is worked out again only where they differ from the last run's."""


_STAMPED = ("Version", "LastModifiedDate", "Type", "Value")
"""What tells one state of a parameter from another: a version starts again at 1 after a delete, a date does not."""


class PolicyStore:
    """Parameters below a prefix: `mode`, and documents below `policy/`. Anything else there is a mistake."""

    def __init__(self, client: SSMClient, clock: retry.Clock, prefix: str) -> None:
        """`prefix` begins and ends with a slash."""
        self._client = client
        self._clock = clock
        self.prefix = prefix

    def read(self) -> PolicySnapshot:
        """Mode and policy as one reading has them. Raises what `reading` raises."""
        return self.reading().snapshot

    def reading(self, *, patient: bool = True) -> Reading:
        """Reads all pages; nothing is tried twice unless `patient`.

        Raises `retry.READ_FAILURES`; a mistake in the policy is not an exception.
        """
        pages = list(self._pages(patient))
        found = _by_name(pages)
        stamps = tuple((name, *(found[name].get(key) for key in _STAMPED)) for name in sorted(found))
        return Reading(snapshot(self.prefix, found), pages[0].began, pages[-1].ended, len(pages), stamps)

    def parameters(self) -> dict[str, dict[str, Any]]:
        """All parameters by name, as GetParametersByPath gives them. Raises `retry.READ_FAILURES`."""
        return _by_name(self._pages(patient=True))

    def _pages(self, patient: bool) -> Iterator[retry.Page]:
        return retry.pages(
            self._clock,
            self._client.get_parameters_by_path,
            self._check,
            patient=patient,
            Path=self.prefix.rstrip("/"),
            Recursive=True,
            MaxResults=10,  # the most that AWS gives a page
        )

    def _check(self, page: Mapping[str, Any]) -> None:
        """What is missing from a page, or cannot be read there, could be a Deny: nothing of it may be passed over."""
        for raw in page["Parameters"]:
            texts = (raw["Name"], raw["Value"], raw["Type"])
            if not all(isinstance(text, str) for text in texts) or not raw["Name"].startswith(self.prefix):
                raise ValueError("not a parameter below the prefix")


def _by_name(pages: Iterable[retry.Page]) -> dict[str, dict[str, Any]]:
    return {raw["Name"]: raw for page in pages for raw in page.content["Parameters"]}


def snapshot(prefix: str, parameters: dict[str, dict[str, Any]]) -> PolicySnapshot:
    """What parameters, by name, as GetParametersByPath gives them, say together. No mode is `OBSERVE`."""
    mode: Mode | InvalidPolicy = Mode.OBSERVE
    documents: list[Document] = []
    errors: list[PolicyError] = []
    for name, raw in sorted(parameters.items()):
        if not name.startswith(prefix):
            continue
        if raw.get("Type") != "String":
            errors.append(
                PolicyError(name, "", f"its type is {raw.get('Type')}: delete it and make it again as String")
            )
        elif name == f"{prefix}mode":
            mode = load_mode(name, raw["Value"])
        elif name.startswith(f"{prefix}policy/"):
            documents.append(Document(name, raw["Value"]))
        else:
            text = f"unknown parameter; below {prefix} there are mode and policy/<any name>"
            errors.append(PolicyError(name, "", text))
    policy = _load(tuple(documents))
    invalid = [part for part in (mode, policy) if isinstance(part, InvalidPolicy)]
    if errors or invalid or isinstance(mode, InvalidPolicy):
        return PolicySnapshot(Mode.OBSERVE, InvalidPolicy.together(InvalidPolicy(tuple(errors)), *invalid))
    return PolicySnapshot(mode, policy)
