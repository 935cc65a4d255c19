"""The function, its log, and what becomes of a run that fails."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.acceptor_role import AcceptorRole
from infra.exemptions import exempt
from infra.names import NAME
from infra.settings import Settings


class AcceptorFunction(Construct):
    """One function, woken by anything, that reconciles the account's handshakes with the policy.

    No reserved concurrency: a new account's limit is often 10, all of which must stay unreserved
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html). Runs that overlap are safe.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, package: Path, failures: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        # The record of who was let in outlives the stack, but not a first deploy that rolled back.
        self.log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{NAME}",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        # The construct takes names for numbers of days; the setting is the number.
        cast(logs.CfnLogGroup, self.log_group.node.default_child).retention_in_days = settings.log_retention_days
        role = AcceptorRole(self, "Role", settings=settings, failures=failures, log_group=self.log_group)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=NAME,
            description="Accepts the handshakes that the policy in Parameter Store allows, and nothing else",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            # Shorter than the shortest sweep, so that a run is over before the next one starts.
            timeout=Duration.minutes(4),
            handler="handshake_acceptor.handler.handler",
            code=lambda_.Code.from_asset(str(package)),
            # CDK would add statements of its own, wider than the role's.
            role=role.without_policy_updates(),
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE if settings.tracing else lambda_.Tracing.DISABLED,
            environment={
                "POLICY_PATH": settings.prefix,
                "POWERTOOLS_SERVICE_NAME": NAME,
                "POWERTOOLS_METRICS_NAMESPACE": "HandshakeAcceptor",
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
            retry_attempts=2,
            # A dozen sweeps have looked at the same by then.
            max_event_age=Duration.hours(1),
            on_failure=destinations.SqsDestination(failures),
        )
        exempt(
            self.log_group,
            {
                "CKV_AWS_158": "CloudWatch Logs encrypts it with a key of its own. Decisions hold no personal data;"
                " a customer key costs a dollar a month an account.",
            },
        )
        exempt(
            self.function,
            {
                "AwsSolutions-L1": "The asset is made for one version of Python and tried with it; AWS supports this"
                " one until 2029, and it moves on when the project does, not when CDK learns of another.",
                "CKV_AWS_115": "A new account's limit is often 10, all of which must stay unreserved: the deploy would"
                " fail there. Runs that overlap are safe.",
                "CKV_AWS_116": "Its on-failure destination is a queue, which is told why the run failed; a dead-letter"
                " queue is not.",
                "CKV_AWS_117": "It calls two public AWS APIs, and nothing calls it but Lambda. A VPC would hold"
                " nothing to protect, and need endpoints or a NAT gateway in every account.",
                "CKV_AWS_173": "The variables are names, no secrets; Lambda encrypts them with a key of its own.",
            },
        )
