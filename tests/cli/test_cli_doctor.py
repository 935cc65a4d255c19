"""`handshakectl doctor`: a healthy account as AWS answers for one, and everything that can be wrong with it."""

import json
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from handshakectl.main import app
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    allow,
    document,
)
from tests.cli.healthy import (
    HEALTHY,
    QUEUE,
    STACK,
    TOPIC,
    answered,
    bus,
    configuration,
    ended,
    log,
    parameters,
    refused,
    schedule,
    simulated,
    subscribed,
    waiting,
)
from tests.cli.sessions import share_clients

CHECKS = [
    "region",
    "stack",
    "function",
    "rules",
    "hints",
    "schedule",
    "policy",
    "permissions",
    "ceiling",
    "queue",
    "subscribers",
    "last run",
    "answers",
    "handshakes",
]


@pytest.fixture(autouse=True)
def region(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)


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
            "ceiling",
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
        (
            {"DescribeEventBus": bus(OTHER_MANAGEMENT)},
            "hints",
            "wrong",
            f"{MANAGEMENT} is an origin and may send no hint",
        ),
        (
            {"DescribeEventBus": bus(MANAGEMENT, f"arn:aws:iam::{OTHER_MANAGEMENT}:root")},
            "hints",
            "wrong",
            f"{OTHER_MANAGEMENT} may send hints and is no origin",
        ),
        ({"DescribeEventBus": refused("ResourceNotFoundException")}, "hints", "wrong", "it is not there"),
        ({"ListSubscriptionsByTopic": subscribed()}, "subscribers", "wrong", "nobody hears the topic"),
        (
            {"ListSubscriptionsByTopic": subscribed("PendingConfirmation", "Deleted")},
            "subscribers",
            "wrong",
            "2 subscriptions not confirmed",
        ),
        ({"ListSubscriptionsByTopic": refused("NotFound")}, "subscribers", "wrong", "it is not there"),
        (
            {"ListHandshakesForAccount": waiting(expires_at=datetime.now(UTC) - timedelta(days=1), state="EXPIRED")},
            "handshakes",
            "wrong",
            f"stuck: INVITATION_EXPIRED: the last invitation of {ORGANIZATION} expired",
        ),
        (
            {"ListHandshakesForAccount": waiting(minutes=60)},
            "handshakes",
            "wrong",
            "stuck: WAITED_TOO_LONG",
        ),
        ({"ListHandshakesForAccount": refused("AccessDeniedException")}, "handshakes", "cannot tell", "AWS refuses"),
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
        if "filterPattern" not in request:
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


def test_what_is_on_its_way_is_well():
    result = doctor(ListHandshakesForAccount=waiting(minutes=1))
    assert result.exit_code == 0
    assert "handshakes: waiting: ACCEPT: " in result.stdout


def test_without_hints_the_sweep_alone_is_told():
    result = doctor(DescribeEventBus=bus(MEMBER))
    assert result.exit_code == 0
    assert "hints: nobody may send any: the sweep alone finds invitations" in result.stdout


def test_without_alarms_nobody_need_hear_any():
    result = doctor(DescribeAlarms={"MetricAlarms": []}, ListSubscriptionsByTopic=subscribed())
    assert result.exit_code == 0
    assert "subscribers: no alarm is deployed" in result.stdout


@pytest.mark.parametrize(("state", "heard"), [("ENABLED", True), ("DISABLED", False)])
def test_what_the_hub_is_told_somebody_hears(state, heard):
    def described(request):
        return {"State": state if request["Name"] == "handshake-acceptor-tell-alarms" else "ENABLED"}

    result = doctor(ListSubscriptionsByTopic=subscribed(), DescribeRule=described)
    assert (result.exit_code == 0, "the hub is told what the alarms say" in result.stdout) == (heard, heard)


def test_who_may_not_read_the_ceiling_sees_who_may_send_hints():
    result = doctor(GetRolePolicy=refused("AccessDenied"), DescribeEventBus=bus(OTHER_MANAGEMENT))
    assert f"hints: from {OTHER_MANAGEMENT}; no hint in seven days" in result.stdout


def test_the_last_hint_is_looked_for_in_a_week_of_the_log():
    def events(request):
        if "filterPattern" not in request:
            return log(ended())(request)
        assert request["filterPattern"] == '{ $.trigger = "hint" }'
        return log(ended(trigger="hint"), minutes=600)(request)

    assert "; last hint 2" in doctor(FilterLogEvents=events).stdout


