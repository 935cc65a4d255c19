"""The hub and the links to it: who may link, what is shared, and questions that name what is really sent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor_cdk.settings.reading import WrongSettings
from handshake_relay.metric import Metric as RelayMetric
from local.cloudwatch.metrics import refusal
from local.world import OTHER_MANAGEMENT, OTHER_ORGANIZATION, allow
from tests.support.rules import matches, transformed
from tests.support.synthesis import ACCOUNT, LOCAL, MONITORING, Deployed, hub, relay, synthesize, template
from tests.support.told import MADE_TO_WAIT, REFUSED, Told, delivered

SINK = "arn:aws:oam:us-east-1:555555555555:sink/abcdef01-2345-6789-abcd-ef0123456789"
TOPIC = "arn:aws:sns:us-east-1:555555555555:alarms"
ADMITTED = {"accounts": ["222222222222"]}
SHARED = ["AWS::CloudWatch::Metric", "AWS::Logs::LogGroup"]
KINDS = {"ForAllValues:StringEquals": {"oam:ResourceTypes": SHARED}, "Null": {"oam:ResourceTypes": "false"}}


def statements(raw: dict[str, Any]) -> list[dict[str, Any]]:
    sink = Deployed(hub(raw)).only("AWS::Oam::Sink")
    assert sink["Name"] == "handshake-acceptor"
    return sink["Policy"]["Statement"]


def test_only_the_named_accounts_and_organizations_may_link_and_only_metrics_and_logs() -> None:
    common = {"Effect": "Allow", "Action": ["oam:CreateLink", "oam:UpdateLink"], "Resource": "*"}
    accounts = {"Sid": "Accounts", "Principal": {"AWS": ["222222222222"]}, "Condition": KINDS, **common}
    own = {"ForAnyValue:StringEquals": {"aws:PrincipalOrgID": ["o-exampleorgid"]}}
    organizations = {"Sid": "Organizations", "Principal": "*", "Condition": own | KINDS, **common}
    assert statements({"accounts": ["222222222222"]}) == [accounts]
    assert statements({"organizations": ["o-exampleorgid"]}) == [organizations]
    assert statements({"accounts": ["222222222222"], "organizations": ["o-exampleorgid"]}) == [accounts, organizations]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            {},
            "setting /: accounts and organizations of handshakeHub are empty, so nobody could link; name at least one",
        ),
        ({"accounts": ["*"]}, 'setting /accounts/0: "*" is not an account id: 12 digits, in quotes'),
        (
            {"organizations": "o-exampleorgid"},
            "setting /organizations: must be a list, is a text",
        ),
        (
            {"account": []},
            'setting /account: unknown key (did you mean "accounts"?); known are accounts, organizations, '
            "messageTopic, alarmEmail, observabilitySink, runbook",
        ),
        (
            {"accounts": [f"{number:012}" for number in range(141)]},
            "setting /accounts: 141 accounts; the policy of an event bus has room for 140. Name the organization of "
            "those that have arrived in organizations",
        ),
        (
            ADMITTED | {"messageTopic": "alarms"},
            'setting /messageTopic: "alarms" is not the ARN of an SNS topic',
        ),
        (
            ADMITTED | {"messageTopic": "arn:aws:sns:eu-west-1:555555555555:alarms"},
            "setting /messageTopic: is in eu-west-1 (partition aws); a rule can publish only to a topic in its own "
            "region, us-east-1 (partition aws)",
        ),
        (
            ADMITTED | {"messageTopic": TOPIC, "alarmEmail": "x@example.com"},
            "setting /alarmEmail: is for the topic that the hub makes, and messageTopic names another; subscribe there",
        ),
    ],
)
def test_wrong_settings_are_said_where(raw: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongSettings) as wrong:
        hub(raw)
    assert wrong.value.problems == (sentence,)


@pytest.mark.parametrize(
    ("deployed", "log_group"),
    [
        (Deployed(synthesize(LOCAL | {"observabilitySink": SINK})), "AWS::Logs::LogGroup.Ref"),
        (Deployed(relay({"observabilitySink": SINK})), "AWS::Logs::LogGroup.Ref"),
    ],
    ids=["acceptor", "relay"],
)
def test_a_link_shares_our_metrics_and_our_log_under_the_account_id(deployed: Deployed, log_group: str) -> None:
    link = deployed.only("AWS::Oam::Link")
    assert link["SinkIdentifier"] == SINK
    assert link["ResourceTypes"] == SHARED
    assert "$" not in json.dumps(link), "an account's name or e-mail address is nobody's label"
    assert link["LinkConfiguration"] == {
        "MetricConfiguration": {"Filter": f"Namespace IN ('{NAMESPACE}', 'AWS/Lambda')"},
        "LogGroupConfiguration": {"Filter": f"LogGroupName = '{log_group}'"},
    }


def test_without_a_sink_nothing_is_shared(deployed: Deployed) -> None:
    assert not deployed.all("AWS::Oam::Link")
    assert not Deployed(relay()).all("AWS::Oam::Link")


def test_the_fleets_dashboard_asks_for_metrics_that_are_sent() -> None:
    dashboard = Deployed(hub({"accounts": ["222222222222"]})).only("AWS::CloudWatch::Dashboard")
    assert dashboard["DashboardName"] == "handshake-acceptor-fleet"
    asked = re.findall(r"SELECT \w+\((\w+)\) FROM SCHEMA\((\S+), (\w+)\) WHERE (\w+) = '([\w-]+)'", body(dashboard))
    own = {name for name, schema, *_, service in asked if (schema, service) == (NAMESPACE, "handshake-acceptor")}
    relays = {name for name, schema, *_, service in asked if (schema, service) == (NAMESPACE, "handshake-relay")}
    lambdas = {name for name, schema, *_ in asked if schema == '"AWS/Lambda"'}
    assert own == {metric.value for metric in Metric}
    assert relays == {metric.value for metric in RelayMetric}
    assert lambdas == {"Invocations", "Errors"}
    assert all(dimension == stated for _, _, dimension, stated, _ in asked)


def test_a_widget_asks_no_more_than_cloudwatch_answers_in_a_call() -> None:
    questions = asked_by_widget(Deployed(hub({"accounts": ["222222222222"]})).only("AWS::CloudWatch::Dashboard"))
    assert questions
    assert [refusal(each) for each in questions] == [None] * len(questions)
    assert refusal([*questions[0], *questions[1]]), "the check knows two questions when it sees them"


def body(dashboard: dict[str, Any]) -> str:
    """Everything that its widgets ask."""
    return "\n".join(line["Expression"] for lines in asked_by_widget(dashboard) for line in lines)


def asked_by_widget(dashboard: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What the console calls GetMetricData with, for each graph."""
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    graphs = [widget["properties"]["metrics"] for widget in widgets if "metrics" in widget["properties"]]
    return [[{"Expression": line["expression"]} for [line, *_] in lines] for lines in graphs]


