"""The hard lock: what the function may ever do, whatever the policy in Parameter Store says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aws_cdk import Aws, Stack

from handshake_acceptor.reporting.decision_events import SOURCE, DetailType
from handshake_acceptor_cdk.functions.iam import Grant, allow
from handshake_acceptor_cdk.settings.acceptor import Origin, Settings


def grants(stack: Stack, settings: Settings, ceiling: Sequence[str]) -> Iterator[Grant]:
    """What the acceptor's work needs. `ceiling` names all handshakes that may be accepted, by their ARNs.

    Organizations authorizes answers to a handshake on the handshake's ARN, which states its origin and action; lists
    and the own organization take no resource
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html).
    """
    if ceiling:
        yield allow(
            "Accept",
            ["organizations:AcceptHandshake", "organizations:DescribeHandshake"],
            ceiling,
            why_wildcard="The setting allowAnyOrigin asks for it in so many words, and synthesis warns of it."
            if settings.allow_any_origin
            else _ID_UNKNOWN,
        )
    if settings.declinable:
        yield allow(
            "Decline",
            ["organizations:DeclineHandshake"],
            handshakes(settings.declinable),
            why_wildcard=_ID_UNKNOWN,
        )
    yield allow(
        "Look",
        ["organizations:DescribeOrganization", "organizations:ListHandshakesForAccount"],
        ["*"],
        why_wildcard="AWS knows no resource for these two, which read this account's own.",
    )
    # Authorized on the path that the call names, with or without its last slash.
    path = settings.prefix.strip("/")
    yield allow(
        "ReadPolicy",
        ["ssm:GetParametersByPath"],
        [stack.format_arn(service="ssm", resource="parameter", resource_name=name) for name in (path, f"{path}/*")],
        why_wildcard="People name the policy's documents; below this path there is nothing but the policy.",
    )
    # Joining an organization with all features makes this role in the account that joins:
    # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services-using_slrs.html
    linked = "aws-service-role/organizations.amazonaws.com/*"
    yield allow(
        "JoinAllFeatures",
        ["iam:CreateServiceLinkedRole"],
        [stack.format_arn(service="iam", region="", resource="role", resource_name=linked)],
        conditions={"StringEquals": {"iam:AWSServiceName": "organizations.amazonaws.com"}},
        why_wildcard="AWS names the role. The path and the condition leave none but that of Organizations.",
    )
    if settings.decision_bus:
        own_bus = stack.format_arn(service="events", resource="event-bus", resource_name="default")
        yield allow(
            "TellDecisions",
            ["events:PutEvents"],
            [own_bus if settings.decision_bus == "default" else settings.decision_bus],
            # events:source can have many values, and ForAllValues is true of none at all: hence Null.
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
            conditions={
                "ForAllValues:StringEquals": {"events:source": SOURCE},
                "Null": {"events:source": "false"},
                "StringEquals": {"events:detail-type": [kind.value for kind in DetailType]},
            },
        )


_ID_UNKNOWN = "The last part is the handshake's id, which nobody knows before it is sent; origin and action are named."


def ceiling(settings: Settings) -> list[str]:
    """All handshakes that settings let the function accept, by their ARNs."""
    if settings.allow_any_origin:
        return [f"arn:{Aws.PARTITION}:organizations::*:handshake/*"]
    return handshakes(settings.origins)


def handshakes(origins: Iterable[Origin], partition: str = Aws.PARTITION) -> list[str]:
    """Every handshake of these origins and actions, by its ARN."""
    return [f"arn:{partition}:organizations::{tail}/*" for tail in arn_suffixes(origins)]


def arn_suffixes(origins: Iterable[Origin]) -> list[str]:
    """The part of a handshake's ARN that states its origin and action."""
    return [
        f"{origin.management_account_id}:handshake/{origin.organization_id}/{action.lower()}"
        for origin in origins
        for action in origin.actions
    ]
