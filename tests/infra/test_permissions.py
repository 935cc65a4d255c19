"""Who may do what: whole documents, because what is not expected is what matters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.synthesis import ACCOUNT, LOCAL, ROOT, Deployed, hub, relay, synthesize

QUEUE = "AWS::SQS::Queue.Arn"
HUB_BUS = "arn:aws:events:us-east-1:555555555555:event-bus/handshake-acceptor-hub"
CEILING = [
    "arn:aws:organizations::111111111111:handshake/o-exampleorgid/enable_all_features/*",
    "arn:aws:organizations::111111111111:handshake/o-exampleorgid/invite/*",
    "arn:aws:organizations::333333333333:handshake/o-sandbox0001/invite/*",
]
BEYOND_ORGANIZATIONS: list[dict[str, Any]] = [
    {
        "Sid": "Look",
        "Effect": "Allow",
        "Action": ["organizations:DescribeOrganization", "organizations:ListHandshakesForAccount"],
        "Resource": "*",
    },
    {
        "Sid": "ReadPolicy",
        "Effect": "Allow",
        "Action": "ssm:GetParametersByPath",
        "Resource": [
            f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/handshake-acceptor",
            f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/handshake-acceptor/*",
        ],
    },
    {
        "Sid": "JoinAllFeatures",
        "Effect": "Allow",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/organizations.amazonaws.com/*",
        "Condition": {"StringEquals": {"iam:AWSServiceName": "organizations.amazonaws.com"}},
    },
    {"Sid": "ReportFailure", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE},
    {
        "Sid": "WriteLog",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "AWS::Logs::LogGroup.Arn",
    },
]


def accept(resources: list[str] | str) -> dict[str, Any]:
    return {
        "Sid": "Accept",
        "Effect": "Allow",
        "Action": ["organizations:AcceptHandshake", "organizations:DescribeHandshake"],
        "Resource": resources,
    }


def functions_statements(**settings: object) -> list[dict[str, Any]]:
    return Deployed(synthesize(settings)).statements("handshake-acceptor")


def test_the_function_may_do_this_and_no_more(deployed: Deployed) -> None:
    assert deployed.statements("handshake-acceptor") == [accept(CEILING), *BEYOND_ORGANIZATIONS]


def test_without_origins_the_function_can_accept_nothing() -> None:
    assert functions_statements() == BEYOND_ORGANIZATIONS


def test_any_origin_must_be_asked_for() -> None:
    expected = [accept("arn:aws:organizations::*:handshake/*"), *BEYOND_ORGANIZATIONS]
    assert functions_statements(allowAnyOrigin=True) == expected


def test_declining_has_a_ceiling_of_its_own() -> None:
    decline = {
        "Sid": "Decline",
        "Effect": "Allow",
        "Action": "organizations:DeclineHandshake",
        "Resource": "arn:aws:organizations::333333333333:handshake/o-sandbox0001/invite/*",
    }
    assert functions_statements(declinable=[LOCAL["origins"][1]]) == [decline, *BEYOND_ORGANIZATIONS]


def test_every_action_stands_in_a_handshakes_arn_in_lower_case() -> None:
    actions = [
        "INVITE",
        "ENABLE_ALL_FEATURES",
        "APPROVE_ALL_FEATURES",
        "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE",
        "TRANSFER_RESPONSIBILITY",
    ]
    first, *_ = functions_statements(origins=[LOCAL["origins"][0] | {"actions": actions}])
    origin = "arn:aws:organizations::111111111111:handshake/o-exampleorgid"
    assert first == accept(sorted(f"{origin}/{action.lower()}/*" for action in actions))


def test_tracing_costs_one_statement_more() -> None:
    trace = {
        "Sid": "Trace",
        "Effect": "Allow",
        "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "Resource": "*",
    }
    assert functions_statements(tracing=True) == [*BEYOND_ORGANIZATIONS, trace]


@pytest.mark.parametrize(
    ("setting", "arn"),
    [
        ("default", f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"),
        (HUB_BUS, HUB_BUS),
    ],
)
def test_telling_decisions_costs_one_statement_more(setting: str, arn: str) -> None:
    tell = {
        "Sid": "TellDecisions",
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": arn,
        "Condition": {
            "ForAllValues:StringEquals": {"events:source": "handshake-acceptor"},
            "Null": {"events:source": "false"},
            "StringEquals": {"events:detail-type": ["Handshake Decision", "Handshake Policy Invalid"]},
        },
    }
    assert [*functions_statements(decisionBus=setting)] == [
        *BEYOND_ORGANIZATIONS[:3],
        tell,
        *BEYOND_ORGANIZATIONS[3:],
    ]


@pytest.mark.parametrize("bus", [{}, {"decisionBus": "default"}, {"decisionBus": HUB_BUS}])
def test_the_function_knows_of_a_bus_only_where_one_is_set(bus: dict[str, str]) -> None:
    function = Deployed(synthesize(bus)).only("AWS::Lambda::Function")
    assert function["Environment"]["Variables"].get("DECISION_BUS") == bus.get("decisionBus")


def test_another_prefix_is_the_only_one_that_can_be_read() -> None:
    read = next(each for each in functions_statements(prefix="/team/joins/") if each["Sid"] == "ReadPolicy")
    parameter = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/team/joins"
    assert read["Resource"] == [parameter, f"{parameter}/*"]


def test_only_lambda_can_be_the_function(deployed: Deployed) -> None:
    assert deployed.role("handshake-acceptor")["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    ]


def test_the_schedule_may_wake_the_function_and_report_that_it_could_not(deployed: Deployed) -> None:
    assert deployed.statements("handshake-acceptor-sweep") == [
        {
            "Sid": "Invoke",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": "AWS::Lambda::Function.Arn",
        },
        {"Sid": "ReportFailure", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE},
    ]


def test_only_this_accounts_schedule_group_can_be_the_schedule(deployed: Deployed) -> None:
    assert deployed.role("handshake-acceptor-sweep")["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": ACCOUNT,
                    "aws:SourceArn": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/handshake-acceptor",
                }
            },
        }
    ]
    assert deployed.only("AWS::Scheduler::Schedule")["GroupName"] == "handshake-acceptor"


def test_nothing_else_grants_anything(deployed: Deployed) -> None:
    roles = deployed.all("AWS::IAM::Role").values()
    assert {role["Properties"]["RoleName"] for role in roles} == {"handshake-acceptor", "handshake-acceptor-sweep"}
    assert not any("ManagedPolicyArns" in role["Properties"] for role in roles)
    for type_ in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy", "AWS::Lambda::Url"):
        assert not deployed.all(type_)


def test_only_the_stacks_own_rules_may_wake_the_function(deployed: Deployed) -> None:
    permissions = [each["Properties"] for each in deployed.all("AWS::Lambda::Permission").values()]
    assert {each["SourceArn"] for each in permissions} == deployed.wake_up_rules().keys()
    assert {(each["Principal"], each["Action"]) for each in permissions} == {
        ("events.amazonaws.com", "lambda:InvokeFunction")
    }


def test_the_queue_takes_tls_only_and_from_services_only_the_stacks_rules(deployed: Deployed) -> None:
    insecure, *others = deployed.only("AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    assert insecure == {
        "Effect": "Deny",
        "Action": "sqs:*",
        "Principal": {"AWS": "*"},
        "Resource": QUEUE,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    for each in others:
        each.pop("Sid")
    assert others == [
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Principal": {"Service": "events.amazonaws.com"},
            "Resource": QUEUE,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
        for rule, properties in deployed.wake_up_rules().items()
        if "DeadLetterConfig" in properties["Targets"][0]
    ]


@pytest.mark.parametrize(
    ("place", "sid", "source", "detail_type"),
    [
        (0, "Hint", "handshake-acceptor.relay", "Handshake Hint"),
        (1, "ForwardedRecord", "aws.organizations", "AWS API Call via CloudTrail"),
    ],
)
def test_the_bus_admits_two_kinds_of_event_from_the_management_accounts(
    deployed: Deployed, place: int, sid: str, source: str, detail_type: str
) -> None:
    statements = deployed.only("AWS::Events::EventBus")["Policy"]["Statement"]
    assert len(statements) == 2
    assert statements[place] == {
        "Sid": sid,
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Principal": {"AWS": ["111111111111", "333333333333"]},
        "Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/handshake-acceptor",
        "Condition": {
            "ForAllValues:StringEquals": {"events:source": source},
            "Null": {"events:source": "false"},
            "StringEquals": {"events:detail-type": detail_type},
        },
    }


def test_without_management_accounts_the_bus_has_a_policy_that_admits_nobody_else() -> None:
    """CloudFormation leaves a policy as it is where the property goes, so that emptying the setting revoked nobody."""
    statements = Deployed(synthesize({})).only("AWS::Events::EventBus")["Policy"]["Statement"]
    assert [each["Sid"] for each in statements] == ["Hint", "ForwardedRecord"]
    assert [each["Principal"] for each in statements] == [{"AWS": [ACCOUNT]}] * 2


def test_the_page_lists_every_statement_of_every_role() -> None:
    everything = LOCAL | {"declinable": LOCAL["origins"], "decisionBus": HUB_BUS, "tracing": True}
    stacks = (synthesize(everything), relay({"tracing": True}), hub({"accounts": [ACCOUNT]}))
    given = {
        (statement["Sid"], tuple([actions] if isinstance(actions := statement["Action"], str) else actions))
        for stack in stacks
        for role in Deployed(stack).all("AWS::IAM::Role").values()
        for policy in role["Properties"].get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
    }
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    _, _, *rows = page.partition("## What the roles may do\n\n")[2].partition("\n\n")[0].splitlines()
    listed = (row.split(" | ") for row in rows)
    assert {(sid.strip("`"), tuple(actions.replace("`", "").split(", "))) for _, sid, actions, _ in listed} == given