# What the hub hears


BUS = "arn:aws:events:us-east-1:555555555555:event-bus/handshake-acceptor-hub"
OWN_BUS = BUS
FOREIGN = "888888888888"


def bus_policy(raw: dict[str, Any]) -> list[dict[str, Any]]:
    bus = Deployed(hub(raw)).only("AWS::Events::EventBus")
    assert bus["Name"] == "handshake-acceptor-hub"
    statements: list[dict[str, Any]] = bus["Policy"]["Statement"]
    return statements


def test_the_bus_admits_only_these_accounts_and_organizations_with_these_kinds_of_event() -> None:
    kinds = ["Handshake Decision", "Handshake Policy Invalid", "CloudWatch Alarm State Change"]
    common = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": OWN_BUS}
    condition = {
        "ForAllValues:StringEquals": {"events:source": ["handshake-acceptor", "aws.cloudwatch"]},
        "Null": {"events:source": "false"},
        "StringEquals": {"events:detail-type": kinds},
    }
    accounts = {"Sid": "Accounts", "Principal": {"AWS": ["222222222222"]}, "Condition": condition, **common}
    own = {"events:detail-type": kinds, "aws:PrincipalOrgID": ["o-exampleorgid"]}
    organizations = {
        "Sid": "Organizations",
        "Principal": "*",
        "Condition": condition | {"StringEquals": own},
        **common,
    }
    assert bus_policy(ADMITTED) == [accounts]
    assert bus_policy({"organizations": ["o-exampleorgid"]}) == [organizations]
    assert bus_policy(ADMITTED | {"organizations": ["o-exampleorgid"]}) == [accounts, organizations]


def test_the_longest_policy_of_the_bus_has_room_however_aws_writes_it_out() -> None:
    most = {
        "accounts": [f"{700_000_000_000 + number}" for number in range(140)],
        "organizations": [f"o-{number:032}" for number in range(20)],
    }
    text = json.dumps(bus_policy(most)).replace(OWN_BUS, BUS)
    written_out = re.sub(r'"(7000000\d{5})"', r'"arn:aws-us-gov:iam::\1:root"', text)
    assert len(written_out) > len(text) + 140 * 20
    assert len(written_out) <= 10_240


def messages(deployed: Deployed, event: dict[str, Any]) -> list[str]:
    """What an event on the hub's bus makes its rules publish."""
    found = []
    for rule in deployed.wake_up_rules().values():
        assert rule["EventBusName"] == "AWS::Events::EventBus.Ref"
        (target,) = rule["Targets"]
        assert target["Arn"] == "AWS::SNS::Topic.Ref"
        if matches(rule, event):
            found.append(transformed(target["InputTransformer"], event))
    return found


