"""What is checked of an acceptor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from typing import TYPE_CHECKING

from handshake_acceptor.policy.decide import NONE, Effect, InvalidPolicy, Policy, Statement
from handshake_acceptor.policy.documents import Mode
from handshake_core.handshake import Action
from handshakectl.account.checks.finding import Wrong
from handshakectl.account.checks.stack import StackChecks
from handshakectl.account.deployment import is_look
from handshakectl.failures import attempt
from handshakectl.names import NAME
from handshakectl.output import plural
from handshakectl.policy.deployed_ceiling import as_list, deployed_ceiling
from handshakectl.policy.mistakes import first_of

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_MOST_ORIGINS = 50  # allowed origins whose permission is asked about
_LOOKED_BACK = timedelta(days=7)


class AcceptorChecks(StackChecks):
    """The checks of what is deployed in an account that waits for invitations."""

    def all(self) -> dict[str, Callable[[], str]]:
        """Each check by its name, in the order in which they are told."""
        return {
            "region": self.region,
            "stack": self.stack,
            "function": self.function,
            "rules": self.rules,
            "hints": self.hints,
            "schedule": self.schedule,
            "policy": self.policy,
            "permissions": self.permissions,
            "ceiling": self.ceiling,
            "queue": self.queue,
            "subscribers": self.subscribers,
            "last run": self.last_run,
            "answers": self.answers,
        }

    def stack(self) -> str:
        """Whether the stack is deployed, no deploy of it failed, and its policy is at the prefix asked about."""
        well = super().stack()
        mode = self._deployed.outputs.get("ModeParameterName", "")
        path = mode.removesuffix("mode")
        if mode and path != self._deployed.prefix:
            # What is at the prefix asked about may be what an earlier deploy left behind.
            name = self._deployed.stack["StackName"]
            raise Wrong(f"{name} has its policy at {path}", f"ask with --prefix {path}")
        return well

    def function(self) -> str:
        """Whether the function can run, reads this policy, and ends before the next sweep."""
        well, found = super().function(), self._deployed.function
        variables = found.get("Environment", {}).get("Variables", {})
        path = variables.get("POLICY_PATH", self._deployed.prefix)
        if path != self._deployed.prefix:
            raise Wrong(f"{NAME} reads its policy from {path}", f"ask with --prefix {path}")
        period, timeout = self._deployed.period, timedelta(seconds=found.get("Timeout", 0))
        if timeout >= period:
            raise Wrong(f"its timeout, {timeout}, is not shorter than a sweep's period, {period}", "deploy again")
        return well

    def rules(self) -> str:
        """Whether rules on both buses wake the function, and none of them is disabled."""
        counted = [f"{self._rules_of(bus, 'only the sweep does')} on {bus}" for bus in ("default", NAME)]
        return f"enabled: {', '.join(counted)}"

    def hints(self) -> str:
        """Whether those who may be accepted from may send hints, and nobody else."""
        admitted = admitted_accounts(self._deployed.bus_policy or "{}")
        admitted -= {self._deployed.caller.account_id}
        came = f"last hint {_at(self._deployed.last_hint)}" if self._deployed.last_hint else "no hint in seven days"
        if not admitted:
            return f"nobody may send any: the sweep alone finds invitations; {came}"
        ceiling = deployed_ceiling(self._deployed.aws.client("iam"))
        if ceiling is None:
            return f"from {', '.join(sorted(admitted))}; {came}"
        origins = {account for origin in ceiling.origins for account in origin.management_account_ids}
        if deaf := sorted(origins - admitted):
            raise Wrong(f"{deaf[0]} is an origin and may send no hint", "add it to managementAccounts, and deploy")
        if strange := sorted(admitted - origins):
            raise Wrong(f"{strange[0]} may send hints and is no origin", "make the two settings agree, and deploy")
        return f"from {', '.join(sorted(admitted))}; {came}"

    def schedule(self) -> str:
        """Whether the sweep is enabled and wakes the function."""
        found = self._deployed.schedule
        if found["State"] != "ENABLED":
            raise Wrong("the sweep is disabled, so handshakes by e-mail are never found", "enable it in Scheduler")
        if found["Target"]["Arn"] != self._deployed.function["FunctionArn"]:
            raise Wrong(f"the sweep does not wake the function {NAME}", "deploy again")
        return f"{NAME}-sweep, {found['ScheduleExpression']}"

    def policy(self) -> str:
        """Whether the policy is valid and in force."""
        policy, mode = self._deployed.snapshot.policy, self._deployed.snapshot.mode
        if isinstance(policy, InvalidPolicy):
            raise Wrong(f"invalid: {first_of(policy)}", "correct it: handshakectl pull, validate, push")
        if mode is not Mode.ENFORCE:
            raise Wrong("valid, but the mode is observe: nothing is accepted", "handshakectl brake off")
        return f"valid, {len(list(_allows(policy)))} Allow, mode enforce, version {policy.version}"

    def permissions(self) -> str:
        """Asks IAM whether the function's role may look, and tell what it did."""
        path = self._deployed.arn("ssm", f"parameter{self._deployed.prefix.rstrip('/')}")
        self._may(
            {
                "organizations:ListHandshakesForAccount": ["*"],
                "organizations:DescribeOrganization": ["*"],
                "ssm:GetParametersByPath": [path],
                "sqs:SendMessage": [self._queue_arn()],
                "logs:PutLogEvents": [self._log_arn()],
            }
        )
        return "the function's role may list, read the policy, and report"

    def ceiling(self) -> str:
        """Asks IAM whether the function's role may accept what the policy allows."""
        policy = self._deployed.snapshot.policy
        arns = [] if isinstance(policy, InvalidPolicy) else list(islice(self._allowed(policy), _MOST_ORIGINS))
        if arns and (refused := self._refused("organizations:AcceptHandshake", arns)):
            why = f"the policy allows {len(refused)} of {len(arns)} origins that the role may not accept"
            advice = "add them to the setting origins and deploy, or take them out of the policy"
            first = refused[0]
            raise Wrong(f"{why}: {first.resource}", first.advice if first.by_organization else advice)
        return f"the role may accept what the policy allows ({plural(len(arns), 'origin')})"

    def subscribers(self) -> str:
        """Whether anybody hears the alarms: here, or where a rule of the setting `decisionBus` sends them to."""
        try:
            return super().subscribers()
        except Wrong:
            events: EventBridgeClient = self._deployed.aws.client("events")
            rule = attempt(lambda: events.describe_rule(Name=f"{NAME}-tell-alarms"), "ResourceNotFoundException")
            if rule is None or rule["State"] == "DISABLED":
                raise
            return "nobody here; the hub is told what the alarms say"

    def last_run(self) -> str:
        """Whether the function ran within two sweeps, and that run did not fail."""
        run, since = self._deployed.last_run, self._deployed.two_sweeps_ago
        if run is None:
            advice = "look at the schedule and at the function's errors; handshakectl run wakes it now"
            raise Wrong(f"none since {_at(since)}, two sweeps ago", advice)
        time, record = run
        if record.get("failures"):
            raise Wrong(f"at {_at(time)} it failed: {', '.join(map(str, record['failures']))}", "see the runbook")
        if not is_look(record):
            seen = record.get("last_look") or "none yet"
            return f"at {_at(time)}, without a look, for its organization's lists are throttled; last look: {seen}"
        return f"at {_at(time)}, {plural(record.get('decisions', 0), 'decision')}"

    def answers(self) -> str:
        """Whether only the function answered handshakes. CloudTrail's event history knows it without a trail.

        It is kept for 90 days: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
        """
        now = datetime.now(UTC)
        others = sorted(self._answered_by_others(now - _LOOKED_BACK, now))
        if others:
            time, handshake_id = others[-1]
            why = f"somebody else answered {plural(len(others), 'handshake')}; last {handshake_id}, at {time}"
            raise Wrong(why, "see the runbook, somebody-else-answered")
        alarm = "" if self._has_trail() else "; no trail here, so the alarm somebody-else-answered stays silent"
        return f"nobody but the function answered a handshake in {_LOOKED_BACK.days} days{alarm}"

    def organization(self, current: str) -> str:
        """Whether the account is in this organization, or in `NONE`, and the policy lets it be invited from there."""
        account = self._deployed.account
        if account.organization != current:
            raise Wrong(f"the account is in {account.organization}, not in {current}", "leave it out of this wave")
        policy = self._deployed.snapshot.policy
        if not isinstance(policy, InvalidPolicy) and not any(_reaches(each, current) for each in _allows(policy)):
            raise Wrong(f"in {current}, and no Allow is for an INVITE of an account there", "push the policy first")
        return f"in {current}, and invitations may be accepted from there"

    # What the checks look at

    def _answered_by_others(self, since: datetime, until: datetime) -> Iterator[tuple[str, str]]:
        """(when, handshake id) of every accept and decline whose caller was not the function's role."""
        for name in ("AcceptHandshake", "DeclineHandshake"):
            for time, record in self._calls(name, since, until):
                session = record.get("userIdentity", {}).get("sessionContext", {})
                if session.get("sessionIssuer", {}).get("arn") != self._deployed.function["Role"]:
                    yield _at(time), str((record.get("requestParameters") or {}).get("handshakeId"))

    def _allowed(self, policy: Policy) -> Iterator[str]:
        """A handshake's ARN for each origin and action that the policy allows."""
        for statement in _allows(policy):
            for account, organization, action in product(
                sorted(statement.management_account_ids),
                sorted(statement.organization_ids),
                sorted(statement.actions),
            ):
                base = f"arn:{self._deployed.caller.partition}:organizations::{account}:handshake"
                yield f"{base}/{organization}/{action.lower()}/h-0000000000"


def _allows(policy: Policy) -> Iterator[Statement]:
    return (each for each in policy.statements if each.effect is Effect.ALLOW)


def _reaches(statement: Statement, current: str) -> bool:
    """Whether an Allow is for invitations of an account that is in this organization, or in `NONE`."""
    return Action.INVITE in statement.actions and current in (statement.current_organizations or {NONE})


def admitted_accounts(policy: str) -> set[str]:
    """The accounts that a bus's policy admits. Raises `ValueError` and the like if it is none."""
    accounts: set[str] = set()
    for statement in json.loads(policy).get("Statement", ()):
        named = statement["Principal"]
        for each in as_list(named if isinstance(named, str) else named["AWS"]):
            accounts.add(each.split(":")[4] if each.startswith("arn:") else each)
    return accounts


def _at(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
