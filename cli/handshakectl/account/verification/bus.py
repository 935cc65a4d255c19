"""The hint bus: whom its policy admits as it stands, and whether a stranger's put is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from handshake_relay import hint
from handshakectl.account.checks.acceptor import AcceptorChecks, admitted_accounts
from handshakectl.account.checks.finding import Unclear, Wrong
from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws
from handshakectl.account.verification.proof import lacks
from handshakectl.account.verification.wakes import Patience, Wakes, made_up
from handshakectl.failures import DENIED, error_code
from handshakectl.names import NAME

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

RECORD: Final = ("aws.organizations", "AWS API Call via CloudTrail")
_ADMITTED: Final = {(hint.SOURCE, hint.DETAIL_TYPE), RECORD}
"""Source and detail type of what may be put on the bus from outside."""
_REFUSED = (*DENIED, "NotAuthorizedForSourceException", "NotAuthorizedForDetailTypeException")
_OWN_REFUSAL = "identity-based policy"
"""What AWS's message has in it where the caller's own policy is what lacks the permission."""


class Bus:
    """The checks of the hint bus."""

    def __init__(self, deployed: Deployment, wakes: Wakes, patience: Patience, name: Callable[[], str]) -> None:
        self._deployed = deployed
        self._wakes = wakes
        self._patience = patience
        self._name = name

    def policy(self) -> str:
        """Reads the policy as it stands."""
        text = self._deployed.bus_policy
        if text is None:
            raise Wrong("the bus has no policy, and a deploy always gives it one", "deploy again")
        wrong = [why for statement in json.loads(text)["Statement"] for why in _too_wide(statement)]
        if wrong:
            raise Wrong("; ".join(wrong), "take it away (aws events remove-permission), and deploy again")
        return AcceptorChecks(self._deployed).hints()

    def stranger(self, stranger: Aws) -> str:
        """Puts a hint as a stranger, which must be refused."""
        who = stranger.caller().account_id
        text = self._deployed.bus_policy
        if who == self._deployed.caller.account_id or (text and who in admitted_accounts(text)):
            raise Unclear(f"{who} is no stranger: it may put on the bus", "give --stranger another account's profile")
        handshake_id, at = f"h-{self._name()}", self._patience.now()
        arn = self._deployed.arn("events", f"event-bus/{NAME}")
        events: EventBridgeClient = stranger.client("events")
        entry: Any = made_up(handshake_id, at, arn)
        try:
            [answer] = events.put_events(Entries=[entry])["Entries"]
            code, message = answer.get("ErrorCode"), answer.get("ErrorMessage", "")
        except ClientError as error:
            code, message = error_code(error), str(error)
        if code in _REFUSED and _OWN_REFUSAL in message:
            raise Unclear(f"the stranger's own policy refuses it: {code}", f"{lacks('PutEvents')} in {who}")
        if code in _REFUSED:
            return f"a put from {who} is refused: {code}"
        if code:
            raise Unclear(f"a put from {who} failed for another reason: {code}", "try again")
        woke = self._patience.until(lambda: self._wakes.told_of(handshake_id))
        came = "woke the function" if woke else f"woke nothing within {self._patience.soon:.0f} s"
        raise Wrong(f"a put from {who} was taken, and {came}", "look at the bus's policy, and deploy again")


def _too_wide(statement: Any) -> Iterator[str]:
    """How a statement admits more than hints and records of named accounts. Raises `LookupError` and the like."""
    sid = statement.get("Sid", "a statement")
    if statement["Effect"] != "Allow":
        return
    named = statement["Principal"]
    if "*" in (named if isinstance(named, str) else named["AWS"]):
        yield f"{sid} admits every account"
    conditions = statement.get("Condition", {})
    source = _one(conditions.get("ForAllValues:StringEquals", {}).get("events:source"))
    kind = _one(conditions.get("StringEquals", {}).get("events:detail-type"))
    if (source, kind) not in _ADMITTED or conditions.get("Null", {}).get("events:source") not in ("false", False):
        yield f"{sid} admits other events than hints and records"


def _one(value: Any) -> Any:
    """The only one of a condition's values, which AWS may keep as a list."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
