"""The hard lock: what the function may ever do, whatever the policy in Parameter Store says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.exemptions import exempt, wildcard
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
        stack = Stack.of(scope)
        grants = list(_grants(stack, settings, failures.queue_arn, log_group.log_group_arn))
        super().__init__(
            scope,
            construct_id,
            role_name=NAME,
            description="handshake-acceptor: what its function may ever do",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={NAME: iam.PolicyDocument(statements=[grant.statement for grant in grants])},
        )
        for grant in grants:
            exempt(self, {wildcard(stack, arn): grant.why_wildcard for arn in grant.statement.resources if "*" in arn})


@dataclass(frozen=True, slots=True)
class _Grant:
    """A statement and, where one of its resources has a `*`, why it must."""

    statement: iam.PolicyStatement
    why_wildcard: str


def _grants(stack: Stack, settings: Settings, queue_arn: str, log_group_arn: str) -> Iterator[_Grant]:
    ceiling = [_ANY_HANDSHAKE] if settings.allow_any_origin else _handshakes(settings.origins)
    if ceiling:
        yield _allow(
            "Accept",
            ["organizations:AcceptHandshake", "organizations:DescribeHandshake"],
            ceiling,
            why_wildcard="The setting allowAnyOrigin asks for it in so many words, and synthesis warns of it."
            if settings.allow_any_origin
            else _ID_UNKNOWN,
        )
    if settings.declinable:
        yield _allow(
            "Decline",
            ["organizations:DeclineHandshake"],
            _handshakes(settings.declinable),
            why_wildcard=_ID_UNKNOWN,
        )
    yield _allow(
        "Look",
        ["organizations:DescribeOrganization", "organizations:ListHandshakesForAccount"],
        ["*"],
        why_wildcard="AWS knows no resource for these two, which read this account's own.",
    )
    # Authorized on the path that the call names, with or without its last slash.
    path = settings.prefix.strip("/")
    yield _allow(
        "ReadPolicy",
        ["ssm:GetParametersByPath"],
        [stack.format_arn(service="ssm", resource="parameter", resource_name=name) for name in (path, f"{path}/*")],
        why_wildcard="People name the policy's documents; below this path there is nothing but the policy.",
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
        why_wildcard="AWS names the role. The path and the condition leave none but that of Organizations.",
    )
    yield _allow("ReportFailure", ["sqs:SendMessage"], [queue_arn])
    yield _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group_arn])
    if settings.tracing:
        yield _allow(
            "Trace",
            ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            ["*"],
            why_wildcard="AWS knows no resource for these two, which only write traces.",
        )


def _allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: dict[str, object] | None = None,
    *,
    why_wildcard: str = "",
) -> _Grant:
    statement = iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)
    return _Grant(statement, why_wildcard)


_ID_UNKNOWN = "The last part is the handshake's id, which nobody knows before it is sent; origin and action are named."
_ANY_HANDSHAKE = f"arn:{Aws.PARTITION}:organizations::*:handshake/*"


def _handshakes(origins: Iterable[Origin]) -> list[str]:
    return [
        f"arn:{Aws.PARTITION}:organizations::{origin.management_account_id}:handshake/{origin.organization_id}"
        f"/{action.lower()}/*"
        for origin in origins
        for action in origin.actions
    ]