@pytest.fixture(scope="module")
def hearing() -> Deployed:
    return Deployed(hub(ADMITTED | {"runbook": "https://wiki.example.com/runbook"}))


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_payment_refusal_is_one_sentence_once_a_process(hearing: Deployed, told: Told) -> None:
    told.world.invite()
    told.world.service.inject(replace(REFUSED, times=5))
    for _ in range(5):
        told.run()
        told.world.now += timedelta(minutes=5)
    said = [message for entry in told.taken for message in messages(hearing, delivered(entry))]
    assert said == [
        "Account 222222222222, 2026-11-20T21:41:16+00:00: INVITE from o-exampleorgid of 111111111111 to account"
        " 222222222222, sent 2026-11-20T21:41:16+00:00: needs a person: Join allows it; Give the account a payment"
        " method, then wait for the next sweep."
    ]


def test_what_goes_well_and_a_strangers_invitation_are_no_message(hearing: Deployed, told: Told) -> None:
    told.world.invite()
    told.world.invite(OTHER_MANAGEMENT)
    told.run()
    assert len(told.taken) == 2
    assert [message for entry in told.taken for message in messages(hearing, delivered(entry))] == []


def test_a_near_miss_and_the_brake_are_messages(hearing: Deployed, told: Told) -> None:
    told.world.policy(allow(), allow("Typo", OTHER_ORGANIZATION))
    told.world.mode("observe")
    told.world.invite()
    told.world.invite(OTHER_MANAGEMENT)
    told.run()
    said = [message for entry in told.taken for message in messages(hearing, delivered(entry))]
    assert len(said) == 2
    assert any("release the brake" in message for message in said)
    assert any("Typo: Origin.ManagementAccountId is 333333333333" in message for message in said)


def test_an_invalid_policy_is_one_message_whatever_waits_and_whatever_it_quotes(hearing: Deployed, told: Told) -> None:
    told.world.invite()
    told.world.invite(OTHER_MANAGEMENT)
    told.world.policy(allow('a"b\\c\n'))
    told.run()
    assert len(told.taken) == 3
    (said,) = [message for entry in told.taken for message in messages(hearing, delivered(entry))]
    assert said.startswith("Account 222222222222, 2026-11-20T21:41:16+00:00: The policy of account 222222222222 is inv")
    assert "/Statement/0/Sid" in said
    assert not set('"\\\n') & set(said)


def test_what_aws_makes_wait_is_a_message_only_when_it_soon_expires(hearing: Deployed, told: Told) -> None:
    told.world.invite()
    told.world.service.inject(replace(MADE_TO_WAIT, times=3))
    told.run()
    assert [message for entry in told.taken for message in messages(hearing, delivered(entry))] == []
    told.world.now += timedelta(days=14)
    told.run()
    (said,) = [message for entry in told.taken for message in messages(hearing, delivered(entry))]
    assert "it expires at 2026-12-05T21:41:16+00:00" in said


def test_the_account_of_a_message_is_never_the_one_that_the_event_writes(hearing: Deployed, told: Told) -> None:
    told.world.invite()
    told.world.service.inject(REFUSED)
    told.run()
    forged = delivered(told.taken[0]) | {"account": FOREIGN}
    (said,) = messages(hearing, forged)
    assert said.startswith(f"Account {FOREIGN}, ")


def alarm(value: str, previous: str, name: str = "handshake-acceptor-sweep-silent") -> dict[str, Any]:
    """As CloudWatch tells it: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html."""
    reason = "Threshold Crossed: no datapoints were received for 3 periods."
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": "222222222222",
        "time": "2026-11-20T21:41:16Z",
        "resources": [f"arn:aws:cloudwatch:us-east-1:222222222222:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {"value": value, "reason": reason, "timestamp": "2026-11-20T21:41:15.000+0000"},
            "previousState": {"value": previous, "timestamp": "2026-11-19T21:41:15.000+0000"},
        },
    }


def test_an_alarm_is_a_sentence_when_it_rings_and_when_it_is_over(hearing: Deployed) -> None:
    assert messages(hearing, alarm("ALARM", "OK")) == [
        "Account 222222222222: the alarm handshake-acceptor-sweep-silent rings since 2026-11-20T21:41:15.000+0000:"
        " Threshold Crossed: no datapoints were received for 3 periods. What to do: run handshakectl doctor in that"
        " account, and read what https://wiki.example.com/runbook says under the alarm's name."
    ]
    assert messages(hearing, alarm("ALARM", "INSUFFICIENT_DATA")) != []
    assert messages(hearing, alarm("OK", "ALARM")) == [
        "Account 222222222222: the alarm handshake-acceptor-sweep-silent is over since 2026-11-20T21:41:15.000+0000;"
        " nothing is left to do."
    ]


