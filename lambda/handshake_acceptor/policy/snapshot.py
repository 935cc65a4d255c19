"""Mode and policy of one reading, and when it was made. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handshake_acceptor.policy.decide import InvalidPolicy, Policy
from handshake_acceptor.policy.documents import Mode


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """Mode and policy of one reading. The mode of a policy with a mistake is `OBSERVE`."""

    mode: Mode
    policy: Policy | InvalidPolicy

    @property
    def unreadable(self) -> bool:
        """Whether it could not be read, which says nothing about it."""
        return isinstance(self.policy, InvalidPolicy) and self.policy.unreadable


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the whole policy, and when it was made.

    AWS gives ten parameters a page and no snapshot of them all, so a policy of several pages that somebody edits
    meanwhile can be one that never stood. Two readings in a row with the same stamps are one that did.
    """

    snapshot: PolicySnapshot
    began: datetime
    """When the call was sent that gave the first page."""
    ended: datetime
    """When the last page arrived."""
    pages: int
    stamps: tuple[object, ...]
    """Every parameter's name, version, date, type and text."""
