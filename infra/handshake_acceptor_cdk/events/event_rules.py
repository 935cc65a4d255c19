"""The rules: which events wake the function, and how little of each it is given."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor_cdk.names import RECORD_DETAIL_TYPE, RECORD_SOURCE
from handshake_relay import hint

# Also says that it is there: an input transformer's variable without a value leaves a hole in the JSON.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
HANDSHAKE_ID = events.Match.prefix("h-")

RECORD: dict[str, Any] = {
    "source": [RECORD_SOURCE],
    "detail_type": [RECORD_DETAIL_TYPE],
    "detail": {
        "eventSource": ["organizations.amazonaws.com"],
        "eventName": list(hint.CREATES_HANDSHAKE),
        "errorCode": events.Match.does_not_exist(),
        "responseElements": {"handshake": {"id": HANDSHAKE_ID}},
    },
}
_OWN_CALL_INPUT = {"event_name": "$.detail.eventName"}
_RECORD_INPUT = _OWN_CALL_INPUT | {"handshake_id": "$.detail.responseElements.handshake.id"}


class EventRules(Construct):
    """Four rules, one target.

    Every target passes on a few named fields and nothing else: records carry e-mail addresses and notes, and the
    event of a failed run is kept in a queue.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.IFunction,
        bus: events.IEventBus,
        failures: sqs.IQueue,
        prefix: str,
    ) -> None:
        super().__init__(scope, construct_id)
        hints = {"source": [hint.SOURCE], "detail_type": [hint.DETAIL_TYPE], "detail": {"handshake_id": HANDSHAKE_ID}}
        changes = {
            "source": ["aws.ssm"],
            "detail_type": ["Parameter Store Change"],
            "detail": {"name": events.Match.prefix(prefix)},
        }
        of_detail_type = {"event_name": "$.detail-type"}
        for name, description, its_bus, pattern, paths in (
            # Organizations records an invitation in the account that sends it, so that this rule sees only what the
            # account itself does as a management account: it costs nothing. It passes no handshake id, for what the
            # account invites is not its own to answer, and a run fails that is hinted at what the account does not see.
            ("Record", "Handshakes that this account's own calls create", None, RECORD, _OWN_CALL_INPUT),
            ("ForwardedRecord", "Records that a management account forwards", bus, RECORD, _RECORD_INPUT),
            (
                "Hint",
                "Hints that a management account's relay sends",
                bus,
                hints,
                of_detail_type | {"handshake_id": "$.detail.handshake_id"},
            ),
            (
                "PolicyChange",
                "Changes of the policy and the mode",
                None,
                changes,
                of_detail_type | {"parameter_name": "$.detail.name"},
            ),
        ):
            EventRule(
                self,
                name,
                description=description,
                pattern=pattern,
                paths=paths,
                function=function,
                # What the queue would be given is the event as it came, as far as AWS's documentation tells, and a
                # record has e-mail addresses in it. One that is lost is found by the sweep.
                undelivered=None if pattern is RECORD else failures,
                bus=its_bus,
            )


class EventRule(events.Rule):
    """Wakes a function for what matches `pattern`, and passes on what stands at `paths` of it, and nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        pattern: dict[str, Any],
        paths: dict[str, str],
        function: lambda_.IFunction,
        undelivered: sqs.IQueue | None = None,
        bus: events.IEventBus | None = None,
    ) -> None:
        passed = {"source": "$.source", "time": "$.time"} | paths
        fields = {key: events.EventField.from_path(path) for key, path in passed.items()}
        super().__init__(
            scope,
            construct_id,
            description=description,
            event_bus=bus,
            event_pattern=events.EventPattern(**pattern),
            targets=[
                targets.LambdaFunction(
                    function,
                    event=events.RuleTargetInput.from_object(fields),
                    dead_letter_queue=undelivered,
                    # The sweep has long seen what could not be delivered by then.
                    max_event_age=Duration.hours(1),
                    retry_attempts=10,
                )
            ],
        )
