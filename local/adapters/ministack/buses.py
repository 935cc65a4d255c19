"""Buses keep their policies, and PutEvents reaches another account's bus if its policy admits the caller."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

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


_FOREIGN_BUS = re.compile(r"arn:aws:events:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):event-bus/(?P<name>.+)")


def reach_other_accounts_buses(aws: Ministack) -> None:
    """What the sender's own identity may do is checked before; here the receiving bus decides, as its policy says.

    A put on a bus that is not there succeeds, and nothing comes of it, as users of AWS found for their own account
    (https://github.com/aws/aws-cli/issues/9186); for another one it is not documented. One without a policy admits
    nobody.
    """
    eventbridge, responses = aws["eventbridge"], aws["responses"]
    put_own = eventbridge._put_events

    def put(entry: dict[str, Any], **more: Any) -> Any:
        bus = _FOREIGN_BUS.fullmatch(str(entry.get("EventBusName")))
        if bus is None or bus["account"] == responses.get_account_id():
            return put_own({"Entries": [entry]}, **more)
        if eventbridge._event_buses.get_scoped(bus["account"], bus["region"], bus["name"]) is None:
            return None, None, json.dumps({"Entries": [{"EventId": str(uuid4())}]})
        policy = eventbridge._event_bus_policies.get_scoped(bus["account"], bus["region"], bus["name"])
        keys = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
        if str(entry.get("Source")).startswith("aws.") or admits(aws, policy, "events:PutEvents", bus[0], keys):
            with responses.request_scope(bus["account"], bus["region"]):
                return put_own({"Entries": [entry | {"EventBusName": bus["name"]}]}, **more)
        message = f"{bus[0]} does not admit it, because no resource-based policy allows the events:PutEvents action"
        return None, None, json.dumps({"Entries": [{"ErrorCode": "AccessDeniedException", "ErrorMessage": message}]})

    def put_events(data: dict[str, Any], **more: Any) -> Any:
        entries = data.get("Entries", [])
        if len(entries) > 10 or not any(_FOREIGN_BUS.fullmatch(str(each.get("EventBusName"))) for each in entries):
            return put_own(data, **more)
        answers = [json.loads(put(entry, **more)[2])["Entries"][0] for entry in entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        body = json.dumps({"FailedEntryCount": failed, "Entries": answers}).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, body

    eventbridge._put_events = put_events
