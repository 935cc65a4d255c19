"""What a deploy of the relay is told: some of the acceptor's settings, with the same names and meanings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from handshake_acceptor_cdk.settings.reading import RELAY, checked, refuse_mistakes, schema

_SHARED: Final = ("logRetentionDays", "tracing", "alarmEmail", "observabilitySink", "runbook")
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: schema()["properties"][name] for name in _SHARED},
}


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The object `handshakeRelay` in cdk.json, in camel case there. Raises `WrongSettings`."""

    region: str | None = None
    """A home region. None: where the stage is."""
    log_retention_days: int = 365
    tracing: bool = False
    alarm_email: str = ""
    observability_sink: str = ""
    runbook: str = "docs/runbook.md"

    def __post_init__(self) -> None:
        refuse_mistakes(self, _SCHEMA, self.region)


def parse(raw: Any, region: str) -> RelaySettings:
    """Settings as JSON gives them, for a deploy to `region`. Raises `WrongSettings` with every mistake."""
    return RelaySettings(region=region, **checked({} if raw is None else raw, _SCHEMA, region, context=RELAY))
