"""The rules that wake the relay: for which records of its own account's calls, and how little of each it is given."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from handshake_acceptor_cdk.events.event_rules import RECORD, EventRule


def add_relay_rules(relay: Construct, function: lambda_.IFunction) -> EventRule:
    """Adds both rules to the relay, and gives the one for invitations to accounts, which an alarm watches."""
    invitations = EventRule(
        relay,
        "Invitation",
        description="Handshakes that this organization sends to an account",
        pattern=_record(["ACCOUNT"]),
        paths=_PASSED | {"account_id": "$.detail.requestParameters.target.id"},
        function=function,
    )
    EventRule(
        relay,
        "Other",
        description="Handshakes to e-mail addresses, which do not travel, and to all members of this organization",
        pattern=_record([{"anything-but": ["ACCOUNT"]}, {"exists": False}]),
        paths=_PASSED,
        function=function,
    )
    return invitations


def _record(target_types: list[Any]) -> dict[str, Any]:
    """Records of calls that created a handshake, by the type of the target in the request."""
    detail = RECORD["detail"]
    handshake = {"handshake": detail["responseElements"]["handshake"] | {"action": events.Match.exists()}}
    request = {"requestParameters": {"target": {"type": target_types}}}
    return RECORD | {"detail": detail | {"responseElements": handshake} | request}


_PASSED = {
    "event_name": "$.detail.eventName",
    "handshake_id": "$.detail.responseElements.handshake.id",
    "action": "$.detail.responseElements.handshake.action",
    "created_at": "$.detail.eventTime",
}
