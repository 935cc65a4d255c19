"""`handshakectl verify` against the embedded AWS: green on the real stack, and red for lies planted in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any
from uuid import uuid4

import pytest

from handshake_relay import hint
from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws
from handshakectl.account.verification.everything import checks_of
from handshakectl.account.verification.proof import PERMISSIONS, Proof, proved
from handshakectl.account.verification.wakes import Patience
from local.aws import FUNCTION, REGION
from tests.e2e.conftest import Acceptor
from tests.support.origins import ALLOWED, MEMBER, PREFIX

STRANGER = "999999999999"


class Time:
    """Real time, and what was slept away of it; who sleeps brings the next sweep forward."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor, self._slept, self.sweeps = acceptor, timedelta(0), 0

    def now(self) -> datetime:
        return datetime.now(UTC) + self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += timedelta(seconds=seconds)
        sleep(min(seconds, 1.0))
        if self.sweeps == 0:
            self._acceptor.aws.sweep_now(MEMBER)
            self.sweeps += 1


@pytest.fixture
def operator(acceptor: Acceptor) -> Iterator[tuple[str, str]]:
    """The keys of somebody who may do what docs/verify.md prints, and nothing else."""
    iam, user = acceptor.client("iam"), {"UserName": "operator"}
    statement = {"Effect": "Allow", "Action": sorted(PERMISSIONS.values()), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(**user)
    iam.put_user_policy(**user, PolicyName="verify", PolicyDocument=document)
    key = iam.create_access_key(**user)["AccessKey"]
    yield key["AccessKeyId"], key["SecretAccessKey"]
    iam.delete_access_key(**user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(**user, PolicyName="verify")
    iam.delete_user(**user)


@pytest.fixture
def verify(
    acceptor: Acceptor, operator: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Proof]]:
    acceptor.allow(ALLOWED)
    acceptor.wake_on_policy_changes()
    acceptor.start_the_sweep()

    def signed(key: str, secret: str, account: str) -> Aws:
        for name, value in acceptor.aws.environment(account).items():
            monkeypatch.setenv(name, value)
        keys: Any = {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": ""}
        return Aws(None, REGION).with_credentials(keys)

    def verified(seconds: float) -> dict[str, Proof]:
        time, ours = Time(acceptor), signed(*operator, MEMBER)
        deployed = Deployment(ours, ours.caller(), None, PREFIX)
        other = signed(STRANGER, "test", STRANGER)
        checks = checks_of(deployed, Patience(time.now, time.sleep, seconds), lambda: uuid4().hex[:16], other)
        return {check.name: proved(check) for check in checks}

    return verified


def test_everything_is_proven(acceptor: Acceptor, verify: Callable[..., dict[str, Proof]]) -> None:
    found = verify(300)
    assert [proof.as_dict() for proof in found.values() if proof.verdict != "proven"] == []
    history = acceptor.client("ssm").get_parameter_history(Name=f"{PREFIX}mode")["Parameters"]
    assert [version["Labels"] for version in history] == [[]]


@contextmanager
def a_rule_that_matches_refused_calls(acceptor: Acceptor) -> Iterator[None]:
    events, rule = acceptor.client("events"), rule_on_the_hint_bus(acceptor, "aws.organizations")
    pattern = json.loads(rule["EventPattern"])
    del pattern["detail"]["errorCode"]
    events.put_rule(Name=rule["Name"], EventBusName=FUNCTION, EventPattern=json.dumps(pattern))
    yield
    events.put_rule(Name=rule["Name"], EventBusName=FUNCTION, EventPattern=rule["EventPattern"])


@contextmanager
def a_role_that_reaches_beyond(acceptor: Acceptor) -> Iterator[None]:
    statement = {"Effect": "Allow", "Action": "organizations:AcceptHandshake", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    beyond = {"RoleName": FUNCTION, "PolicyName": "beyond"}
    acceptor.client("iam").put_role_policy(**beyond, PolicyDocument=document)
    yield
    acceptor.client("iam").delete_role_policy(**beyond)


@contextmanager
def a_bus_for_everybody(acceptor: Acceptor) -> Iterator[None]:
    admitted = {"EventBusName": FUNCTION, "StatementId": "Everybody"}
    acceptor.client("events").put_permission(**admitted, Action="events:PutEvents", Principal="*")
    yield
    acceptor.client("events").remove_permission(**admitted)


@contextmanager
def a_transformer_that_loses_the_source(acceptor: Acceptor) -> Iterator[None]:
    events, name = acceptor.client("events"), rule_on_the_hint_bus(acceptor, hint.SOURCE)["Name"]
    [target] = events.list_targets_by_rule(Rule=name, EventBusName=FUNCTION)["Targets"]
    kept = target["InputTransformer"]
    paths = {key: "$.account" if path == "$.source" else path for key, path in kept["InputPathsMap"].items()}
    lost = {"InputPathsMap": paths, "InputTemplate": kept["InputTemplate"]}
    events.put_targets(Rule=name, EventBusName=FUNCTION, Targets=[target | {"InputTransformer": lost}])
    yield
    events.put_targets(Rule=name, EventBusName=FUNCTION, Targets=[target])


@contextmanager
def a_rule_that_is_off(acceptor: Acceptor) -> Iterator[None]:
    acceptor.wake_on_policy_changes(False)
    yield
    acceptor.wake_on_policy_changes()


@contextmanager
def a_saved_query_with_a_slip(acceptor: Acceptor) -> Iterator[None]:
    logs = acceptor.client("logs")
    one = logs.describe_query_definitions()["queryDefinitions"][0]
    logs.put_query_definition(**one | {"queryString": "stats counts(*) by outcome"})
    yield
    logs.put_query_definition(**one)


@contextmanager
def a_widget_that_asks_two_questions(acceptor: Acceptor) -> Iterator[None]:
    cloudwatch = acceptor.client("cloudwatch")
    kept = cloudwatch.get_dashboard(DashboardName=FUNCTION)["DashboardBody"]
    lines = [[{"expression": f'SELECT SUM({metric}) FROM "AWS/Lambda"'}] for metric in ("Errors", "Invocations")]
    widget = {"type": "metric", "properties": {"title": "Two", "metrics": lines}}
    cloudwatch.put_dashboard(DashboardName=FUNCTION, DashboardBody=json.dumps({"widgets": [widget]}))
    yield
    cloudwatch.put_dashboard(DashboardName=FUNCTION, DashboardBody=kept)


@contextmanager
def an_alarm_that_tells_nobody(acceptor: Acceptor) -> Iterator[None]:
    names = {"AlarmNames": [f"{FUNCTION}-runs-fail"]}
    acceptor.client("cloudwatch").disable_alarm_actions(**names)
    yield
    acceptor.client("cloudwatch").enable_alarm_actions(**names)


@contextmanager
def a_schedule_that_is_off(acceptor: Acceptor) -> Iterator[None]:
    acceptor.stop_the_sweep()
    yield
    acceptor.start_the_sweep()


def rule_on_the_hint_bus(acceptor: Acceptor, source: str) -> dict[str, Any]:
    rules = acceptor.client("events").list_rules(EventBusName=FUNCTION)["Rules"]
    [found] = [rule for rule in rules if json.loads(rule["EventPattern"])["source"] == [source]]
    return dict(found)


LIES: dict[str, tuple[Callable[[Acceptor], AbstractContextManager[None]], str]] = {
    "rules": (a_rule_that_matches_refused_calls, "matches a record with an error code"),
    "role": (
        a_role_that_reaches_beyond,
        "it may organizations:AcceptHandshake on arn:",
    ),
    "hint bus": (a_bus_for_everybody, "Everybody admits every account"),
    "stranger": (a_bus_for_everybody, "was taken, and woke the function"),
    "hint": (a_transformer_that_loses_the_source, "its run says trigger unknown"),
    "policy change": (a_rule_that_is_off, "woke no run"),
    "saved queries": (a_saved_query_with_a_slip, "AWS refuses it: MalformedQueryException"),
    "dashboard": (a_widget_that_asks_two_questions, "Two: AWS refuses it: ValidationError"),
    "alarms": (an_alarm_that_tells_nobody, "runs-fail tells nobody"),
    "sweep": (a_schedule_that_is_off, "the sweep is disabled"),
}


def test_a_lie_that_is_planted_is_found_by_its_check(
    acceptor: Acceptor, verify: Callable[..., dict[str, Proof]]
) -> None:
    with ExitStack() as planted:
        for plant in dict.fromkeys(plant for plant, _ in LIES.values()):
            planted.enter_context(plant(acceptor))
        found = verify(100)
    assert [proof.as_dict() for proof in found.values() if proof.verdict != "false"] == []
    assert {name for name, (_, says) in LIES.items() if says not in found[name].why} == set(), found
    assert set(found) == set(LIES)