def of_resources(top, *each, **more):
    """What IAM says of an action as a whole, and of each of its resources."""

    def answer(request):
        asked = dict(zip(request["ResourceArns"], each, strict=False))
        own = [{"EvalResourceName": name, "EvalResourceDecision": decision} for name, decision in asked.items()]
        result = {"EvalActionName": request["ActionNames"][0], "EvalDecision": top, "ResourceSpecificResults": own}
        return {"EvaluationResults": [result | more], "IsTruncated": False}

    return answer


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [
        (of_resources("allowed", "allowed", "allowed"), True),
        (of_resources("allowed", "allowed", "implicitDeny"), False),
        (of_resources("implicitDeny", "allowed", "allowed"), False),
        (of_resources("implicitDeny"), False),
        (lambda _: {"EvaluationResults": [], "IsTruncated": False}, False),
    ],
)
def test_each_resource_counts_by_its_own_result(answer, healthy):
    two = allow(organization=[ORGANIZATION, OTHER_ORGANIZATION])
    changes = {"SimulatePrincipalPolicy": answer, "GetParametersByPath": parameters(text=document(two))}
    found = {each["check"]: each["verdict"] for each in json.loads(doctor("--json", **changes).stdout)["checks"]}
    assert found["ceiling"] == ("ok" if healthy else "wrong")


def test_a_service_control_policy_in_the_way_is_called_one():
    refusal = of_resources("implicitDeny", OrganizationsDecisionDetail={"AllowedByOrganizations": False})
    result = doctor(SimulatePrincipalPolicy=refusal)
    (ceiling,) = [line for line in result.stdout.splitlines() if "ceiling:" in line]
    assert "a service control policy of the organization" in ceiling


def test_each_action_is_asked_about_with_its_own_resources():
    asked = {}

    def answer(request):
        (action,) = request["ActionNames"]
        asked[action] = request["ResourceArns"]
        return simulated()(request)

    assert doctor(SimulatePrincipalPolicy=answer).exit_code == 0
    assert asked == {
        "organizations:ListHandshakesForAccount": ["*"],
        "organizations:DescribeOrganization": ["*"],
        "ssm:GetParametersByPath": [f"arn:aws:ssm:us-east-1:{MEMBER}:parameter/handshake-acceptor"],
        "sqs:SendMessage": [f"arn:aws:sqs:us-east-1:{MEMBER}:handshake-acceptor-failures"],
        "logs:PutLogEvents": [
            f"arn:aws:logs:us-east-1:{MEMBER}:log-group:/aws/lambda/handshake-acceptor:log-stream:any"
        ],
        "organizations:AcceptHandshake": [
            f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/h-0000000000"
        ],
    }


# Before a wave


def test_before_a_wave_there_is_a_row_an_account():
    result = doctor("--expect-current", "NONE")
    assert result.exit_code == 0
    headers, row, totals = result.stdout.splitlines()
    assert headers.split()[:3] == ["ready", "account", "region"]
    assert (row.split()[0], totals) == ("ok", "1 account: 1 ok")


@pytest.mark.parametrize(
    ("expected", "changes", "says"),
    [
        (ORGANIZATION, {}, f"organization: the account is in NONE, not in {ORGANIZATION} -> leave it out of this wave"),
        (
            "NONE",
            {
                "GetParametersByPath": parameters(
                    text=document(allow(Condition={"CurrentOrganization": [ORGANIZATION]}))
                )
            },
            "organization: in NONE, and no Allow is for an INVITE of an account there",
        ),
        (
            "NONE",
            {"DescribeOrganization": refused("AccessDeniedException")},
            "organization: AWS refuses Something: AccessDeniedException",
        ),
        ("NONE", {"GetSchedule": schedule(State="DISABLED")}, "schedule: the sweep is disabled"),
    ],
)
def test_what_is_not_ready_is_said_in_its_row(expected, changes, says):
    result = doctor("--expect-current", expected, **changes)
    assert result.exit_code == 1
    assert says in result.stdout
    assert result.stdout.splitlines()[1].startswith("not ok")


def test_an_organization_that_is_none_is_bad_input():
    result = doctor("--expect-current", "none")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--expect-current: 'none' is neither NONE nor an organization's id" in result.stderr


# Relay and hub

RELAY = HEALTHY | {
    "DescribeStacks": {
        "Stacks": [
            {
                "StackName": "HandshakeRelay",
                "StackStatus": "CREATE_COMPLETE",
                "Outputs": [
                    {"OutputKey": "FunctionName", "OutputValue": "handshake-relay"},
                    {"OutputKey": "FailureQueueUrl", "OutputValue": QUEUE},
                    {"OutputKey": "AlarmTopicArn", "OutputValue": TOPIC},
                ],
            }
        ]
    },
    "GetFunctionConfiguration": configuration(FunctionName="handshake-relay"),
    "FilterLogEvents": log(
        json.dumps({"message": "hint", "handshake_id": "h-examplehandshakeid111", "outcome": "SENT"})
    ),
    "LookupEvents": lambda request: invited(),
}
RELAY_CHECKS = [
    "region",
    "stack",
    "function",
    "trail",
    "rules",
    "permissions",
    "queue",
    "subscribers",
    "hints",
]


def invited(handshake_id="h-examplehandshakeid111", **more):
    record = {"responseElements": {"handshake": {"id": handshake_id}}, **more}
    return {"Events": [{"EventTime": datetime(2026, 11, 20, tzinfo=UTC), "CloudTrailEvent": json.dumps(record)}]}


