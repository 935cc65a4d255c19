"""The hard lock: what the function may ever do, whatever the policy in Parameter Store says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.names import NAME
from infra.settings import Origin, Settings


class AcceptorRole(iam.Role):
    """The function's role. These statements and no others: hand it on `without_policy_updates`.

    Organizations authorizes answers to a handshake on the handshake's ARN, which states its origin and action; lists
    and the own organization take no resource
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html). Its name is fixed,
    so that an organization's service control policies can exempt it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        failures: sqs.IQueue,
        log_group: logs.ILogGroup,
    ) -> None:
        statements = _statements(Stack.of(scope), settings, failures.queue_arn, log_group.log_group_arn)
        super().__init__(
            scope,
            construct_id,
            role_name=NAME,
            description="handshake-acceptor: what its function may ever do",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={NAME: iam.PolicyDocument(statements=list(statements))},
        )


def _statements(stack: Stack, settings: Settings, queue_arn: str, log_group_arn: str) -> Iterator[iam.PolicyStatement]:
    ceiling = [_ANY_HANDSHAKE] if settings.allow_any_origin else _handshakes(settings.origins)
    if ceiling:
        yield _allow("Accept", ["organizations:AcceptHandshake", "organizations:DescribeHandshake"], ceiling)
    if settings.declinable:
        yield _allow("Decline", ["organizations:DeclineHandshake"], _handshakes(settings.declinable))
    yield _allow("Look", ["organizations:DescribeOrganization", "organizations:ListHandshakesForAccount"], ["*"])
    # Authorized on the path that the call names, with or without its last slash.
    path = settings.prefix.strip("/")
    yield _allow(
        "ReadPolicy",
        ["ssm:GetParametersByPath"],
        [stack.format_arn(service="ssm", resource="parameter", resource_name=name) for name in (path, f"{path}/*")],
    )
    # Joining an organization with all features makes this role in the account that joins:
    # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services-using_slrs.html
    yield _allow(
        "JoinAllFeatures",
        ["iam:CreateServiceLinkedRole"],
        [
            stack.format_arn(
                service="iam",
                region="",
                resource="role",
                resource_name="aws-service-role/organizations.amazonaws.com/*",
            )
        ],
        conditions={"StringEquals": {"iam:AWSServiceName": "organizations.amazonaws.com"}},
    )
    yield _allow("ReportFailure", ["sqs:SendMessage"], [queue_arn])
    yield _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group_arn])
    if settings.tracing:
        yield _allow("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"])


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: dict[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)


_ANY_HANDSHAKE = f"arn:{Aws.PARTITION}:organizations::*:handshake/*"


def _handshakes(origins: Iterable[Origin]) -> list[str]:
    return [
        f"arn:{Aws.PARTITION}:organizations::{origin.management_account_id}:handshake/{origin.organization_id}"
        f"/{action.lower()}/*"
        for origin in origins
        for action in origin.actions
    ]
