"""One embedded AWS with one real deploy, shared by every end-to-end test; each test starts with an empty world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.aws import FUNCTION, EmbeddedAws, embedded_aws
from tests.support.origins import ALLOWED, BEYOND, DENIED, MEMBER, PREFIX, Origin


@dataclass(frozen=True, slots=True)
class Acceptor:
    """The deployed acceptor, as its owner and its senders see it."""

    aws: EmbeddedAws
    outputs: dict[str, str]

    def begin(self) -> None:
        """An empty world, no policy, mode enforce, and nothing that runs by itself until a test wakes it."""
        self.wake_on_policy_changes(False)
        self.stop_the_sweep()
        self.aws.admin.reset()
        for origin in (ALLOWED, DENIED, BEYOND):
            self.aws.admin.add_organization(
                organization_id=origin.organization_id, management_account_id=origin.management_account_id
            )
        self.aws.admin.register_account(account_id=MEMBER, email="mary@example.com")
        ssm = self.client("ssm")
        for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=PREFIX, Recursive=True):
            for parameter in page["Parameters"]:
                ssm.delete_parameter(Name=parameter["Name"])
        self.put("mode", "enforce")
        sqs = self.client("sqs")
        sqs.purge_queue(QueueUrl=self.outputs["FailureQueueUrl"])

    def wake_on_policy_changes(self, wake: bool = True) -> None:
        """Turns the rule on or off: a test that calls the function itself wants no second run beside its own."""
        events = self.client("events")
        [rule] = [rule["Name"] for rule in events.list_rules()["Rules"] if "aws.ssm" in rule["EventPattern"]]
        (events.enable_rule if wake else events.disable_rule)(Name=rule)

    def stop_the_sweep(self) -> None:
        """Turns the schedule off, which the embedded AWS keeps to: `sweep_now` runs its target all the same."""
        self._schedule("DISABLED")

    def start_the_sweep(self) -> None:
        """Turns the schedule on again, whose first time is minutes away."""
        self._schedule("ENABLED")

    def _schedule(self, state: str) -> None:
        scheduler = self.client("scheduler")
        schedule = scheduler.get_schedule(Name=f"{FUNCTION}-sweep", GroupName=FUNCTION)
        if schedule["State"] != state:
            kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
            scheduler.update_schedule(State=state, **{name: schedule[name] for name in kept})

    def client(self, service: str, account_id: str = MEMBER) -> Any:
        return self.aws.client(service, account_id)

    def put(self, name: str, value: str) -> None:
        self.client("ssm").put_parameter(Name=f"{PREFIX}{name}", Value=value, Type="String", Overwrite=True)

    def allow(self, *origins: Origin) -> None:
        statements = [
            {
                "Sid": f"Join{number}",
                "Effect": "Allow",
                "Action": "INVITE",
                "Origin": {
                    "OrganizationId": origin.organization_id,
                    "ManagementAccountId": origin.management_account_id,
                },
            }
            for number, origin in enumerate(origins)
        ]
        self.put("policy/allowlist", json.dumps({"Version": "2026-01-01", "Statement": statements}))

    def invite(self, origin: Origin = ALLOWED, target: str = MEMBER) -> str:
        kind = "EMAIL" if "@" in target else "ACCOUNT"
        organizations = self.client("organizations", origin.management_account_id)
        answer = organizations.invite_account_to_organization(
            Target={"Type": kind, "Id": target}, Notes="for mary@example.com"
        )
        handshake_id: str = answer["Handshake"]["Id"]
        return handshake_id

    def invoke(self, event: Any = None) -> tuple[bool, dict[str, Any]]:
        """Whether the run failed, and what the function answered."""
        payload = json.dumps({"source": "handshake-acceptor.manual"} if event is None else event)
        answer = self.client("lambda").invoke(FunctionName=FUNCTION, Payload=payload)
        return "FunctionError" in answer, json.loads(answer["Payload"].read())

    def decisions(self, event: Any = None) -> list[tuple[str, str, str]]:
        """(handshake id, decision, outcome) of a run that must not fail."""
        failed, answer = self.invoke(event)
        assert not failed, answer
        return [(each["handshake_id"], each["decision"], each["outcome"]) for each in answer["decisions"]]

    def handshake(self, handshake_id: str) -> dict[str, Any]:
        """The handshake as the service has it, whoever says what about it."""
        found: dict[str, Any] = next(each for each in self.aws.admin.snapshot() if each["id"] == handshake_id)
        return found

    def recorded(self, handshake_id: str) -> list[dict[str, Any]]:
        """The decision records about a handshake in the function's log."""
        return [each for each in self.aws.log_records(MEMBER) if each["handshake_id"] == handshake_id]

    def failed_messages(self) -> list[str]:
        answer = self.client("sqs").receive_message(
            QueueUrl=self.outputs["FailureQueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=0
        )
        return [message["Body"] for message in answer.get("Messages", ())]


@pytest.fixture(scope="session")
def deployed() -> Iterator[Acceptor]:
    with embedded_aws() as aws:
        aws.bootstrap(MEMBER)
        yield Acceptor(aws, aws.deploy(MEMBER))


@pytest.fixture
def acceptor(deployed: Acceptor) -> Acceptor:
    deployed.begin()
    return deployed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)
