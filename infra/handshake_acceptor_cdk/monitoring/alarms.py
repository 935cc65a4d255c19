"""The alarms: one for each situation that wants a person, and where they are sent.

Each describes what happened, what it means and what to do, for somebody who reads nothing else, and names the section
of docs/runbook.md that is called like it. What CloudWatch is told about missing data makes an idle account quiet. Where
data is missing it looks further back than it is told, so that every number of periods here means "at least":
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor.reporting.metric import Metric
from handshake_acceptor_cdk.monitoring.metrics import messages, of_rule, own
from handshake_acceptor_cdk.names import NAME, RECORD_DETAIL_TYPE, RECORD_SOURCE
from handshake_acceptor_cdk.settings.acceptor import Settings
from handshake_acceptor_cdk.suppressions import suppress

ESSENTIAL: Final = ("runs-fail", "sweep-silent")
"""What `essential` keeps: without these nobody would hear that nothing is looked at any more."""

_DAY = 24 * 60
_MISSING = cloudwatch.TreatMissingData
_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_FEWER = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """What an alarm is for. `name` is the last part of its own name, and the anchor of its section in the runbook."""

    name: str
    happened: str
    means: str
    to_do: str
    metric: cloudwatch.IMetric
    threshold: int = 1
    periods: int = 1
    """How many of the metric's periods are looked at."""
    breaching: int = 1
    """In how many of them the threshold must be crossed."""
    comparison: cloudwatch.ComparisonOperator = _AT_LEAST
    missing: cloudwatch.TreatMissingData = _MISSING.NOT_BREACHING


class Alarms(Construct):
    """Every alarm of the stack, and the topic that they publish to."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        function: lambda_.IFunction,
        failures: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = AlarmTopic(self, "Topic", email=settings.alarm_email)
        specs = list(_specs(settings, function, failures))
        if settings.alarms == "all":
            specs.append(_somebody_else(SomebodyElseRule(self, "SomebodyElse")))
        wanted = [each for each in specs if settings.alarms == "all" or each.name in ESSENTIAL]
        if settings.alarms == "none":
            wanted = []
        self.alarms = [SpecifiedAlarm(self, spec, topic=self.topic, runbook=settings.runbook) for spec in wanted]
        self.names = [f"{NAME}-{spec.name}" for spec in wanted]


class SpecifiedAlarm(cloudwatch.Alarm):
    """The alarm of one spec, which tells a topic."""

    def __init__(
        self, scope: Construct, spec: AlarmSpec, *, topic: sns.ITopic, runbook: str, name_prefix: str = NAME
    ) -> None:
        super().__init__(
            scope,
            spec.name.title().replace("-", ""),
            alarm_name=f"{name_prefix}-{spec.name}",
            alarm_description=f"What happened: {spec.happened}\n\nWhat it means: {spec.means}\n\n"
            f"What to do: {spec.to_do}\n\nRunbook: {runbook}#{spec.name}",
            metric=spec.metric,
            threshold=spec.threshold,
            evaluation_periods=spec.periods,
            datapoints_to_alarm=spec.breaching,
            comparison_operator=spec.comparison,
            treat_missing_data=spec.missing,
        )
        self.add_alarm_action(actions.SnsAction(topic))


class AlarmTopic(sns.Topic):
    """Takes messages over TLS only, and from nobody but this account's alarms of ours."""

    def __init__(self, scope: Construct, construct_id: str, *, email: str, name: str = NAME) -> None:
        super().__init__(scope, construct_id, topic_name=f"{name}-alarms", display_name=name, enforce_ssl=True)
        stack = Stack.of(self)
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {
                        "aws:SourceArn": stack.format_arn(
                            service="cloudwatch",
                            resource="alarm",
                            resource_name=f"{name}-*",
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    },
                },
            )
        )
        if email:
            self.add_subscription(subscriptions.EmailSubscription(email))
        suppress(
            self,
            {
                "CKV_AWS_26": "An alarm cannot publish to a topic that is encrypted with the key of SNS, and a customer"
                " key costs a dollar a month an account. Its messages are alarm descriptions: nothing personal.",
            },
        )


