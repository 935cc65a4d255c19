"""The bus that management accounts put hints on, and who may put what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from aws_cdk import CfnCondition, Fn, Stack
from aws_cdk import aws_events as events
from constructs import Construct

from handshake_acceptor_cdk.names import NAME, RECORD_DETAIL_TYPE, RECORD_SOURCE
from handshake_relay import hint


class HintBus(events.EventBus):
    """A bus of its own, so that nothing from outside reaches the account's default bus.

    Source and detail type are admitted in pairs, a statement each: the conditions of one statement would admit every
    combination.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        management_accounts: Sequence[str],
        condition: CfnCondition | None = None,
    ) -> None:
        """`condition` is false where a template's parameter names no account after all."""
        super().__init__(
            scope, construct_id, event_bus_name=NAME, description="Hints at handshakes, from management accounts"
        )
        # Part of the bus itself, so that there is no bus without it; it cannot refer to the bus it is part of.
        arn = Stack.of(self).format_arn(service="events", resource="event-bus", resource_name=NAME)
        nobody_else = _policy(arn, [Stack.of(self).account])
        policy = _policy(arn, management_accounts) if management_accounts else nobody_else
        cast(events.CfnEventBus, self.node.default_child).policy = (
            policy if condition is None else Fn.condition_if(condition.logical_id, policy, nobody_else)
        )


def _policy(arn: str, accounts: Sequence[str]) -> dict[str, Any]:
    """The bus's policy. There is always one: CloudFormation leaves the old one in place where the property is removed.

    The public handler of `AWS::Events::EventBus` does nothing on an update in which `Policy` is no more
    (https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-events).
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            _admit("Hint", arn, accounts, hint.SOURCE, hint.DETAIL_TYPE),
            _admit("ForwardedRecord", arn, accounts, RECORD_SOURCE, RECORD_DETAIL_TYPE),
        ],
    }


def _admit(sid: str, bus_arn: str, accounts: Sequence[str], source: str, detail_type: str) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        # The short form of arn:…:iam::…:root, which is the same in every partition.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts
        "Principal": {"AWS": list(accounts)},
        "Action": "events:PutEvents",
        "Resource": bus_arn,
        # events:source can have many values, and ForAllValues is true of none at all: hence Null.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-example-policy-cross-account-custom-bus-source.html
        "Condition": {
            "ForAllValues:StringEquals": {"events:source": source},
            "Null": {"events:source": "false"},
            "StringEquals": {"events:detail-type": detail_type},
        },
    }
