"""From a CloudTrail record to the hint that the invited account's bus takes.

A hint carries a handshake's id, its action and when it was created, and nothing else: names, notes and e-mail
addresses never travel. The receiver believes none of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

SOURCE = "handshake-acceptor.relay"
"""Not `aws.organizations`: PutEvents refuses a source that begins with `aws.`."""
DETAIL_TYPE = "Handshake Hint"

_HANDSHAKE_ID = re.compile(r"h-[0-9a-z]{8,32}", re.ASCII)
_ACCOUNT_ID = re.compile(r"[0-9]{12}", re.ASCII)
_ACTION = re.compile(r"[a-z_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint, addressed to an account.

    `account_id` is empty for an invitation to an e-mail address, whose record names no account: that one is left to
    the invited account's sweep.
    """

    account_id: str
    handshake_id: str
    action: str
    created_at: str

    def entry(self, bus: str) -> dict[str, Any]:
        """The entry of PutEvents for a bus, by name or ARN."""
        detail = {"handshake_id": self.handshake_id, "action": self.action, "created_at": self.created_at}
        return {"EventBusName": bus, "Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": json.dumps(detail)}


def from_record(event: dict[str, Any]) -> Hint | None:
    """Reads "AWS API Call via CloudTrail" of a call that created a handshake; None if it created none.

    CloudTrail writes actions in lower case.
    """
    detail = event.get("detail") or {}
    handshake = (detail.get("responseElements") or {}).get("handshake") or {}
    handshake_id, action = str(handshake.get("id")), str(handshake.get("action"))
    if detail.get("errorCode") or not (_HANDSHAKE_ID.fullmatch(handshake_id) and _ACTION.fullmatch(action)):
        return None
    accounts = [
        party["id"]
        for party in handshake.get("parties") or ()
        if party.get("type") == "ACCOUNT" and _ACCOUNT_ID.fullmatch(str(party.get("id")))
    ]
    created_at = str(detail.get("eventTime", ""))
    return Hint(accounts[0] if accounts else "", handshake_id, action.upper(), created_at)
