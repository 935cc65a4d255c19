"""The rule that sends the state changes of this account's own alarms to the hub's bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aws_cdk import Aws, CfnCondition, CfnResource, Fn, Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from handshake_acceptor_cdk.names import ALARM_DETAIL_TYPE, ALARM_SOURCE, NAME

_NAME = f"{NAME}-tell-alarms"


class AlarmForwarding(Construct):
    """Passes on what the named alarms say as it is: another account's bus takes no input transformer.

    Nothing is passed on where the bus is this account's own, which hears its alarms already on its default bus; a
    template for any account finds that out when it is deployed.
    """

    def __init__(self, scope: Construct, construct_id: str, *, bus_arn: str, alarms: Sequence[str]) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html has both keys.
        of_this_rule = {
            "aws:SourceAccount": stack.account,
            "aws:SourceArn": stack.format_arn(service="events", resource="rule", resource_name=_NAME),
        }
        put = iam.PolicyStatement(sid="TellAlarms", actions=["events:PutEvents"], resources=[bus_arn])
        role = iam.Role(
            self,
            "Role",
            role_name=_NAME,
            description="handshake-acceptor: lets a rule tell the hub what this account's own alarms say",
            assumed_by=iam.ServicePrincipal("events.amazonaws.com", conditions={"StringEquals": of_this_rule}),
            inline_policies={NAME: iam.PolicyDocument(statements=[put])},
        )
        rule = events.CfnRule(
            self,
            "Rule",
            name=_NAME,
            description="What this account's own alarms say, for the hub",
            event_pattern={
                "source": [ALARM_SOURCE],
                "detail-type": [ALARM_DETAIL_TYPE],
                "detail": {"alarmName": list(alarms)},
            },
            targets=[events.CfnRule.TargetProperty(id="Hub", arn=bus_arn, role_arn=role.role_arn)],
        )
        if Token.is_unresolved(stack.account):
            other = Fn.condition_not(Fn.condition_equals(Aws.ACCOUNT_ID, account_of(bus_arn)))
            elsewhere = CfnCondition(self, "Elsewhere", expression=other)
            for resource in (rule, cast(CfnResource, role.node.default_child)):
                resource.cfn_options.condition = elsewhere


def is_elsewhere(bus: str, account: str) -> bool:
    """Whether a setting `decisionBus` names another account's bus, or may do so where `account` is not known yet."""
    return bus.startswith("arn:") and account_of(bus) != account


def account_of(bus_arn: str) -> str:
    """The account that a bus is in: arn:partition:events:region:account:event-bus/name."""
    return bus_arn.split(":")[4]