@pytest.mark.parametrize("stack", ["relay", "HandshakeRelay"])
def test_a_relay_is_checked_as_one(stack):
    result = doctor("--stack", stack, "--json", **RELAY)
    answer = json.loads(result.stdout)
    assert [each["check"] for each in answer["checks"]] == RELAY_CHECKS
    assert (answer["healthy"], result.exit_code) == (True, 0)


ADVANCED = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
READ_ONLY = {"Field": "readOnly", "Equals": ["true"]}


@pytest.mark.parametrize(
    ("changes", "check", "verdict", "says"),
    [
        ({"DescribeTrails": {"trailList": []}}, "trail", "wrong", "no trail here logs what is written"),
        ({"GetTrailStatus": {"IsLogging": False}}, "trail", "wrong", "no trail here logs what is written"),
        (
            {"GetEventSelectors": {"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}},
            "trail",
            "wrong",
            "no trail",
        ),
        ({"GetEventSelectors": {"AdvancedEventSelectors": [ADVANCED]}}, "trail", "ok", "a trail logs"),
        (
            {
                "GetEventSelectors": {
                    "AdvancedEventSelectors": [{"FieldSelectors": [*ADVANCED["FieldSelectors"], READ_ONLY]}]
                }
            },
            "trail",
            "wrong",
            "no trail",
        ),
        ({"ListRuleNamesByTarget": {"RuleNames": []}}, "rules", "wrong", "no hint is sent"),
        (
            {"SimulatePrincipalPolicy": simulated("events:PutEvents")},
            "permissions",
            "wrong",
            "may not events:PutEvents",
        ),
        ({"ListSubscriptionsByTopic": subscribed()}, "subscribers", "wrong", "nobody hears"),
        (
            {"LookupEvents": invited("h-another000")},
            "hints",
            "wrong",
            "h-another000, sent at 2026-11-20T00:00:00+00:00,",
        ),
        ({"LookupEvents": {"Events": []}}, "hints", "ok", "nobody was invited within seven days"),
        ({"LookupEvents": invited("h-another000", errorCode="X")}, "hints", "ok", "nobody was invited"),
    ],
)
def test_what_is_wrong_with_a_relay(changes, check, verdict, says):
    answer = json.loads(doctor("--stack", "relay", "--json", **(RELAY | changes)).stdout)
    found = {each["check"]: each for each in answer["checks"]}
    assert found[check]["verdict"] == verdict
    assert says in found[check]["why"]


HUB = {
    "DescribeStacks": {
        "Stacks": [
            {
                "StackName": "HandshakeHub",
                "StackStatus": "CREATE_COMPLETE",
                "Outputs": [
                    {"OutputKey": "SinkArn", "OutputValue": "arn:aws:oam:us-east-1:444444444444:sink/1"},
                    {"OutputKey": "DashboardName", "OutputValue": "handshake-fleet"},
                    {"OutputKey": "BusArn", "OutputValue": "arn:aws:events:us-east-1:444444444444:event-bus/hub"},
                    {"OutputKey": "TopicArn", "OutputValue": TOPIC},
                ],
            }
        ]
    },
    "ListAttachedLinks": {"Items": [{"LinkArn": "a"}, {"LinkArn": "b"}]},
    "GetDashboard": {"DashboardBody": "{}"},
    "ListRules": {"Rules": [{"Name": "tell", "State": "ENABLED"}]},
    "ListSubscriptionsByTopic": subscribed(f"{TOPIC}:0a1b"),
}


@pytest.mark.parametrize("stack", ["hub", "HandshakeHub"])
def test_a_hub_is_checked_as_one(stack):
    result = doctor("--stack", stack, **HUB)
    checks = [line.split(": ")[0].split()[-1] for line in result.stdout.splitlines()]
    assert checks == ["stack", "links", "dashboard", "rules", "subscribers"]
    assert (result.exit_code, "links: 2 accounts linked" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ListAttachedLinks": {"Items": []}}, "links: no account is linked -> give the acceptors the setting"),
        ({"GetDashboard": refused("ResourceNotFound")}, "dashboard: it is not there"),
        ({"ListRules": {"Rules": []}}, "rules: no rule on the bus hub tells anybody"),
        ({"ListRules": {"Rules": [{"Name": "tell", "State": "DISABLED"}]}}, "rules: the rule tell on the bus hub is"),
        ({"ListSubscriptionsByTopic": subscribed("PendingConfirmation")}, "1 subscription not confirmed"),
        (
            {"DescribeStacks": {"Stacks": [{"StackName": "HandshakeHub", "StackStatus": "CREATE_COMPLETE"}]}},
            "links: the stack HandshakeHub has no output SinkArn",
        ),
    ],
)
def test_what_is_wrong_with_a_hub(changes, says):
    result = doctor("--stack", "hub", **(HUB | changes))
    assert (result.exit_code, says in result.stdout) == (1, True)


def test_of_a_stack_that_cannot_be_read_the_acceptor_is_examined():
    result = doctor("--stack", "Mine", DescribeStacks=refused("ValidationError"))
    assert len(result.stdout.splitlines()) == len(CHECKS)


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
