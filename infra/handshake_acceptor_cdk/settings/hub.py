"""What a deploy of the hub is told: which accounts may share their figures with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from handshake_acceptor_cdk.settings.reading import HUB, checked, refuse_mistakes, schema

_SCHEMA: Final[dict[str, Any]] = {
    "definitions": schema()["definitions"],
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "accounts": {"type": "array", "items": {"$ref": "#/definitions/AccountId"}},
        "organizations": {"type": "array", "items": {"$ref": "#/definitions/OrganizationId"}},
    },
}


@dataclass(frozen=True, slots=True)
class HubSettings:
    """The object `handshakeHub` in cdk.json. At least one of the two names somebody. Raises `WrongSettings`."""

    region: str | None = None
    """That of the accounts that link to it. None: where the stage is."""
    accounts: Sequence[str] = ()
    """Accounts that may link themselves, whatever organization they are in."""
    organizations: Sequence[str] = ()
    """Organizations of which every account may."""

    def __post_init__(self) -> None:
        refuse_mistakes(self, _SCHEMA, self.region, _somebody)


def parse(raw: Any, region: str) -> HubSettings:
    """Settings as JSON gives them, for a deploy to `region`. Raises `WrongSettings` with every mistake."""
    named = checked({} if raw is None else raw, _SCHEMA, region, context=HUB, together=_somebody)
    return HubSettings(region=region, **{name: tuple(values) for name, values in named.items()})


def _somebody(raw: dict[str, Any]) -> list[tuple[str, str]]:
    if raw.get("accounts") or raw.get("organizations"):
        return []
    return [("", f"accounts and organizations of {HUB} are empty, so nobody could link; name at least one")]
