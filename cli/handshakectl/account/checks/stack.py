"""The checks that acceptor, relay and hub have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handshakectl.account.checks.finding import Unclear, Wrong
from handshakectl.account.checks.permissions import Refusal, refusals
from handshakectl.account.deployment import Deployment
from handshakectl.account.home import HOME
from handshakectl.output import plural

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_cloudtrail.type_defs import LookupAttributeTypeDef
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_SETTLED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})


class StackChecks:
    """The checks of what a stack deployed. Each answers with what is well, or raises."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed

    def region(self) -> str:
        """Whether Organizations' events appear in this region."""
        home = HOME.get(self._deployed.caller.partition)
        if home is None:
            text = f"the home region of partition {self._deployed.caller.partition} is not known here"
            raise Unclear(text, "see whether Organizations' events appear in this region")
        if self._deployed.aws.region != home:
            raise Wrong(f"{self._deployed.aws.region}, where Organizations' events do not appear", f"deploy in {home}")
        return f"{home}, the home region"

    def stack(self) -> str:
        """Whether the stack is deployed, and no deploy of it failed."""
        name, status = self._deployed.stack["StackName"], self._deployed.stack["StackStatus"]
        if status not in _SETTLED:
            raise Wrong(f"{name} is {status}", "look at the stack's events, then deploy again")
        return f"{name} is {status}"

    def function(self) -> str:
        """Whether the function can run."""
        found = self._deployed.function
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if state not in ("Active", "Inactive") or update != "Successful":
            raise Wrong(f"{self._deployed.name} is {state}, its last update {update}", "deploy again")
        return f"{self._deployed.name}, {found.get('Runtime', 'unknown runtime')}, {found.get('MemorySize', '?')} MB"

    def queue(self) -> str:
        """Whether no event failed for good."""
        url = self._output("FailureQueueUrl", "names no failure queue")
        sqs: SQSClient = self._deployed.aws.client("sqs")
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        count = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        name = url.rsplit("/", 1)[-1]
        if count:
            raise Wrong(f"{name} holds {count} failed events", "see the runbook on how to look and send again")
        return f"{name} is empty"

    def subscribers(self) -> str:
        """Whether anybody hears the alarms: somebody who confirmed is subscribed to their topic."""
        arn = self._output("AlarmTopicArn", "names no topic of alarms")
        alarms: CloudWatchClient = self._deployed.aws.client("cloudwatch")
        if not alarms.describe_alarms(AlarmNamePrefix=f"{self._deployed.name}-", MaxRecords=1)["MetricAlarms"]:
            return "no alarm is deployed, so that nobody is to hear any"
        return self._heard(arn)

    def _heard(self, topic_arn: str) -> str:
        """Whether somebody who confirmed is subscribed to a topic."""
        sns: SNSClient = self._deployed.aws.client("sns")
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        each = [one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]]
        # Until it is confirmed, and after it was deleted, a word stands in place of the ARN:
        # https://docs.aws.amazon.com/sns/latest/api/API_Subscription.html
        confirmed = sum(one.startswith("arn:") for one in each)
        name = topic_arn.rsplit(":", 1)[-1]
        if not confirmed:
            unconfirmed = f"; {plural(len(each), 'subscription')} not confirmed" if each else ""
            raise Wrong(f"nobody hears the topic {name}{unconfirmed}", "subscribe to it, and confirm")
        return f"{plural(confirmed, 'subscriber')} of {name}"

    def _rules_of(self, bus: str, otherwise: str) -> int:
        """How many rules on a bus wake the function, none of them disabled."""
        rules = [(name, rule["State"]) for name, rule in self._deployed.rules_on(bus)]
        return self._enabled(bus, rules, f"wakes the function; {otherwise}")

    def _enabled(self, bus: str, rules: Sequence[tuple[str, str]], does: str) -> int:
        """How many rules on a bus there are, given as (name, state), none of them disabled; `does` is what for."""
        if not rules:
            raise Wrong(f"no rule on the bus {bus} {does}", "deploy again")
        for name, state in rules:
            if state == "DISABLED":
                advice = f"aws events enable-rule --name {name} --event-bus-name {bus}"
                raise Wrong(f"the rule {name} on the bus {bus} is disabled", advice)
        return len(rules)

    def _may(self, asked: dict[str, list[str]]) -> None:
        """Asks IAM whether the function's role may do each action on these resources."""
        if refused := [one for action, arns in asked.items() for one in self._refused(action, arns)]:
            raise Wrong(f"the function's role may not {_told(refused)}", refused[0].advice)

    def _refused(self, action: str, arns: list[str]) -> list[Refusal]:
        return refusals(self._deployed.aws.client("iam"), self._deployed.function["Role"], action, arns)

    def _output(self, name: str, lacks: str) -> str:
        """What the stack says of itself by this name. `lacks` says that it does not."""
        found = self._deployed.outputs.get(name)
        if found is None:
            raise Wrong(f"the stack {self._deployed.stack['StackName']} {lacks}", "deploy again")
        return found

    def _queue_arn(self) -> str:
        return self._deployed.arn("sqs", f"{self._deployed.name}-failures")

    def _log_arn(self) -> str:
        return self._deployed.arn("logs", f"log-group:/aws/lambda/{self._deployed.name}:log-stream:any")

    def _calls(self, name: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
        """When each call of this name was made that AWS took, and its record; LookupEvents gives the newest first."""
        cloudtrail: CloudTrailClient = self._deployed.aws.client("cloudtrail")
        wanted: list[LookupAttributeTypeDef] = [{"AttributeKey": "EventName", "AttributeValue": name}]
        pages = cloudtrail.get_paginator("lookup_events")
        for page in pages.paginate(LookupAttributes=wanted, StartTime=since, EndTime=until):
            for event in page["Events"]:
                record = json.loads(event["CloudTrailEvent"])
                if "errorCode" not in record:
                    yield event["EventTime"], record

    def _has_trail(self) -> bool:
        """Whether a trail records here what is written; without one EventBridge is sent no records.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
        """
        cloudtrail: CloudTrailClient = self._deployed.aws.client("cloudtrail")
        for trail in cloudtrail.describe_trails()["trailList"]:
            arn = trail["TrailARN"]
            if cloudtrail.get_trail_status(Name=arn)["IsLogging"]:
                selectors: Any = cloudtrail.get_event_selectors(TrailName=arn)
                if _logs_writes(selectors):
                    return True
        return False


def _told(refused: Iterable[Refusal]) -> str:
    return ", ".join(dict.fromkeys(each.action for each in refused))


def _logs_writes(selectors: Any) -> bool:
    """Whether management events that write are logged, by selectors of either kind. Raises `KeyError` and the like.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
    """
    basic = selectors.get("EventSelectors") or ()
    advanced = selectors.get("AdvancedEventSelectors") or ()
    if any(each.get("IncludeManagementEvents") and each.get("ReadWriteType") != "ReadOnly" for each in basic):
        return True
    for each in advanced:
        fields = {field["Field"]: field for field in each["FieldSelectors"]}
        read_only = fields.get("readOnly", {}).get("Equals", [])
        if "Management" in fields["eventCategory"].get("Equals", []) and read_only != ["true"]:
            return True
    return False
