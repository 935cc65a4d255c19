"""`handshakectl doctor`: a healthy account as AWS answers for one, and everything that can be wrong with it."""

import json
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from handshakectl.main import app
from local.world import MANAGEMENT, MEMBER, ORGANIZATION, PREFIX
from tests.cli.healthy import (
    HEALTHY,
    STACK,
    answered,
    configuration,
    ended,
    log,
    parameters,
    refused,
    schedule,
    simulated,
)
from tests.cli.sessions import session

CHECKS = ["region", "stack", "function", "rules", "schedule", "policy", "permissions", "queue", "last run", "answers"]


@pytest.fixture(autouse=True)
def region(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handshakectl.account.session.boto3.Session", session)


def doctor(*options, region="us-east-1", **changes):
    """What doctor says where AWS answers as for a healthy account, but for these operations."""
    answers = HEALTHY | changes

    def call(client, operation, request):
        answer = answers[operation]
        if isinstance(answer, BaseException):
            raise answer
        return answer(request) if callable(answer) else answer

    with patch.object(BaseClient, "_make_api_call", call):
        return CliRunner().invoke(app, ["doctor", "--region", region, *options])


def test_a_healthy_account_is_ok_line_by_line():
    result = doctor()
    assert result.exit_code == 0
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == ["ok"] * len(CHECKS)
    answer = json.loads(doctor("--json").stdout)
    assert answer["healthy"] is True
    assert [check["check"] for check in answer["checks"]] == CHECKS


@pytest.mark.parametrize(
    ("changes", "check", "verdict", "says"),
    [
        ({"region": "eu-central-1"}, "region", "wrong", "eu-central-1, where Organizations' events do not appear"),
        (
            {"GetCallerIdentity": {"Arn": f"arn:aws-iso:sts::{MEMBER}:assumed-role/Admin/session"}},
            "region",
            "cannot tell",
            "the home region of partition aws-iso is not known",
        ),
        ({"DescribeStacks": refused("ValidationError")}, "stack", "wrong", "it is not there"),
        ({"DescribeStacks": refused("AccessDenied")}, "stack", "cannot tell", "AWS refuses Something: AccessDenied"),
        (
            {"DescribeStacks": {"Stacks": [{"StackName": STACK, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]}},
            "stack",
            "wrong",
            "HandshakeAcceptor is UPDATE_ROLLBACK_COMPLETE",
        ),
        ({"GetFunctionConfiguration": configuration(State="Failed")}, "function", "wrong", "is Failed"),
        ({"GetFunctionConfiguration": configuration(LastUpdateStatus="Failed")}, "function", "wrong", "update Failed"),
        (
            {"GetFunctionConfiguration": configuration(Environment={"Variables": {"POLICY_PATH": "/other/"}})},
            "function",
            "wrong",
            "reads its policy from /other/",
        ),
        ({"GetFunctionConfiguration": configuration(Timeout=300)}, "function", "wrong", "is not shorter than a sweep"),
        ({"GetFunctionConfiguration": refused("ResourceNotFoundException")}, "function", "wrong", "it is not there"),
        ({"ListRuleNamesByTarget": {"RuleNames": []}}, "rules", "wrong", "no rule on the bus default"),
        ({"DescribeRule": {"State": "DISABLED"}}, "rules", "wrong", "the rule hints on the bus default is disabled"),
        ({"ListRuleNamesByTarget": refused("ResourceNotFoundException")}, "rules", "wrong", "it is not there"),
        ({"GetSchedule": schedule(State="DISABLED")}, "schedule", "wrong", "the sweep is disabled"),
        ({"GetSchedule": schedule(Target={"Arn": "arn:other"})}, "schedule", "wrong", "does not wake the function"),
        ({"GetSchedule": refused("ResourceNotFoundException")}, "schedule", "wrong", "it is not there"),
        ({"GetParametersByPath": parameters(mode="observe")}, "policy", "wrong", "the mode is observe"),
        ({"GetParametersByPath": parameters(text="{")}, "policy", "wrong", f"invalid: {PREFIX}policy/allowlist: not"),
        ({"GetParametersByPath": refused("AccessDeniedException")}, "policy", "cannot tell", "AWS refuses"),
        (
            {"SimulatePrincipalPolicy": simulated("ssm:GetParametersByPath")},
            "permissions",
            "wrong",
            "the function's role may not ssm:GetParametersByPath",
        ),
        (
            {"SimulatePrincipalPolicy": simulated("organizations:AcceptHandshake")},
            "permissions",
            "wrong",
            f"may not accept: arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/h-0000000000",
        ),
        ({"SimulatePrincipalPolicy": refused("AccessDenied")}, "permissions", "cannot tell", "AWS refuses"),
        (
            {"GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "3"}}},
            "queue",
            "wrong",
            "handshake-acceptor-failures holds 3 failed events",
        ),
        (
            {"GetQueueAttributes": refused("AWS.SimpleQueueService.NonExistentQueue")},
            "queue",
            "wrong",
            "it is not there",
        ),
        ({"FilterLogEvents": log("START", minutes=1)}, "last run", "wrong", "none since"),
        ({"FilterLogEvents": refused("ResourceNotFoundException")}, "last run", "wrong", "it is not there"),
        (
            {"FilterLogEvents": log(ended(failures=["LIST_UNREADABLE ServiceException"]))},
            "last run",
            "wrong",
            "it failed: LIST_UNREADABLE ServiceException",
        ),
        (
            {"FilterLogEvents": EndpointConnectionError(endpoint_url="https://example.com")},
            "last run",
            "cannot tell",
            "Could not connect",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(changes, check, verdict, says):
    result = doctor("--json", **changes)
    found = {each["check"]: each for each in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 1
    assert list(found) == CHECKS
    assert (found[check]["verdict"], found[check]["advice"] != "") == (verdict, True)
    assert says in found[check]["why"]
    assert "diego" not in result.output


def test_a_stack_without_a_failure_queue_is_wrong():
    result = doctor(DescribeStacks={"Stacks": [{"StackName": STACK, "StackStatus": "CREATE_COMPLETE"}]})
    assert "the stack HandshakeAcceptor names no failure queue" in result.stdout


def test_a_stack_that_a_stack_set_named_is_found_by_its_function():
    named = f"StackSet-{STACK}-0a1b2c3d"

    def described(request):
        if request["StackName"] == STACK:
            raise refused("ValidationError")
        assert request["StackName"] == f"arn:aws:cloudformation:us-east-1:{MEMBER}:stack/{named}/1"
        return {"Stacks": [HEALTHY["DescribeStacks"]["Stacks"][0] | {"StackName": named}]}

    def found(request):
        assert request == {"PhysicalResourceId": "handshake-acceptor"}
        return {"StackResources": [{"StackId": f"arn:aws:cloudformation:us-east-1:{MEMBER}:stack/{named}/1"}]}

    changes = {"DescribeStacks": described, "DescribeStackResources": found}
    result = doctor(**changes)
    assert (result.exit_code, f"stack: {named} is UPDATE_COMPLETE" in result.stdout) == (0, True)
    assert "stack: it is not there" in doctor("--stack", STACK, **changes).stdout


def test_what_aws_refuses_once_is_asked_once():
    asked = []

    def refuse(request):
        asked.append(request)
        raise refused("AccessDeniedException")

    assert doctor(GetFunctionConfiguration=refuse).exit_code == 1
    assert len(asked) == 1


def test_the_last_run_is_looked_for_within_two_sweeps():
    seen = []

    def events(request):
        seen.append(request["startTime"] / 1000)
        return log(ended())(request)

    doctor(GetSchedule=schedule(ScheduleExpression="rate(1 hour)"), FilterLogEvents=events)
    assert seen[0] == pytest.approx((datetime.now(UTC) - timedelta(hours=2)).timestamp(), abs=60)


def test_one_that_is_not_deployed_gets_a_line_a_check():
    absent = refused("ResourceNotFoundException")
    everything = {name: absent for name in HEALTHY if name not in ("GetCallerIdentity", "GetParametersByPath")}
    result = doctor(**everything, GetParametersByPath={"Parameters": []})
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == len(CHECKS)


@pytest.mark.parametrize("name", ["AcceptHandshake", "DeclineHandshake"])
def test_an_answer_of_somebody_else_is_found_without_a_trail(name):
    def history(request):
        return answered(name, request, role=f"arn:aws:iam::{MEMBER}:role/Admin")

    result = doctor(LookupEvents=history, DescribeTrails={"trailList": []})
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "answers:" in line]
    assert "somebody else answered 1 handshake; last h-examplehandshakeid111" in line
    assert "mary" not in result.stdout


def test_an_answer_that_was_refused_is_none():
    def history(request):
        return answered("AcceptHandshake", request, role="arn:aws:iam::1:role/x", errorCode="AccessDenied")

    assert doctor(LookupEvents=history).exit_code == 0


@pytest.mark.parametrize("trails", [{"trailList": []}, {"trailList": [{"TrailARN": "x"}]}])
def test_an_account_without_a_trail_is_told_which_alarm_is_silent(trails):
    result = doctor(DescribeTrails=trails, GetTrailStatus={"IsLogging": False})
    assert result.exit_code == 0
    assert "no trail here, so the alarm somebody-else-answered stays silent" in result.stdout


@pytest.mark.parametrize(("seen", "says"), [("2026-11-26T03:05:00+00:00", "2026-11-26T03:05:00"), (None, "none yet")])
def test_a_sweep_that_skipped_its_list_is_well_and_says_when_the_last_look_was(seen, says):
    changes = {"FilterLogEvents": log(ended(skipped=True, last_look=seen))}
    [last] = [each for each in json.loads(doctor("--json", **changes).stdout)["checks"] if each["check"] == "last run"]
    assert last["verdict"] == "ok"
    assert "without a look, for its organization's lists are throttled; last look: " + says in last["why"]
