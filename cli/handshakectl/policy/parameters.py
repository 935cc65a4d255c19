"""The policy's parameters as people change them: exact texts, names, and what they are together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.policy.store import PolicySnapshot, PolicyStore, snapshot
from handshake_core import retry

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

_PART = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_MOST_PARTS = 12  # Parameter Store has 15 levels; the prefix and `policy` take some
_MAX_NAME = 1000


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters below the prefix, by name, as GetParametersByPath gave them."""

    prefix: str
    raw: Mapping[str, Mapping[str, Any]]

    @property
    def mode(self) -> str | None:
        """The mode parameter's text; None if there is none."""
        return self.text(f"{self.prefix}mode")

    @property
    def shown_mode(self) -> str | None:
        """The mode for programs: `enforce`, `observe`, `INVALID` for any other text, or None."""
        return self.mode if self.mode is None or self.mode in set(Mode) else "INVALID"

    def documents(self) -> dict[str, Mapping[str, Any]]:
        """The policy documents among them."""
        return {name: raw for name, raw in self.raw.items() if name.startswith(f"{self.prefix}policy/")}

    def text(self, name: str) -> str | None:
        """A parameter's exact text; None if it is not there."""
        return self.raw[name]["Value"] if name in self.raw else None

    def content(self) -> Parameters:
        """The same without versions: equal where two accounts, or two moments, have the same."""
        return Parameters(self.prefix, {n: {"Type": r.get("Type"), "Value": r["Value"]} for n, r in self.raw.items()})

    def with_documents(self, texts: Mapping[str, str | None]) -> Parameters:
        """What would be there after these documents were written; None for a text removes one."""
        written = {name: {"Type": "String", "Value": text} for name, text in texts.items() if text is not None}
        kept = {name: raw for name, raw in self.raw.items() if name not in texts}
        return Parameters(self.prefix, {**kept, **written})

    def snapshot(self) -> PolicySnapshot:
        """What the function would make of them."""
        return snapshot(self.prefix, {name: dict(raw) for name, raw in self.raw.items()})


def read(ssm: SSMClient, clock: retry.Clock, prefix: str) -> Parameters:
    """All parameters below the prefix now. Raises `retry.READ_FAILURES`."""
    return Parameters(prefix, PolicyStore(ssm, clock, prefix).parameters())


def why_no_name(name: str) -> str:
    """Why a document cannot have this name in Parameter Store; empty if it can."""
    parts = name.split("/")
    if not all(_PART.fullmatch(part) and part.strip(".") for part in parts):
        return "a document's name has letters, digits, - _ . and, between such names, /"
    if len(parts) > _MOST_PARTS or len(name) > _MAX_NAME:
        return "too long for a parameter's name"
    return ""
