"""The deploy's settings, as far as they concern a policy: the ceiling `origins`, and the prefix."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handshakectl.errors import BadInput
from handshakectl.policy.files import read_json

_CDK_JSON = Path("cdk.json")


@dataclass(frozen=True, slots=True)
class Origin:
    """One entry of `origins`. Empty `actions` mean that the entry names none, which is taken for all."""

    organization_ids: frozenset[str]
    management_account_ids: frozenset[str]
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the function's role may accept at most, and the file or role that says so."""

    source: str
    origins: tuple[Origin, ...]

    def reaches(self, organization_id: str, management_account_id: str, action: str) -> bool:
        """Whether IAM would let the function accept this."""
        return any(
            organization_id in origin.organization_ids
            and management_account_id in origin.management_account_ids
            and (not origin.actions or action in origin.actions)
            for origin in self.origins
        )


def ceiling(path: Path | None) -> Ceiling | None:
    """The ceiling that a settings file or a cdk.json sets; None where nothing is known, or any origin is allowed.

    Without a path: that of cdk.json in the current folder, if it is there and names origins. Nobody named that file,
    so one that cannot be used is passed over.
    """
    if path is not None:
        return _parsed(path)
    try:
        found = _parsed(_CDK_JSON) if _CDK_JSON.is_file() else None
    except BadInput:
        return None
    return found if found and found.origins else None


def prefix_here() -> str | None:
    """The prefix that a cdk.json in the current folder sets; None if there is none, or the file cannot be used."""
    try:
        found = _settings(_CDK_JSON).get("prefix") if _CDK_JSON.is_file() else None
    except BadInput:
        return None
    return found if isinstance(found, str) else None


def _settings(path: Path) -> dict[str, Any]:
    settings = read_json(path)
    for key in ("context", "handshakeAcceptor"):
        settings = settings.get(key, settings) if isinstance(settings, dict) else settings
    if not isinstance(settings, dict):
        raise BadInput(f"{path}: must be an object with the deploy's settings")
    return settings


def _parsed(path: Path) -> Ceiling | None:
    settings = _settings(path)
    if settings.get("allowAnyOrigin") is True:
        return None
    origins = settings.get("origins", [])
    if not isinstance(origins, list):
        raise BadInput(f"{path}: /origins: must be a list")
    return Ceiling(str(path), tuple(_origin(f"{path}: /origins/{index}", raw) for index, raw in enumerate(origins)))


def _origin(place: str, raw: Any) -> Origin:
    if not isinstance(raw, dict):
        raise BadInput(f"{place}: must be an object with organizationId, managementAccountId and actions")
    return Origin(
        _texts(f"{place}/organizationId", raw.get("organizationId")),
        _texts(f"{place}/managementAccountId", raw.get("managementAccountId")),
        _texts(f"{place}/actions", raw.get("actions", [])),
    )


def _texts(place: str, value: Any) -> frozenset[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise BadInput(f"{place}: must be a text or a list of texts, is {json.dumps(value)[:40]}")
    return frozenset(values)
