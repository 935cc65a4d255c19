"""A function's role, made of statements that are written down one by one, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from handshake_acceptor_cdk.suppressions import suppress, wildcard


@dataclass(frozen=True, slots=True)
class Grant:
    """A statement and, where one of its resources has a `*`, why it must."""

    statement: iam.PolicyStatement
    why_wildcard: str


class FunctionRole(iam.Role):
    """A role that Lambda assumes. Hand it on `without_policy_updates`: CDK would add statements of its own.

    Its name is fixed, so that an organization's service control policies can suppress it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, description: str, grants: Iterable[Grant]
    ) -> None:
        grants = list(grants)
        super().__init__(
            scope,
            construct_id,
            role_name=name,
            description=description,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={name: iam.PolicyDocument(statements=[grant.statement for grant in grants])},
        )
        stack = Stack.of(self)
        for grant in grants:
            # Resolved, because an ARN may be an expression with a parameter of the template in it.
            arns = [arn for arn in grant.statement.resources if "*" in json.dumps(stack.resolve(arn))]
            suppress(self, {wildcard(stack, arn): grant.why_wildcard for arn in arns})


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: dict[str, object] | None = None,
    *,
    why_wildcard: str = "",
) -> Grant:
    """A statement that allows."""
    statement = iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)
    return Grant(statement, why_wildcard)


def of_every_function(*, queue_arn: str, log_group_arn: str, tracing: bool) -> Iterator[Grant]:
    """What every function of ours needs besides its work: to report its failures, and to write its log."""
    yield allow("ReportFailure", ["sqs:SendMessage"], [queue_arn])
    yield allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group_arn])
    if tracing:
        yield allow(
            "Trace",
            ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            ["*"],
            why_wildcard="AWS knows no resource for these two, which only write traces.",
        )