class SomebodyElseRule(events.Rule):
    """Matches the records of `AcceptHandshake` and `DeclineHandshake` in this account that the function did not call.

    They arrive only where a trail in this account logs management events. The rule has no target: that it matched is a
    metric of EventBridge's own, so nothing of the record, which names people, goes anywhere
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html: "to do more than publish a
    CloudWatch metric, you must also add a target").
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        sessions = Stack.of(scope).format_arn(service="sts", region="", resource="assumed-role", resource_name=NAME)
        super().__init__(
            scope,
            construct_id,
            rule_name=f"{NAME}-somebody-else",
            description="Handshakes that somebody else in this account accepted or declined; an alarm watches it match",
            event_pattern=events.EventPattern(
                source=[RECORD_SOURCE],
                detail_type=[RECORD_DETAIL_TYPE],
                detail={
                    "eventSource": ["organizations.amazonaws.com"],
                    "eventName": ["AcceptHandshake", "DeclineHandshake"],
                    "errorCode": events.Match.does_not_exist(),
                    # Who has no ARN is not the function either.
                    "userIdentity": {"arn": [{"anything-but": {"prefix": f"{sessions}/"}}, {"exists": False}]},
                },
            ),
        )


def _specs(settings: Settings, function: lambda_.IFunction, failures: sqs.IQueue) -> Iterator[AlarmSpec]:
    sweep, clear = settings.sweep_minutes, settings.clear_sweeps
    policy, mode = f"{settings.prefix}policy/", f"{settings.prefix}mode"
    yield AlarmSpec(
        "policy-invalid",
        happened=f"a policy document below {policy} has a mistake.",
        means="no handshake is accepted until it is mended, whatever the other documents say.",
        to_do="run handshakectl doctor, which names the document and the place in it; mend it there,"
        " or put back the last version that was right.",
        metric=own(Metric.POLICY_INVALID, "Maximum", minutes=sweep),
        periods=clear,
    )
    yield AlarmSpec(
        "nobody-allows",
        happened="a handshake waits that no statement of the policy allows or denies, though an Allow names its"
        " organization or its management account.",
        means="it stays pending until it expires: the policy misses it by a detail. An invitation from an origin that"
        " no Allow names rings nothing.",
        to_do="run handshakectl pending, which says what did not match. If you want it, allow it; if not, deny it, and"
        " this alarm ends.",
        metric=own(Metric.NOT_ALLOWED, "Maximum", minutes=sweep),
        periods=clear,
    )
    yield AlarmSpec(
        "expires-soon",
        happened=f"a handshake that nobody denied, and no stranger sent, has fewer than {settings.expiry_hours} hours"
        " left.",
        means="when it has expired, nobody can accept it any more: the other side must send a new one.",
        to_do=f"run handshakectl pending, which says why it waits: no statement, {mode} is observe, or AWS refuses it.",
        metric=own(Metric.HOURS_LEFT, "Minimum", minutes=sweep),
        threshold=settings.expiry_hours,
        periods=clear,
        comparison=_FEWER,
    )
    yield AlarmSpec(
        "human-needed",
        happened="the policy allows a handshake, and it cannot be accepted.",
        means="time alone does not cure it: a payment method is missing, IAM or a service control policy refuses,"
        " or two organizations are allowed at once.",
        to_do="run handshakectl run: the last reason of the decision NEEDS_HUMAN says what to do. The next sweep tries"
        " again by itself.",
        metric=own(Metric.NEEDS_HUMAN, "Maximum", minutes=sweep),
        periods=clear,
    )
    yield AlarmSpec(
        "runs-fail",
        happened=f"{settings.failed_tries} or more tries of the function failed within three sweeps, or a day.",
        means="handshakes or policy cannot be read, or AWS did not answer until the deadline. Nothing is accepted"
        " wrongly, but allowed handshakes wait.",
        to_do=f"look at the saved query {NAME}/failed runs by kind; AccessDenied means a service control policy.",
        metric=function.metric_errors(period=Duration.minutes(min(3 * sweep, _DAY)), statistic="Sum"),
        threshold=settings.failed_tries,
    )
    yield AlarmSpec(
        "queue-not-empty",
        happened=f"the queue {NAME}-failures has messages: events that failed for good or could not be delivered.",
        means="each was a hint to look, and every sweep looks too: nothing is lost if runs succeed again.",
        to_do="read the messages for the cause, mend it, then purge the queue, which ends this alarm.",
        metric=messages(failures, minutes=sweep),
        # SQS stops sending metrics of a queue that nobody touched for hours.
        missing=_MISSING.IGNORE,
    )
    yield AlarmSpec(
        "sweep-silent",
        happened=f"the function has not run at all for at least {settings.silent_sweeps} sweeps.",
        means="nothing looks for invitations any more, and the other alarms see nothing either. In the first minutes"
        " after the first deploy it means nothing.",
        to_do=f"look whether the schedule {NAME}-sweep is there and enabled, and the function not throttled;"
        " deploy again.",
        metric=function.metric_invocations(period=Duration.minutes(sweep), statistic="Sum"),
        periods=settings.silent_sweeps,
        breaching=settings.silent_sweeps,
        comparison=_FEWER,
        missing=_MISSING.BREACHING,
    )


def _somebody_else(rule: events.IRule) -> AlarmSpec:
    return AlarmSpec(
        "somebody-else-answered",
        happened="somebody other than the function accepted or declined a handshake in this account, in about a day.",
        means="the account may have joined an organization that the policy does not allow. It is seen only if a trail"
        " in this account logs management events.",
        to_do="look up AcceptHandshake and DeclineHandshake in CloudTrail's event history: who was it, and may they?",
        metric=of_rule(rule, "TriggeredRules", Duration.hours(1)),
        periods=24,
    )
