"""The hub and the links to it: who may link, what is shared, and questions that name what is really sent."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor_cdk.settings.reading import WrongSettings
from handshake_relay.metric import Metric as RelayMetric
from local.cloudwatch.metrics import refusal
from tests.support.synthesis import LOCAL, Deployed, hub, relay, synthesize

SINK = "arn:aws:oam:us-east-1:555555555555:sink/abcdef01-2345-6789-abcd-ef0123456789"
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
            'setting /account: unknown key (did you mean "accounts"?); known are accounts, organizations',
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
