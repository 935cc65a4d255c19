"""The hub's bus: who may tell it what, and which of that becomes a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

from handshake_acceptor.reporting.decision_events import EXPIRES_SOON, SOURCE, DetailType
from handshake_acceptor_cdk.names import ALARM_DETAIL_TYPE, ALARM_SOURCE, HUB_BUS
from handshake_acceptor_cdk.settings.hub import HubSettings


class HubBus(events.EventBus):
    """Admits decision events, and state changes of alarms, from the accounts of the settings."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: HubSettings) -> None:
        super().__init__(
            scope, construct_id, event_bus_name=HUB_BUS, description="What becomes of handshakes in many accounts"
        )
        # Part of the bus itself, so that there is no bus without it; it cannot refer to the bus it is part of.
        arn = Stack.of(self).format_arn(service="events", resource="event-bus", resource_name=HUB_BUS)
        cast(events.CfnEventBus, self.node.default_child).policy = {
            "Version": "2012-10-17",
            "Statement": [_admit(*each, arn) for each in settings.admitted()],
        }


def _admit(sid: str, principal: Any, caller: Mapping[str, Any], bus_arn: str) -> dict[str, Any]:
    """One statement for all kinds, which the rules tell apart: a policy has 10 KB, and each account costs its id.

    Nobody can put an event under a source that begins with `aws.`: what comes so was sent on by a rule.
    """
    kinds = [*(kind.value for kind in DetailType), ALARM_DETAIL_TYPE]
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": "events:PutEvents",
        "Resource": bus_arn,
        # events:source can have many values, and ForAllValues is true of none at all: hence Null.
        "Condition": {
            "ForAllValues:StringEquals": {"events:source": [SOURCE, ALARM_SOURCE]},
            "Null": {"events:source": "false"},
            "StringEquals": {"events:detail-type": kinds, **caller},
        },
    }


class HubRules(Construct):
    """What wants a person becomes one sentence to one topic. Its account is the envelope's, which nobody can forge."""

    def __init__(
        self, scope: Construct, construct_id: str, *, bus: events.IEventBus, topic: sns.ITopic, runbook: str
    ) -> None:
        super().__init__(scope, construct_id)
        self._bus, self._topic = bus, topic
        # That the policy is invalid is one message, not one for each handshake that waits.
        by_itself: list[Any] = [{"anything-but": ["POLICY_INVALID"]}, {"exists": False}]
        self._tell(
            "NeedsPerson",
            "Decisions that want a person, and mistakes in a policy",
            _told([kind.value for kind in DetailType], {"needs_person": [True], "decision": by_itself}),
            _DECISION,
        )
        waits = {"needs_person": [False], "decision": ["ACCEPT", "DECLINE"], "reasons": {"code": [EXPIRES_SOON]}}
        self._tell(
            "ExpiresSoon",
            "Allowed handshakes that AWS makes wait, and that soon expire",
            _told([DetailType.DECISION.value], waits),
            _DECISION,
        )
        self._tell(
            "AlarmRings",
            "Alarms of the accounts that ring",
            _alarm({"state": {"value": ["ALARM"]}}),
            "Account <account>: the alarm <alarm> rings since <since>: <reason> What to do: run handshakectl doctor in"
            f" that account, and read what {runbook} says under the alarm's name.",
        )
        self._tell(
            "AlarmIsOver",
            "Alarms of the accounts that are over",
            _alarm({"state": {"value": ["OK"]}, "previousState": {"value": ["ALARM"]}}),
            "Account <account>: the alarm <alarm> is over since <since>; nothing is left to do.",
        )

    def _tell(self, name: str, description: str, pattern: dict[str, Any], sentence: str) -> None:
        used = {name: path for name, path in _PATHS.items() if f"<{name}>" in sentence}
        transformer = events.CfnRule.InputTransformerProperty(
            # A template is JSON, and a text in it is what stands between quotes. Values are put in as they are: none of
            # ours has a quote, see `plain_line` in handshake_acceptor.reporting.record.
            input_paths_map=used,
            input_template=f'"{sentence}"',
        )
        target = events.CfnRule.TargetProperty(id="Topic", arn=self._topic.topic_arn, input_transformer=transformer)
        events.CfnRule(
            self,
            name,
            name=f"{HUB_BUS}-{name}",
            description=description,
            event_bus_name=self._bus.event_bus_name,
            event_pattern=pattern,
            targets=[target],
        )


_DECISION = "Account <account>, <time>: <summary>"
_PATHS = {
    "account": "$.account",
    "time": "$.time",
    "summary": "$.detail.summary",
    "alarm": "$.detail.alarmName",
    "since": "$.detail.state.timestamp",
    "reason": "$.detail.state.reason",
}


def _told(kinds: list[str], detail: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": [SOURCE], "detail-type": kinds, "detail": dict(detail)}


def _alarm(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": [ALARM_SOURCE], "detail-type": [ALARM_DETAIL_TYPE], "detail": dict(detail)}
