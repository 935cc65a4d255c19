"""Buses keep their policies; events reach other accounts' buses, if their policies admit them; alarms tell changes."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.adapters.ministack.hooks import Ministack
from local.adapters.ministack.iam import admits


def keep_bus_policies(handlers: dict[str, Callable[..., Any]], eventbridge: Any) -> None:
    """CloudFormation's property `Policy` of a bus, which ministack drops.

    Where an update has none any more, the old one stays, as in `updatePolicy` of AWS's own handler
    (https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-events, `UpdateHandler`).
    """

    def keeping(operation: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
        def keep(*arguments: Any) -> Any:
            done = operation(*arguments)
            if policy := arguments[properties_at].get("Policy"):
                eventbridge._event_bus_policies[done[0]] = policy
            return done

        return keep

    delete = handlers["delete"]

    def forget(physical_id: str, properties: dict[str, Any]) -> None:
        delete(physical_id, properties)
        eventbridge._event_bus_policies.pop(physical_id, None)

    handlers |= {
        "create": keeping(handlers["create"], 1),
        "update": keeping(handlers["update"], 2),
        "delete": forget,
    }


def tell(eventbridge: Any, source: str, detail_type: str, detail: dict[str, Any], *resources: str) -> None:
    """Puts an event of AWS itself on the account's default bus."""
    event = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)


def tell_parameter_change(eventbridge: Any, operation: str, parameter: dict[str, Any]) -> None:
    """As Parameter Store does; best effort there, at once here."""
    detail = {"operation": operation, "name": parameter["Name"], "type": parameter["Type"]}
    tell(eventbridge, "aws.ssm", "Parameter Store Change", detail, parameter["ARN"])


def put_one_by_one(
    eventbridge: Any, concerns: Callable[[dict[str, Any]], object], put: Callable[..., dict[str, Any]]
) -> Callable[..., Any]:
    """Has `put` answer for each entry of a PutEvents of which some entry concerns it; gives what answered before."""
    put_all: Callable[..., Any] = eventbridge._put_events

    def put_events(data: dict[str, Any], **more: Any) -> Any:
        entries = data.get("Entries", [])
        if len(entries) > 10 or not any(map(concerns, entries)):
            return put_all(data, **more)
        answers = [put(entry, **more) for entry in entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        return eventbridge.json_response({"FailedEntryCount": failed, "Entries": answers})

    eventbridge._put_events = put_events
    return put_all


_FOREIGN_BUS = re.compile(r"arn:aws:events:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):event-bus/(?P<name>.+)")


def reach_other_accounts_buses(aws: Ministack) -> None:
    """What the sender's own identity may do is checked before; here the receiving bus decides, as its policy says.

    A put on a bus that is not there succeeds, and nothing comes of it, as users of AWS found for their own account
    (https://github.com/aws/aws-cli/issues/9186); for another one it is not documented. One without a policy admits
    nobody. An event keeps the account that it comes from, and one that came from another account is not sent on to a
    third. Whether a rule's role may put events is not looked at.
    """
    eventbridge, responses = aws["eventbridge"], aws["responses"]
    dispatch_own = eventbridge._dispatch_to_event_bus

    def deliver(arn: re.Match[str], event: dict[str, Any]) -> bool:
        """Puts an event on a bus of another account, if that admits it."""
        policy = eventbridge._event_bus_policies.get_scoped(arn["account"], arn["region"], arn["name"])
        keys = {"events:source": event["Source"], "events:detail-type": event["DetailType"]}
        if not admits(aws, policy, "events:PutEvents", arn[0], keys):
            return False
        with responses.request_scope(arn["account"], arn["region"]):
            eventbridge._dispatch_event(event | {"EventBusName": arn["name"], "Region": arn["region"]})
        return True

    def foreign_bus(entry: dict[str, Any]) -> re.Match[str] | None:
        return _FOREIGN_BUS.fullmatch(str(entry.get("EventBusName")))

    def put(entry: dict[str, Any], **more: Any) -> Any:
        arn = foreign_bus(entry)
        if arn is None or arn["account"] == responses.get_account_id():
            return json.loads(put_own({"Entries": [entry]}, **more)[2])["Entries"][0]
        if str(entry.get("Source")).startswith("aws."):
            return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
        event_id = f"{time.time_ns():032x}"
        envelope = {"EventId": event_id, "Time": eventbridge._now_ts(), "Account": responses.get_account_id()}
        event = {"Source": "", "DetailType": "", "Detail": "{}", "Resources": []} | entry | envelope
        there = eventbridge._event_buses.get_scoped(arn["account"], arn["region"], arn["name"]) is not None
        if not there or deliver(arn, event):
            return {"EventId": event_id}
        message = f"{arn[0]} does not admit it, because no resource-based policy allows the events:PutEvents action"
        return {"ErrorCode": "AccessDeniedException", "ErrorMessage": message}

    def dispatch(spec: Any, event: dict[str, Any], rule: dict[str, Any], *rest: Any) -> None:
        arn = _FOREIGN_BUS.fullmatch(str(spec))
        if arn is None or arn["account"] == responses.get_account_id():
            dispatch_own(spec, event, rule, *rest)
        elif event["Account"] == responses.get_account_id():
            deliver(arn, event)

    put_own = put_one_by_one(eventbridge, foreign_bus, put)
    eventbridge._dispatch_to_event_bus = dispatch


def tell_alarm_changes(cloudwatch: Any, eventbridge: Any) -> None:
    """An alarm that changes its state says so on its account's default bus, as `events-ref-cloudwatch.html` has it."""
    record_history = cloudwatch._record_history

    def record(name: str, before: str, now: str, reason: str, *rest: Any, **more: Any) -> None:
        record_history(name, before, now, reason, *rest, **more)
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000+0000}"
        detail = {
            "alarmName": name,
            "state": {"value": now, "reason": reason, "timestamp": at},
            "previousState": {"value": before},
        }
        tell(eventbridge, "aws.cloudwatch", "CloudWatch Alarm State Change", detail)

    cloudwatch._record_history = record
