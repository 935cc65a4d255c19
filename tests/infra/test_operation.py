"""What an operator relies on: failures are kept, edits are kept, names are stable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Annotations, Match, Template
from cfnlint.api import ManualArgs, lint

from handshake_acceptor.policy.decide import InvalidPolicy
from handshake_acceptor.policy.documents import Document, Mode, load, load_mode
from handshake_acceptor_cdk.partitions import HOME_REGIONS, TRACED
from handshake_acceptor_cdk.stacks.acceptor import AcceptorStack
from tests.support.synthesis import LOCAL, Deployed, synthesize, template, warnings

QUEUE = "AWS::SQS::Queue.Arn"


def test_failures_are_kept_encrypted_for_two_weeks(deployed: Deployed) -> None:
    assert deployed.only("AWS::SQS::Queue") == {
        "QueueName": "handshake-acceptor-failures",
        "SqsManagedSseEnabled": True,
        "MessageRetentionPeriod": 14 * 24 * 3600,
    }


def test_a_failed_run_is_retried_twice_and_then_kept(deployed: Deployed) -> None:
    assert deployed.only("AWS::Lambda::EventInvokeConfig") == {
        "FunctionName": "AWS::Lambda::Function.Ref",
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 2,
        "MaximumEventAgeInSeconds": 3600,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    }


def test_what_a_rule_cannot_deliver_is_retried_and_kept_unless_it_has_personal_data(deployed: Deployed) -> None:
    for rule in deployed.wake_up_rules().values():
        (target,) = rule["Targets"]
        assert target["Arn"] == "AWS::Lambda::Function.Arn"
        is_record = rule["EventPattern"]["source"] == ["aws.organizations"]
        assert target.get("DeadLetterConfig") == (None if is_record else {"Arn": QUEUE})
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}


@pytest.mark.parametrize("minutes", [5, 60, 1440])
def test_a_run_and_a_sweeps_retries_are_over_before_the_next_sweep(minutes: int) -> None:
    deployed = Deployed(synthesize({"sweepMinutes": minutes}))
    schedule = deployed.only("AWS::Scheduler::Schedule")
    number, unit = re.fullmatch(r"rate\((\d+) (minutes|hour|day)\)", schedule["ScheduleExpression"]).groups()
    period = int(number) * {"minutes": 60, "hour": 3600, "day": 86400}[unit]
    assert period == minutes * 60
    assert deployed.only("AWS::Lambda::Function")["Timeout"] < period
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 120, "MaximumRetryAttempts": 2}
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": QUEUE}


def test_the_schedule_waits_for_its_group_which_goes_with_the_stack(deployed: Deployed) -> None:
    (group,) = deployed.all("AWS::Scheduler::ScheduleGroup").items()
    (schedule,) = deployed.all("AWS::Scheduler::Schedule").values()
    assert group[0] in schedule["DependsOn"]
    assert group[1]["DeletionPolicy"] == "Delete"


def test_concurrency_is_not_reserved_because_new_accounts_have_none_to_spare(deployed: Deployed) -> None:
    assert "ReservedConcurrentExecutions" not in deployed.only("AWS::Lambda::Function")


def test_the_function_is_told_where_the_policy_is() -> None:
    function = Deployed(synthesize({"prefix": "/team/joins/"})).only("AWS::Lambda::Function")
    assert function["Environment"]["Variables"]["POLICY_PATH"] == "/team/joins/"


@pytest.mark.parametrize(("settings", "minutes"), [({}, "5"), ({"sweepMinutes": 30}, "30")])
def test_the_function_is_told_how_often_it_is_woken(settings: dict[str, Any], minutes: str) -> None:
    function = Deployed(synthesize(settings)).only("AWS::Lambda::Function")
    assert function["Environment"]["Variables"]["SWEEP_MINUTES"] == minutes


def test_the_function_writes_structured_lines_to_a_log_that_is_kept_as_set() -> None:
    deployed = Deployed(synthesize({"logRetentionDays": 3653}))
    assert deployed.only("AWS::Lambda::Function")["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": "AWS::Logs::LogGroup.Ref",
    }
    assert deployed.only("AWS::Logs::LogGroup") == {
        "LogGroupName": "/aws/lambda/handshake-acceptor",
        "RetentionInDays": 3653,
    }


@pytest.mark.parametrize(("tracing", "expected"), [(True, {"Mode": "Active"}), (False, None)])
def test_tracing_is_off_unless_set(tracing: bool, expected: dict[str, str] | None) -> None:
    assert Deployed(synthesize({"tracing": tracing})).only("AWS::Lambda::Function").get("TracingConfig") == expected


@pytest.mark.parametrize("type_", ["AWS::SSM::Parameter", "AWS::Logs::LogGroup"])
def test_what_people_wrote_and_what_was_decided_outlive_the_stack(deployed: Deployed, type_: str) -> None:
    """But not a first deploy that rolls back: its retry would find them in its way."""
    for resource in deployed.all(type_).values():
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_a_stack_that_is_not_to_keep_them_takes_them_along() -> None:
    """And nothing else about them changes: another property would write the seeds over what people edited."""
    kept, gone = Deployed(synthesize({})), Deployed(synthesize({"keep": False}))
    for type_ in ("AWS::SSM::Parameter", "AWS::Logs::LogGroup"):
        for name, resource in gone.all(type_).items():
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Delete"
            assert resource["Properties"] == kept.all(type_)[name]["Properties"]


def parameters(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = Deployed(synthesize(settings)).all("AWS::SSM::Parameter").values()
    return {each["Properties"]["Name"]: each["Properties"] for each in found}


def test_the_seeds_enforce_a_policy_that_allows_nothing() -> None:
    seeds = parameters(LOCAL)
    assert seeds.keys() == {"/handshake-acceptor/mode", "/handshake-acceptor/policy/allowlist"}
    for name, seed in seeds.items():
        assert (name, seed["Type"], seed["Tier"]) == (name, "String", "Intelligent-Tiering")
    assert load_mode("mode", seeds["/handshake-acceptor/mode"]["Value"]) is Mode.ENFORCE
    text = seeds["/handshake-acceptor/policy/allowlist"]["Value"]
    assert json.loads(text) == {"Version": "2026-01-01", "Statement": []}
    assert "\n" in text, "people edit it by hand"
    assert not isinstance(load([Document("allowlist", text)]), InvalidPolicy)


def test_no_setting_changes_a_seed_and_so_no_deploy_overwrites_an_edit() -> None:
    others = {"allowAnyOrigin": True, "declinable": LOCAL["origins"], "sweepMinutes": 60, "tracing": True}
    assert parameters(LOCAL) == parameters(others)


def test_the_outputs_name_what_an_operator_needs(deployed: Deployed) -> None:
    assert {name: deployed.resolve(output["Value"]) for name, output in deployed.template["Outputs"].items()} == {
        "FunctionName": "AWS::Lambda::Function.Ref",
        "PolicyParameterName": "AWS::SSM::Parameter.Ref",
        "ModeParameterName": "AWS::SSM::Parameter.Ref",
        "HintBusArn": "AWS::Events::EventBus.Arn",
        "FailureQueueUrl": "AWS::SQS::Queue.Ref",
        "AlarmTopicArn": "AWS::SNS::Topic.Ref",
        "LogGroupName": "AWS::Logs::LogGroup.Ref",
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LOCAL, []),
        ({}, ["setting origins is empty", "setting managementAccounts is empty"]),
        ({"allowAnyOrigin": True, "managementAccounts": ["111111111111"]}, ["setting allowAnyOrigin is true"]),
    ],
)
def test_synthesis_warns_of_what_is_allowed_but_surprises(settings: dict[str, Any], expected: list[str]) -> None:
    found = warnings(synthesize(settings))
    assert [text.split(":")[0] for text in found] == expected


def for_region(settings: dict[str, Any], region: str) -> AcceptorStack:
    return synthesize(settings, region)


def for_every_region(settings: dict[str, Any], _region: str) -> AcceptorStack:
    return template(settings)


@pytest.mark.parametrize("settings", [LOCAL, {}, {"allowAnyOrigin": True, "tracing": True}])
@pytest.mark.parametrize("region", HOME_REGIONS)
@pytest.mark.parametrize("stack", [for_region, for_every_region])
def test_cfn_lint_finds_nothing(
    stack: Callable[[dict[str, Any], str], AcceptorStack], settings: dict[str, Any], region: str
) -> None:
    settings = settings | {"tracing": settings.get("tracing", False) and region in TRACED}
    text = json.dumps(Template.from_stack(stack(settings, region)).to_json())
    # W3005: CDK says twice that the function comes after its role.
    found = lint(text, config=ManualArgs(regions=[region], ignore_checks=["W3005"]))
    assert [f"{each.rule.id} {each.message}" for each in found] == []


def test_synthesis_says_what_needs_a_trail() -> None:
    (found,) = Annotations.from_stack(synthesize(LOCAL)).find_info("*", Match.any_value())
    assert "somebody-else-answered needs one in this account" in str(found.entry.data)
