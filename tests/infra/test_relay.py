"""The relay's stack: what wakes it, what it is told, and the little that it may do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handshake_relay.event import Call, parse
from handshake_relay.hint import Hint
from tests.support.rules import DEFAULT, recorded, told
from tests.support.synthesis import ROOT, Deployed, relay

ID, TIME = "h-examplehandshakeid111", "2026-11-20T21:41:17Z"
INVITED = {
    "source": "aws.organizations",
    "time": TIME,
    "event_name": "InviteAccountToOrganization",
    "handshake_id": ID,
    "action": "invite",
    "created_at": TIME,
    "account_id": "222222222222",
}
NAMELESS = {key: value for key, value in INVITED.items() if key != "account_id"}
ALL_FEATURES = recorded("invite-account", eventName="EnableAllFeatures", requestParameters=None)


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return Deployed(relay())


def test_it_may_do_this_and_no_more(deployed: Deployed) -> None:
    assert deployed.statements("handshake-relay") == [
        {
            "Sid": "SendHints",
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": "arn:aws:events:us-east-1:*:event-bus/handshake-acceptor",
        },
        {
            "Sid": "FindAskedMembers",
            "Effect": "Allow",
            "Action": "organizations:ListHandshakesForOrganization",
            "Resource": "*",
        },
        {"Sid": "ReportFailure", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "AWS::SQS::Queue.Arn"},
        {
            "Sid": "WriteLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "AWS::Logs::LogGroup.Arn",
        },
    ]
    assert [role["Properties"]["RoleName"] for role in deployed.all("AWS::IAM::Role").values()] == ["handshake-relay"]
    assert not deployed.all("AWS::IAM::Policy")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (recorded("invite-account"), INVITED),
        (recorded("05c-record-inviter-is-a-party", "field"), INVITED),
        (
            recorded("invite-account", eventName="InviteOrganizationToTransferResponsibility"),
            INVITED | {"event_name": "InviteOrganizationToTransferResponsibility"},
        ),
        (recorded("invite-email"), NAMELESS),
        (ALL_FEATURES, NAMELESS | {"event_name": "EnableAllFeatures"}),
        (recorded("invite-account", requestParameters={"target": {}}), NAMELESS),
    ],
    ids=["account", "inviter a party", "transfer", "e-mail", "all features", "hidden target"],
)
def test_it_is_told_these_few_fields_once(deployed: Deployed, event: dict[str, Any], expected: dict[str, str]) -> None:
    [passed] = told(deployed, DEFAULT, event)
    assert passed == expected
    assert "@" not in json.dumps(passed)


@pytest.mark.parametrize(
    "event",
    [
        recorded("invite-refused"),
        recorded("19-duplicate-invite-record", "field"),
        recorded("accept-by-someone-else"),
        recorded("policy-parameter-changed"),
        recorded("invite-account", eventName="DescribeHandshake"),
        recorded("invite-account", responseElements=None),
        recorded("invite-account", responseElements={"handshake": {"id": ID}}),
        recorded("invite-account") | {"source": "example.organizations"},
    ],
)
def test_nothing_else_wakes_it(deployed: Deployed, event: dict[str, Any]) -> None:
    assert told(deployed, DEFAULT, event) == []


def test_it_understands_what_it_is_told(deployed: Deployed) -> None:
    [passed] = told(deployed, DEFAULT, recorded("invite-account"))
    assert parse(passed) == Call(Hint("222222222222", ID, "INVITE", TIME), fans_out=False)
    [passed] = told(deployed, DEFAULT, ALL_FEATURES)
    assert parse(passed) == Call(Hint("", ID, "INVITE", TIME), fans_out=True)


def test_a_failed_run_is_retried_and_kept_and_a_record_never_is(deployed: Deployed) -> None:
    invoke = deployed.only("AWS::Lambda::EventInvokeConfig")
    assert invoke["MaximumRetryAttempts"] == 2
    assert invoke["DestinationConfig"] == {"OnFailure": {"Destination": "AWS::SQS::Queue.Arn"}}
    queue = deployed.only("AWS::SQS::Queue")
    assert (queue["QueueName"], queue["SqsManagedSseEnabled"]) == ("handshake-relay-failures", True)
    for rule in deployed.wake_up_rules().values():
        [target] = rule["Targets"]
        assert "DeadLetterConfig" not in target, "it would be given the record as it came, with its e-mail addresses"


def test_every_alarm_tells_the_topic_and_has_a_section_in_the_runbook(deployed: Deployed) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    alarms = [alarm["Properties"] for alarm in deployed.all("AWS::CloudWatch::Alarm").values()]
    names = [alarm["AlarmName"].removeprefix("handshake-relay-") for alarm in alarms]
    assert sorted(names) == ["hints-fail", "records-undelivered"]
    for name, alarm in zip(names, alarms, strict=True):
        assert alarm["AlarmActions"] == ["AWS::SNS::Topic.Ref"]
        assert alarm["AlarmDescription"].endswith(f"#{name}")
        assert f"\n## {name}\n" in runbook
    [invitations] = [rule for rule in deployed.wake_up_rules() if "Invitation" in rule]
    [undelivered] = [alarm for alarm in alarms if alarm["MetricName"] == "FailedInvocations"]
    assert undelivered["Dimensions"] == [{"Name": "RuleName", "Value": "AWS::Events::Rule.Ref"}]
    assert invitations


def test_synthesis_says_that_hints_need_a_trail() -> None:
    from aws_cdk.assertions import Annotations, Match

    found = Annotations.from_stack(relay()).find_info("*", Match.any_value())
    assert any("CloudTrail trail" in str(entry.entry.data) for entry in found)
