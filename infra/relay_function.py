"""The relay's function: what it carries, may do, and what wakes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.grants import Grant, allow
from infra.logged_function import LoggedFunction
from infra.names import NAME, RELAY_NAME
from infra.relay_settings import RelaySettings
from infra.wake_up_rules import RECORD, WakeUpRule


class RelayFunction(LoggedFunction):
    """Sends hints to the accounts that a call of this management account invited."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: RelaySettings, package: Path, failures: sqs.IQueue
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name=RELAY_NAME,
            description="Tells invited accounts that there is a handshake to look for",
            role_description="handshake-relay: what its function may ever do",
            handler="handshake_relay.handler.handler",
            code=lambda_.Code.from_asset(str(package)),
            # Five thousand members are 250 pages and 500 calls, one after the other.
            timeout=Duration.minutes(10),
            grants=_grants(settings.region),
            failures=failures,
            log_retention_days=settings.log_retention_days,
            tracing=settings.tracing,
            environment={},
        )
        self.invitations = WakeUpRule(
            self,
            "Invitation",
            description="Handshakes that this organization sends to an account",
            pattern=_record(["ACCOUNT"]),
            paths=_PASSED | {"account_id": "$.detail.requestParameters.target.id"},
            function=self.function,
        )
        WakeUpRule(
            self,
            "Other",
            description="Handshakes to e-mail addresses, which do not travel, and to all members of this organization",
            pattern=_record([{"anything-but": ["ACCOUNT"]}, {"exists": False}]),
            paths=_PASSED,
            function=self.function,
        )


def _grants(region: str) -> Iterator[Grant]:
    yield allow(
        "SendHints",
        ["events:PutEvents"],
        [f"arn:{Aws.PARTITION}:events:{region}:*:event-bus/{NAME}"],
        why_wildcard="The accounts that will be invited are not known; the bus is, and no other may be put on.",
    )
    yield allow(
        "FindAskedMembers",
        ["organizations:ListHandshakesForOrganization"],
        ["*"],
        why_wildcard="AWS knows no resource for it; it reads what this organization sent.",
    )


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
