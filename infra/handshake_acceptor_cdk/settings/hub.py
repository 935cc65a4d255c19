"""What a deploy of the hub is told: which accounts may share their figures with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from handshake_acceptor_cdk.settings.reading import HUB, checked, schema

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "accounts": {"type": "array", "items": {"$ref": "#/definitions/AccountId"}},
        "organizations": {"type": "array", "items": {"$ref": "#/definitions/OrganizationId"}},
    },
}


@dataclass(frozen=True, slots=True)
class HubSettings:
    """The object `handshakeHub` in cdk.json. At least one of the two names somebody."""

    region: str
    accounts: tuple[str, ...] = ()
    """Accounts that may link themselves, whatever organization they are in."""
    organizations: tuple[str, ...] = ()
    """Organizations of which every account may."""


def parse(raw: Any, region: str) -> HubSettings:
    """Settings as JSON gives them, for a deploy to `region`. Raises `WrongSettings` with every mistake."""
    known = _SCHEMA | {"definitions": schema()["definitions"]}
    named = checked({} if raw is None else raw, known, region, context=HUB, together=_somebody)
    return HubSettings(region=region, **{name: tuple(values) for name, values in named.items()})


def _somebody(raw: dict[str, Any]) -> list[tuple[str, str]]:
    if raw.get("accounts") or raw.get("organizations"):
        return []
    return [("", f"accounts and organizations of {HUB} are empty, so nobody could link; name at least one")]
