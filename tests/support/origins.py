"""Who invites whom in the end-to-end tests."""

from __future__ import annotations

from dataclasses import dataclass

MEMBER = "222222222222"
PREFIX = "/handshake-acceptor/"


@dataclass(frozen=True, slots=True)
class Origin:
    organization_id: str
    management_account_id: str


ALLOWED = Origin("o-exampleorgid", "111111111111")
DENIED = Origin("o-sandbox0001", "333333333333")
BEYOND = Origin("o-foreign00001", "444444444444")
"""Outside the ceiling that local/demo/settings.json deploys."""