@pytest.mark.parametrize(
    "event",
    [alarm("OK", "INSUFFICIENT_DATA"), alarm("INSUFFICIENT_DATA", "OK"), alarm("ALARM", "OK") | {"source": "x"}],
)
def test_a_new_accounts_alarms_that_find_their_state_are_no_message(hearing: Deployed, event: dict[str, Any]) -> None:
    assert messages(hearing, event) == []


def test_the_topic_takes_messages_from_these_rules_alone(hearing: Deployed) -> None:
    (policy,) = hearing.all("AWS::SNS::TopicPolicy").values()
    admitted = [each for each in policy["Properties"]["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert admitted == [
        {
            "Sid": "RulesOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": "AWS::SNS::Topic.Ref",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": MONITORING},
                "ArnLike": {"aws:SourceArn": f"arn:aws:events:us-east-1:{MONITORING}:rule/handshake-acceptor-hub/*"},
            },
        }
    ]


def test_a_topic_and_a_sink_that_exist_already_are_used() -> None:
    stack = Deployed(hub(ADMITTED | {"messageTopic": TOPIC, "observabilitySink": SINK}))
    assert not stack.all("AWS::SNS::Topic")
    assert not stack.all("AWS::SNS::TopicPolicy")
    assert not stack.all("AWS::Oam::Sink")
    assert {target["Arn"] for rule in stack.wake_up_rules().values() for target in rule["Targets"]} == {TOPIC}
    assert stack.resolve(stack.template["Outputs"]["SinkArn"]["Value"]) == SINK


def test_an_e_mail_address_is_subscribed() -> None:
    subscription = Deployed(hub(ADMITTED | {"alarmEmail": "x@example.com"})).only("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "x@example.com")


# What accounts send on


TELLS: dict[str, Any] = {"decisionBus": BUS}


def forwarding(deployed: Deployed) -> dict[str, Any] | None:
    rules = [each["Properties"] for each in deployed.all("AWS::Events::Rule").values()]
    return next((rule for rule in rules if rule.get("Name") == "handshake-acceptor-tell-alarms"), None)


def test_an_account_sends_on_what_its_own_alarms_say_and_as_it_is() -> None:
    deployed = Deployed(synthesize(TELLS))
    rule = forwarding(deployed)
    assert rule is not None
    assert "EventBusName" not in rule, "the default bus"
    assert rule["Targets"] == [{"Id": "Hub", "Arn": BUS, "RoleArn": "AWS::IAM::Role.Arn"}]
    names = {each["Properties"]["AlarmName"] for each in deployed.all("AWS::CloudWatch::Alarm").values()}
    assert set(rule["EventPattern"]["detail"]["alarmName"]) == names
    assert matches(rule, alarm("ALARM", "OK"))
    assert not matches(rule, alarm("ALARM", "OK", "handshake-acceptor-of-somebody-else"))
    assert deployed.statements("handshake-acceptor-tell-alarms") == [
        {"Sid": "TellAlarms", "Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS}
    ]
    assert deployed.role("handshake-acceptor-tell-alarms")["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "events.amazonaws.com"},
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": ACCOUNT,
                    "aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/handshake-acceptor-tell-alarms",
                }
            },
        }
    ]


def test_of_fewer_alarms_fewer_are_sent_on_and_of_none_no_rule_is_made() -> None:
    rule = forwarding(Deployed(synthesize(TELLS | {"alarms": "essential"})))
    assert rule is not None
    assert rule["EventPattern"]["detail"]["alarmName"] == [
        "handshake-acceptor-runs-fail",
        "handshake-acceptor-sweep-silent",
    ]
    assert forwarding(Deployed(synthesize(TELLS | {"alarms": "none"}))) is None


@pytest.mark.parametrize("bus", ["default", BUS.replace("555555555555", ACCOUNT)])
def test_nothing_is_sent_on_to_a_bus_of_the_account_itself(bus: str) -> None:
    assert forwarding(Deployed(synthesize({"decisionBus": bus}))) is None
    assert forwarding(Deployed(template({"decisionBus": bus}), region="us-east-1")) is None


def test_a_template_sends_on_where_the_account_is_another() -> None:
    deployed = Deployed(template(LOCAL | TELLS), region="us-east-1")
    assert forwarding(deployed) is not None
    assert "handshake-acceptor-tell-alarms" in {
        each["Properties"]["RoleName"] for each in deployed.all("AWS::IAM::Role").values()
    }


def test_without_a_bus_nothing_is_sent_on(deployed: Deployed) -> None:
    assert forwarding(deployed) is None
