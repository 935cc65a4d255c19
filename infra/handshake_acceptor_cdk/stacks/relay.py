"""The stack of a management account: it passes on, to each invited account, that it was invited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aws_cdk import Annotations, CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor_cdk.asset.build import RELAY, build_asset
from handshake_acceptor_cdk.events.failure_queue import FailureQueue
from handshake_acceptor_cdk.events.relay_rules import add_relay_rules
from handshake_acceptor_cdk.functions.relay import RelayFunction
from handshake_acceptor_cdk.monitoring.alarms import AlarmSpec, AlarmTopic, SpecifiedAlarm
from handshake_acceptor_cdk.monitoring.metrics import messages, of_rule
from handshake_acceptor_cdk.monitoring.observability_link import ObservabilityLink
from handshake_acceptor_cdk.names import RELAY_NAME
from handshake_acceptor_cdk.settings.reading import in_region
from handshake_acceptor_cdk.settings.relay import RelaySettings


class RelayStack(Stack):
    """Everything in the management account, in its partition's home region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: RelaySettings,
        asset: Path | None = None,
        account: str | None = None,
    ) -> None:
        """Without `asset` it is built; without `account` it is the stage's, or any.

        Raises `WrongSettings` where the stack's region is known, and they are wrong there, and `BuildFailed`.
        """
        super().__init__(
            scope,
            construct_id,
            env=Environment(account=account, region=settings.region),
            description="Tells invited accounts that there is an AWS Organizations handshake to look for",
        )
        settings = in_region(settings, self.region)
        failures = FailureQueue(self, "Failures", name=RELAY_NAME)
        code = lambda_.Code.from_asset(str(asset or build_asset(asset=RELAY)))
        relay = RelayFunction(self, "Relay", settings=settings, code=code, failures=failures)
        invitations = add_relay_rules(relay, relay.function)
        if settings.observability_sink:
            ObservabilityLink(self, "Link", sink_arn=settings.observability_sink, log_group=relay.log_group)
        topic = AlarmTopic(self, "Topic", email=settings.alarm_email, name=RELAY_NAME)
        for spec in _specs(invitations, failures):
            SpecifiedAlarm(self, spec, topic=topic, runbook=settings.runbook, name_prefix=RELAY_NAME)
        for name, value, description in (
            (
                "FunctionName",
                relay.function.function_name,
                "Sends the hints of a message in the queue again: give it its requestPayload",
            ),
            ("FailureQueueUrl", failures.queue_url, "Calls whose hints failed for good; empty when all is well"),
            ("AlarmTopicArn", topic.topic_arn, "Where alarms go: subscribe to it, or set alarmEmail"),
            ("LogGroupName", relay.log_group.log_group_name, "Every hint, one line each"),
        ):
            CfnOutput(self, name, value=value, description=description)
        Annotations.of(self).add_info_v2(
            "handshake-acceptor:relay-trail",
            "hints need a CloudTrail trail that logs management events in this account and region: without it no "
            "record arrives, no hint is sent, and only the invited accounts' sweeps find invitations",
        )


def _specs(invitations: events.IRule, failures: sqs.IQueue) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "hints-fail",
        happened=f"the queue {RELAY_NAME}-failures has messages: calls whose hints could not be sent in three tries.",
        means="the invited accounts find those handshakes by their sweep, minutes later: nothing is lost.",
        to_do="read the messages for the cause and mend it (AccessDenied means IAM or a service control policy of this"
        " account), then purge the queue, which ends this alarm.",
        metric=messages(failures, minutes=5),
        # SQS stops sending metrics of a queue that nobody touched for hours.
        missing=cloudwatch.TreatMissingData.IGNORE,
    )
    yield AlarmSpec(
        "records-undelivered",
        happened="EventBridge could not hand records of invitations to the relay.",
        means="no hint was sent for them; the invited accounts' sweeps find those handshakes, minutes later.",
        to_do=f"look whether the function {RELAY_NAME} is there and not throttled; deploy again.",
        metric=of_rule(invitations, "FailedInvocations", Duration.minutes(5)),
        periods=3,
    )
