"""A function, its log, its role, and what becomes of a run that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor.reporting.metric import NAMESPACE
from handshake_acceptor_cdk.functions.iam import FunctionRole, Grant, of_every_function
from handshake_acceptor_cdk.partitions import only_commercial
from handshake_acceptor_cdk.suppressions import suppress


class LoggedFunction(Construct):
    """One function that is woken by events.

    No reserved concurrency: a new account's limit is often 10, all of which must stay unreserved
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html). Runs that overlap are safe.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        role_description: str,
        handler: str,
        code: lambda_.Code,
        timeout: Duration,
        grants: Iterable[Grant],
        failures: sqs.IQueue,
        log_retention_days: int,
        tracing: bool,
        environment: Mapping[str, str],
        keep_log: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        # The record of who was let in outlives the stack if it is to be kept, but not a first deploy that rolled back.
        self.log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{name}",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep_log else RemovalPolicy.DESTROY,
        )
        # The construct takes names for numbers of days; the setting is the number.
        cast(logs.CfnLogGroup, self.log_group.node.default_child).retention_in_days = log_retention_days
        usual = of_every_function(
            queue_arn=failures.queue_arn, log_group_arn=self.log_group.log_group_arn, tracing=tracing
        )
        role = FunctionRole(self, "Role", name=name, description=role_description, grants=[*grants, *usual])
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            handler=handler,
            code=code,
            # CDK would add statements of its own, wider than the role's.
            role=role.without_policy_updates(),
            log_group=self.log_group,
            tracing=lambda_.Tracing.ACTIVE if tracing else lambda_.Tracing.DISABLED,
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
            retry_attempts=2,
            # A dozen sweeps have looked at the same by then.
            max_event_age=Duration.hours(1),
            on_failure=destinations.SqsDestination(failures),
        )
        # Text elsewhere: "JSON log formatting is not available" in GovCloud
        # (https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-lambda.html), nor in China as far as
        # https://docs.aws.amazon.com/config/latest/developerguide/lambda-function-log-format-json.html tells. Our own
        # lines are JSON in either, and the log is where a function of this name writes without being told.
        as_json = {"LogFormat": "JSON", "LogGroup": self.log_group.log_group_name}
        cast(lambda_.CfnFunction, self.function.node.default_child).add_property_override(
            "LoggingConfig", only_commercial(self, "JsonLog", as_json)
        )
        suppress(
            self.log_group,
            {
                "CKV_AWS_158": "CloudWatch Logs encrypts it with a key of its own. Decisions hold no personal data;"
                " a customer key costs a dollar a month an account.",
            },
        )
        suppress(
            self.function,
            {
                "AwsSolutions-L1": "The asset is made for one version of Python and tried with it; AWS supports this"
                " one until 2029, and it moves on when the project does, not when CDK learns of another.",
                "CKV_AWS_115": "A new account's limit is often 10, all of which must stay unreserved: the deploy would"
                " fail there. Runs that overlap are safe.",
                "CKV_AWS_116": "Its on-failure destination is a queue, which is told why the run failed; a dead-letter"
                " queue is not.",
                "CKV_AWS_117": "It calls public AWS APIs alone, and nothing calls it but Lambda. A VPC would hold"
                " nothing to protect, and need endpoints or a NAT gateway in every account.",
                "CKV_AWS_173": "The variables are names, no secrets; Lambda encrypts them with a key of its own.",
            },
        )
