"""The stack of a monitoring account: one sink, one dashboard, one bus and one topic for many accounts."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_oam as oam
from aws_cdk import aws_sns as sns
from constructs import Construct

from handshake_acceptor_cdk.events.hub_bus import HubBus, HubRules
from handshake_acceptor_cdk.monitoring.fleet_dashboard import FleetDashboard
from handshake_acceptor_cdk.monitoring.message_topic import MessageTopic
from handshake_acceptor_cdk.monitoring.observability_link import SHARED
from handshake_acceptor_cdk.names import NAME
from handshake_acceptor_cdk.settings.hub import HubSettings


class HubStack(Stack):
    """Everything in the monitoring account, in the region of the accounts that link to it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: HubSettings, account: str | None = None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            env=Environment(account=account, region=settings.region),
            description="Shows what becomes of AWS Organizations handshakes in many accounts",
        )
        dashboard = FleetDashboard(self, "Dashboard")
        bus = HubBus(self, "Bus", settings=settings)
        topic = self._topic(settings)
        HubRules(self, "Tell", bus=bus, topic=topic, runbook=settings.runbook)
        for name, value, description in (
            ("SinkArn", self._sink_arn(settings), "The setting observabilitySink of acceptors and relay"),
            ("BusArn", bus.event_bus_arn, "The setting decisionBus of acceptors"),
            ("TopicArn", topic.topic_arn, "Where what wants a person is told: subscribe to it, or set alarmEmail"),
            ("DashboardName", dashboard.dashboard_name, "What becomes of handshakes in all linked accounts"),
        ):
            CfnOutput(self, name, value=value, description=description)

    def _sink_arn(self, settings: HubSettings) -> str:
        if settings.observability_sink:
            return settings.observability_sink
        policy = {"Version": "2012-10-17", "Statement": [_admit(*each) for each in settings.admitted()]}
        return oam.CfnSink(self, "Sink", name=NAME, policy=policy).attr_arn

    def _topic(self, settings: HubSettings) -> sns.ITopic:
        if settings.message_topic:
            return sns.Topic.from_topic_arn(self, "Topic", settings.message_topic)
        return MessageTopic(self, "Topic", email=settings.alarm_email)


def _admit(sid: str, principal: Any, caller: dict[str, Any]) -> dict[str, Any]:
    """Who may link, and share what: https://docs.aws.amazon.com/OAM/latest/APIReference/API_PutSinkPolicy.html."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": ["oam:CreateLink", "oam:UpdateLink"],
        "Resource": "*",
        # ForAllValues is true of no value at all, hence Null.
        "Condition": ({"ForAnyValue:StringEquals": caller} if caller else {})
        | {"ForAllValues:StringEquals": {"oam:ResourceTypes": list(SHARED)}, "Null": {"oam:ResourceTypes": "false"}},
    }
