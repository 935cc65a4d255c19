"""The checks of `doctor`, each with what it saw and what to do about it. They only read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice, product
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handshake_acceptor.policy.decide import Effect, InvalidPolicy, Policy
from handshake_acceptor.policy.documents import Mode
from handshake_core import retry
from handshakectl.account.deployment import Deployment, is_look
from handshakectl.account.home import HOME
from handshakectl.account.session import Aws, Caller
from handshakectl.account.waiting import nobody_allows
from handshakectl.failures import error_code, explained
from handshakectl.names import NAME
from handshakectl.output import plural
from handshakectl.policy.mistakes import first_of

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_cloudtrail.type_defs import LookupAttributeTypeDef
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sqs import SQSClient

_SETTLED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
_ABSENT = (
    "ResourceNotFoundException",
    "ResourceNotFound",
    "ValidationError",  # what CloudFormation says of a stack that is not there
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchEntity",
)
_MOST_ORIGINS = 50  # allowed origins whose permission is asked about
_LOOKED_BACK = timedelta(days=7)


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WRONG = "wrong"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer, for a line of its own."""

    check: str
    verdict: Verdict
    why: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {"check": self.check, "verdict": self.verdict.value, "why": self.why, "advice": self.advice}


class _Wrong(Exception):
    """A check that found something wrong: why, and what to do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.why, self.advice = why, advice


class _Unclear(_Wrong):
    """A check that could not be made: why, and what to do."""


def not_entered(why: str) -> Finding:
    """An account of which nothing could be seen."""
    return Finding("account", Verdict.CANNOT_TELL, why, "see that the credentials may enter the account")


def examine(aws: Aws, caller: Caller, stack: str | None, prefix: str) -> list[Finding]:
    """All findings of an account."""
    check = Checks(Deployment(aws, caller, stack, prefix))
    checks: dict[str, Callable[[], str]] = {
        "region": check.region,
        "stack": check.stack,
        "function": check.function,
        "rules": check.rules,
        "schedule": check.schedule,
        "policy": check.policy,
        "permissions": check.permissions,
        "queue": check.queue,
        "last run": check.last_run,
        "answers": check.answers,
    }
    return [finding(name, check) for name, check in checks.items()]


def finding(name: str, check: Callable[[], str]) -> Finding:
    """What a check came to."""
    try:
        return Finding(name, Verdict.OK, check())
    except _Unclear as error:
        return Finding(name, Verdict.CANNOT_TELL, error.why, error.advice)
    except _Wrong as error:
        return Finding(name, Verdict.WRONG, error.why, error.advice)
    except ClientError as error:
        if error_code(error) in _ABSENT:
            return Finding(name, Verdict.WRONG, f"it is not there ({error.operation_name})", "deploy: cdk deploy")
        return Finding(name, Verdict.CANNOT_TELL, explained(error), "ask with credentials that may read it")
    except retry.READ_FAILURES as error:
        return Finding(name, Verdict.CANNOT_TELL, explained(error), "check region and network, then try again")


class Checks:
    """The checks of what is deployed in an account. Each answers with what is well, or raises."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed

    def region(self) -> str:
        """Whether Organizations' events appear in this region."""
        home = HOME.get(self._deployed.caller.partition)
        if home is None:
            text = f"the home region of partition {self._deployed.caller.partition} is not known here"
            raise _Unclear(text, "see whether Organizations' events appear in this region")
        if self._deployed.aws.region != home:
            raise _Wrong(f"{self._deployed.aws.region}, where Organizations' events do not appear", f"deploy in {home}")
        return f"{home}, the home region"

    def stack(self) -> str:
        """Whether the stack is deployed, no deploy of it failed, and its policy is at the prefix asked about."""
        name, status = self._deployed.stack["StackName"], self._deployed.stack["StackStatus"]
        if status not in _SETTLED:
            raise _Wrong(f"{name} is {status}", "look at the stack's events, then deploy again")
        mode = self._outputs.get("ModeParameterName", "")
        path = mode.removesuffix("mode")
        if mode and path != self._deployed.prefix:
            # What is at the prefix asked about may be what an earlier deploy left behind.
            raise _Wrong(f"{name} has its policy at {path}", f"ask with --prefix {path}")
        return f"{name} is {status}"

    def function(self) -> str:
        """Whether the function can run, reads this policy, and ends before the next sweep."""
        found = self._deployed.function
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if state not in ("Active", "Inactive") or update != "Successful":
            raise _Wrong(f"{NAME} is {state}, its last update {update}", "deploy again")
        variables = found.get("Environment", {}).get("Variables", {})
        path = variables.get("POLICY_PATH", self._deployed.prefix)
        if path != self._deployed.prefix:
            raise _Wrong(f"{NAME} reads its policy from {path}", f"ask with --prefix {path}")
        period, timeout = self._deployed.period, timedelta(seconds=found.get("Timeout", 0))
        if timeout >= period:
            raise _Wrong(f"its timeout, {timeout}, is not shorter than a sweep's period, {period}", "deploy again")
        return f"{NAME}, {found.get('Runtime', 'unknown runtime')}, {found.get('MemorySize', '?')} MB"

    def rules(self) -> str:
        """Whether rules on both buses wake the function, and none of them is disabled."""
        events: EventBridgeClient = self._deployed.aws.client("events")
        arn = self._deployed.function["FunctionArn"]
        counted = []
        for bus in ("default", NAME):
            names = events.list_rule_names_by_target(TargetArn=arn, EventBusName=bus)["RuleNames"]
            if not names:
                raise _Wrong(f"no rule on the bus {bus} wakes the function; only the sweep does", "deploy again")
            for name in names:
                if events.describe_rule(Name=name, EventBusName=bus)["State"] == "DISABLED":
                    advice = f"aws events enable-rule --name {name} --event-bus-name {bus}"
                    raise _Wrong(f"the rule {name} on the bus {bus} is disabled", advice)
            counted.append(f"{len(names)} on {bus}")
        return f"enabled: {', '.join(counted)}"

    def schedule(self) -> str:
        """Whether the sweep is enabled and wakes the function."""
        found = self._deployed.schedule
        if found["State"] != "ENABLED":
            raise _Wrong("the sweep is disabled, so handshakes by e-mail are never found", "enable it in Scheduler")
        if found["Target"]["Arn"] != self._deployed.function["FunctionArn"]:
            raise _Wrong(f"the sweep does not wake the function {NAME}", "deploy again")
        return f"{NAME}-sweep, {found['ScheduleExpression']}"

    def policy(self) -> str:
        """Whether the policy is valid and in force."""
        policy, mode = self._deployed.snapshot.policy, self._deployed.snapshot.mode
        if isinstance(policy, InvalidPolicy):
            raise _Wrong(f"invalid: {first_of(policy)}", "correct it: handshakectl pull, validate, push")
        if mode is not Mode.ENFORCE:
            advice = (
                f"aws ssm put-parameter --name {self._deployed.prefix}mode --value enforce --type String --overwrite"
            )
            raise _Wrong("valid, but the mode is observe: nothing is accepted", advice)
        allows = sum(statement.effect is Effect.ALLOW for statement in policy.statements)
        return f"valid, {allows} Allow, mode enforce, version {policy.version}"

    def permissions(self) -> str:
        """Asks IAM what the function's role may do; service control policies are only partly in its answer."""
        role = self._deployed.function["Role"]
        caller, region = self._deployed.caller, self._deployed.aws.region
        path = f"arn:{caller.partition}:ssm:{region}:{caller.account_id}:parameter{self._deployed.prefix.rstrip('/')}"
        asked = {
            "organizations:ListHandshakesForAccount": ["*"],
            "organizations:DescribeOrganization": ["*"],
            "ssm:GetParametersByPath": [path],
        }
        for action, resources in asked.items():
            if self._refused(role, action, resources):
                raise _Wrong(f"the function's role may not {action}", "deploy again, or look for what denies it")
        policy = self._deployed.snapshot.policy
        arns = [] if isinstance(policy, InvalidPolicy) else list(islice(self._allowed(policy), _MOST_ORIGINS))
        if arns and (refused := self._refused(role, "organizations:AcceptHandshake", arns)):
            why = f"the policy allows {len(refused)} of {len(arns)} origins that the role may not accept: {refused[0]}"
            raise _Wrong(why, "add them to the setting origins and deploy, or take them out of the policy")
        return f"the role may list, read the policy, and accept what it allows ({plural(len(arns), 'origin')})"

    def queue(self) -> str:
        """Whether no event failed for good."""
        url = self._outputs.get("FailureQueueUrl")
        if url is None:
            raise _Wrong(f"the stack {self._deployed.stack['StackName']} names no failure queue", "deploy again")
        sqs: SQSClient = self._deployed.aws.client("sqs")
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        count = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        name = url.rsplit("/", 1)[-1]
        if count:
            raise _Wrong(f"{name} holds {count} failed events", "see the runbook on how to look and send again")
        return f"{name} is empty"

    def last_run(self) -> str:
        """Whether the function ran within two sweeps, and that run did not fail."""
        run, since = self._deployed.last_run, self._deployed.two_sweeps_ago
        if run is None:
            advice = "look at the schedule and at the function's errors; handshakectl run wakes it now"
            raise _Wrong(f"none since {since.isoformat(timespec='seconds')}, two sweeps ago", advice)
        time, record = run
        at = time.isoformat(timespec="seconds")
        if record.get("failures"):
            raise _Wrong(f"at {at} it failed: {', '.join(map(str, record['failures']))}", "see the runbook")
        if not is_look(record):
            seen = record.get("last_look") or "none yet"
            return f"at {at}, without a look, for its organization's lists are throttled; last look: {seen}"
        return f"at {at}, {plural(record.get('decisions', 0), 'decision')}"

    def pending(self) -> str:
        """Whether every handshake that waits is allowed or denied by some statement."""
        view = self._deployed.pending
        if nobody := nobody_allows(view):
            text = f"{plural(nobody, 'handshake')} that no statement allows or denies"
            raise _Wrong(text, "handshakectl pending says why; allow or deny what waits")
        return f"{plural(len(view.handshakes), 'handshake')}, each allowed or denied"

    def answers(self) -> str:
        """Whether only the function answered handshakes. CloudTrail's event history knows it without a trail.

        It is kept for 90 days: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
        """
        others = sorted(self._answered_by_others(datetime.now(UTC) - _LOOKED_BACK))
        if others:
            time, handshake_id = others[-1]
            why = f"somebody else answered {plural(len(others), 'handshake')}; last {handshake_id}, at {time}"
            raise _Wrong(why, "see the runbook, somebody-else-answered")
        alarm = "" if self._has_trail() else "; no trail here, so the alarm somebody-else-answered stays silent"
        return f"nobody but the function answered a handshake in {_LOOKED_BACK.days} days{alarm}"

    # What the checks look at

    def _answered_by_others(self, since: datetime) -> Iterator[tuple[str, str]]:
        """(when, handshake id) of every accept and decline whose caller was not the function's role."""
        cloudtrail: CloudTrailClient = self._deployed.aws.client("cloudtrail")
        pages = cloudtrail.get_paginator("lookup_events")
        for name in ("AcceptHandshake", "DeclineHandshake"):
            wanted: list[LookupAttributeTypeDef] = [{"AttributeKey": "EventName", "AttributeValue": name}]
            for page in pages.paginate(LookupAttributes=wanted, StartTime=since):
                for event in page["Events"]:
                    record = json.loads(event["CloudTrailEvent"])
                    session = record.get("userIdentity", {}).get("sessionContext", {})
                    refused = "errorCode" in record
                    if not refused and session.get("sessionIssuer", {}).get("arn") != self._deployed.function["Role"]:
                        asked = record.get("requestParameters") or {}
                        yield event["EventTime"].isoformat(timespec="seconds"), str(asked.get("handshakeId"))

    def _has_trail(self) -> bool:
        """Whether a trail records here; without one EventBridge is sent no records."""
        cloudtrail: CloudTrailClient = self._deployed.aws.client("cloudtrail")
        trails = cloudtrail.describe_trails()["trailList"]
        return any(cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails)

    @property
    def _outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self._deployed.stack.get("Outputs", [])}

    def _refused(self, role: str, action: str, resources: list[str]) -> list[str]:
        iam: IAMClient = self._deployed.aws.client("iam")
        pages = iam.get_paginator("simulate_principal_policy")
        return [
            result.get("EvalResourceName", action)
            for page in pages.paginate(PolicySourceArn=role, ActionNames=[action], ResourceArns=resources)
            for result in page["EvaluationResults"]
            if result["EvalDecision"] != "allowed"
        ]

    def _allowed(self, policy: Policy) -> Iterator[str]:
        """A handshake's ARN for each origin and action that the policy allows."""
        for statement in policy.statements:
            if statement.effect is Effect.ALLOW:
                for account, organization, action in product(
                    sorted(statement.management_account_ids),
                    sorted(statement.organization_ids),
                    sorted(statement.actions),
                ):
                    base = f"arn:{self._deployed.caller.partition}:organizations::{account}:handshake"
                    yield f"{base}/{organization}/{action.lower()}/h-0000000000"
