"""The function that accepts: what it is called, carries and may do."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor_cdk.functions.acceptor_role import grants
from handshake_acceptor_cdk.functions.function import LoggedFunction
from handshake_acceptor_cdk.names import NAME
from handshake_acceptor_cdk.settings.acceptor import Settings


class AcceptorFunction(LoggedFunction):
    """One function, woken by anything, that reconciles the account's handshakes with the policy."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        ceiling: Sequence[str],
        code: lambda_.Code,
        failures: sqs.IQueue,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name=NAME,
            description="Accepts the handshakes that the policy in Parameter Store allows, and nothing else",
            role_description="handshake-acceptor: what its function may ever do",
            handler="handshake_acceptor.handler.handler",
            code=code,
            # Shorter than the shortest sweep, so that a run is over before the next one starts.
            timeout=Duration.minutes(4),
            grants=grants(Stack.of(scope), settings, ceiling),
            failures=failures,
            log_retention_days=settings.log_retention_days,
            tracing=settings.tracing,
            environment={"POLICY_PATH": settings.prefix, "SWEEP_MINUTES": str(settings.sweep_minutes)}
            | ({"DECISION_BUS": settings.decision_bus} if settings.decision_bus else {}),
            keep_log=settings.keep,
        )
