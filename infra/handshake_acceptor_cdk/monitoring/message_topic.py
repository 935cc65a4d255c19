"""The topic of the hub: one message for each thing that wants a person, in whatever account."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from handshake_acceptor_cdk.names import HUB_BUS
from handshake_acceptor_cdk.suppressions import suppress


class MessageTopic(sns.Topic):
    """Takes messages over TLS only, and from nobody but the rules of this account's hub bus."""

    def __init__(self, scope: Construct, construct_id: str, *, email: str) -> None:
        super().__init__(scope, construct_id, topic_name=HUB_BUS, display_name=HUB_BUS, enforce_ssl=True)
        stack = Stack.of(self)
        rules = stack.format_arn(service="events", resource="rule", resource_name=f"{HUB_BUS}/*")
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="RulesOfThisAccount",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}, "ArnLike": {"aws:SourceArn": rules}},
            )
        )
        if email:
            self.add_subscription(subscriptions.EmailSubscription(email))
        suppress(
            self,
            {
                "CKV_AWS_26": "A rule cannot publish to a topic that is encrypted with the key of SNS, and a customer"
                " key costs a dollar a month. Its messages are summaries of decisions and alarms: nothing personal.",
            },
        )
