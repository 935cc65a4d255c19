"""From a record of a call that created a handshake to the hints that invited accounts' buses take.

A hint carries a handshake's id, its action and when it was created, and nothing else: names, notes and e-mail
addresses never travel. The receiver believes none of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handshake_core.handshake import ACCOUNT_ID, HANDSHAKE_ID

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef as Entry

SOURCE = "handshake-acceptor.relay"
"""Not `aws.organizations`: PutEvents refuses a source that begins with `aws.`."""
DETAIL_TYPE = "Handshake Hint"

ENABLE_ALL_FEATURES = "EnableAllFeatures"
"""The call that creates a handshake for every invited member, none of which its record names."""
CREATES_HANDSHAKE = (ENABLE_ALL_FEATURES, "InviteAccountToOrganization", "InviteOrganizationToTransferResponsibility")
"""The calls of Organizations that create handshakes."""

_ACTION = re.compile(r"[A-Za-z_]{1,64}", re.ASCII)
_TIME = re.compile(r"[0-9TZ:.+-]{1,40}", re.ASCII)


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

    def entry(self, bus: str) -> Entry:
        """The entry of PutEvents for a bus, by name or ARN."""
        detail = {"handshake_id": self.handshake_id, "action": self.action, "created_at": self.created_at}
        return {"EventBusName": bus, "Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": json.dumps(detail)}


def from_record(event: object) -> Hint | None:
    """Reads "AWS API Call via CloudTrail" of a call that created a handshake; None if it created none. Never raises.

    CloudTrail writes actions in lower case.
    """
    detail = _at(event, "detail")
    handshake = _at(detail, "responseElements", "handshake")
    if _at(detail, "errorCode") or not isinstance(handshake, dict):
        return None
    accounts = [_at(each, "id") for each in _list(handshake.get("parties")) if _at(each, "type") == "ACCOUNT"]
    sender = _at(detail, "recipientAccountId")  # the account in which the record is: it may be a party itself
    to = next((each for each in accounts if each != sender), None)
    return make(handshake.get("id"), handshake.get("action"), _at(detail, "eventTime"), to)


def make(handshake_id: object, action: object, created_at: object, account_id: object) -> Hint | None:
    """A hint of what somebody wrote; None without the id of a handshake and an action. Never raises."""
    if not (_matches(HANDSHAKE_ID, handshake_id) and _matches(_ACTION, action)):
        return None
    return Hint(
        account_id=str(account_id) if _matches(ACCOUNT_ID, account_id) else "",
        handshake_id=str(handshake_id),
        action=str(action).upper(),
        created_at=str(created_at) if _matches(_TIME, created_at) else "",
    )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(value: object, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
