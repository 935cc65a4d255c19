"""The relay's function: what it is called, carries and may do."""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor_cdk.functions.function import LoggedFunction
from handshake_acceptor_cdk.functions.iam import Grant, allow
from handshake_acceptor_cdk.names import NAME, RELAY_NAME
from handshake_acceptor_cdk.settings.relay import RelaySettings


class RelayFunction(LoggedFunction):
    """Sends hints to the accounts that a call of this management account invited."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: RelaySettings, code: lambda_.Code, failures: sqs.IQueue
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name=RELAY_NAME,
            description="Tells invited accounts that there is a handshake to look for",
            role_description="handshake-relay: what its function may ever do",
            handler="handshake_relay.handler.handler",
            code=code,
            # Five thousand members are 250 pages and 500 calls, one after the other.
            timeout=Duration.minutes(10),
            grants=_grants(Stack.of(scope).region),
            failures=failures,
            log_retention_days=settings.log_retention_days,
            tracing=settings.tracing,
            environment={},
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
