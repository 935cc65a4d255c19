"""What an operator sees: every alarm by the scenario it is for; queries and widgets that name what is really said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.main import get_command

from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor_cdk.monitoring.saved_queries import DECISIONS, QUERIES, WHY_PENDING, Query
from handshakectl.main import app
from local.cloudwatch.dashboard_svg import Seen, draw
from local.cloudwatch.insights import ask
from local.cloudwatch.metrics import SPARE
from local.service.handshake_service import Fault
from local.world import MEMBER, ORGANIZATION, OTHER_MANAGEMENT, OTHER_ORGANIZATION, PREFIX, allow, deny
from tests.support.synthesis import ACCOUNT, ROOT, Deployed, synthesize
from tests.support.watched import SWEEP, Watched

Step = Callable[[Watched], None]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALARMS = (
    "policy-invalid",
    "nobody-allows",
    "expires-soon",
    "human-needed",
    "runs-fail",
    "queue-not-empty",
    "sweep-silent",
    "somebody-else-answered",
)
RELAY_ALARMS = ("hints-fail", "records-undelivered")


@pytest.fixture(params=[0, SPARE], ids=["no more periods", "more periods"])
def watched(deployed: Deployed, request: pytest.FixtureRequest) -> Watched:
    """A day at rest: deployed, a policy that allows one organization, nothing pending.

    Where data is missing CloudWatch looks at more periods than an alarm has, and does not say at how many.
    """
    account = Watched(deployed, spare=request.param)
    account.world.policy(allow())
    account.sweep(3)
    assert account.ringing() == set()
    return account


# The alarms, each by its scenario


def breaks_the_policy(account: Watched) -> None:
    account.world.parameters.values[f"{PREFIX}policy/second"] = "{"
    account.sweep()


def mends_the_policy(account: Watched) -> None:
    del account.world.parameters.values[f"{PREFIX}policy/second"]
    account.settle()


def is_invited_by_a_stranger(account: Watched) -> None:
    account.world.invite(OTHER_MANAGEMENT)
    account.sweep()


def is_nearly_allowed(account: Watched) -> None:
    """The policy names its organization, with another one's management account."""
    account.world.policy(allow(), allow("Typo", OTHER_ORGANIZATION))
    is_invited_by_a_stranger(account)


def denies_the_stranger(account: Watched) -> None:
    account.world.policy(allow(), deny(Origin={"OrganizationId": OTHER_ORGANIZATION}))
    account.settle()


def brakes_until_an_invitation_nearly_expires(account: Watched) -> None:
    account.world.mode("observe")
    account.world.invite()
    account.sweep()
    assert account.ringing() == set()
    account.world.now += timedelta(days=13)
    account.sweep(3)


def releases_the_brake(account: Watched) -> None:
    account.world.mode("enforce")
    account.sweep()
    account.settle()


def lacks_a_payment_method(account: Watched) -> None:
    code, reason = "HandshakeConstraintViolationException", "PAYMENT_INSTRUMENT_REQUIRED"
    account.world.service.inject(Fault(operation="AcceptHandshake", code=code, reason=reason, times=2))
    account.world.invite()
    account.sweep(2)


def gets_a_payment_method(account: Watched) -> None:
    account.sweep()
    account.settle()


def cannot_list(account: Watched, tries: int = 3) -> None:
    account.world.service.inject(Fault(operation="ListHandshakesForAccount", code="AccessDeniedException", times=tries))
    account.sweep()


def can_list_again_and_is_purged(account: Watched) -> None:
    account.purge()
    account.sweep(4)


def cannot_deliver(account: Watched) -> None:
    account.queued += 1
    account.sweep()


def purges(account: Watched) -> None:
    account.purge()
    account.sweep()


def disables_the_schedule(account: Watched) -> None:
    account.pass_time((3 + account.spare) * SWEEP)


def enables_the_schedule(account: Watched) -> None:
    account.sweep()


def record(name: str = "accept-by-someone-else", /, **detail: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "tests" / "events" / f"{name}.json").read_text())
    event["detail"] |= detail
    return event


def answers_by_hand(account: Watched) -> None:
    account.deliver(record())
    account.sweep()


def a_day_passes(account: Watched) -> None:
    account.sweep((24 + account.spare) * 12)


SCENARIOS: dict[str, tuple[Step, set[str], Step]] = {
    "policy-invalid": (breaks_the_policy, {"policy-invalid"}, mends_the_policy),
    "nobody-allows": (is_nearly_allowed, {"nobody-allows"}, denies_the_stranger),
    "expires-soon": (brakes_until_an_invitation_nearly_expires, {"expires-soon"}, releases_the_brake),
    "human-needed": (lacks_a_payment_method, {"human-needed"}, gets_a_payment_method),
    "runs-fail": (cannot_list, {"runs-fail", "queue-not-empty"}, can_list_again_and_is_purged),
    "queue-not-empty": (cannot_deliver, {"queue-not-empty"}, purges),
    "sweep-silent": (disables_the_schedule, {"sweep-silent"}, enables_the_schedule),
    "somebody-else-answered": (answers_by_hand, {"somebody-else-answered"}, a_day_passes),
}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_rings_for_its_situation_alone_and_ends_with_it(watched: Watched, name: str) -> None:
    cause, expected, cure = SCENARIOS[name]
    cause(watched)
    assert watched.ringing() == expected
    assert name in expected
    cure(watched)
    assert watched.ringing() == set()
    assert watched.states[name] == "OK"
    assert sorted(watched.rang) == sorted(expected), "one message a situation, not one a sweep"


def test_silence_rings_after_three_sweeps_at_the_earliest_and_with_aws_reading_back_after_five(
    watched: Watched,
) -> None:
    for _ in range(2 + watched.spare):
        watched.pass_time(SWEEP)
        assert watched.ringing() == set()
    watched.pass_time(SWEEP)
    assert watched.ringing() == {"sweep-silent"}


def test_a_situation_that_lasts_rings_once_even_if_a_sweep_is_missed(watched: Watched) -> None:
    is_nearly_allowed(watched)
    watched.sweep(10)
    watched.pass_time(timedelta(minutes=10))
    watched.sweep(10)
    assert watched.rang == ["nobody-allows"]


def test_a_stranger_who_invites_rings_nothing_and_keeps_nobody_from_hearing_of_a_typing_error(watched: Watched) -> None:
    is_invited_by_a_stranger(watched)
    watched.sweep(10)
    watched.world.now += timedelta(days=13)
    watched.sweep(10)
    assert watched.rang == []
    watched.world.policy(allow(organization="o-exampleorgie"))
    watched.world.invite()
    watched.sweep()
    assert watched.rang == ["nobody-allows"]


def test_an_idle_account_sends_no_metric_and_is_quiet(watched: Watched) -> None:
    watched.sweep(300)
    assert watched.emitted() == set()
    assert set(watched.states.values()) == {"OK"}
    assert watched.rang == []


def test_a_failure_that_the_retry_cures_is_nobodys_alarm(watched: Watched) -> None:
    cannot_list(watched, tries=2)
    watched.sweep(3)
    assert watched.rang == []


def test_an_explicit_deny_is_an_answer_even_when_the_invitation_expires(watched: Watched) -> None:
    watched.world.policy(allow(), deny(Origin={"OrganizationId": OTHER_ORGANIZATION}))
    watched.world.invite(OTHER_MANAGEMENT)
    watched.sweep()
    watched.world.now += timedelta(days=14)
    watched.sweep(3)
    assert watched.rang == []
    assert watched.emitted() == {Metric.PENDING}


# Who answered


def principal(**identity: Any) -> dict[str, Any]:
    return record(userIdentity=identity)


SESSION = "arn:aws:sts::222222222222:assumed-role"


@pytest.mark.parametrize(
    ("event", "rings"),
    [
        (record(), True),
        (record(eventName="DeclineHandshake"), True),
        (principal(type="Root", arn="arn:aws:iam::222222222222:root"), True),
        (principal(type="IAMUser", arn="arn:aws:iam::222222222222:user/handshake-acceptor"), True),
        (principal(type="AssumedRole", arn=f"{SESSION}/handshake-acceptor-sweep/handshake-acceptor"), True),
        (principal(type="AWSAccount"), True),
        (principal(type="AssumedRole", arn=f"{SESSION}/handshake-acceptor/handshake-acceptor"), False),
        (record(errorCode="AccessDenied"), False),
        (record(eventName="ListHandshakesForAccount"), False),
        (record("invite-account"), False),
    ],
)
def test_only_an_answer_of_somebody_else_rings(watched: Watched, event: dict[str, Any], rings: bool) -> None:
    watched.deliver(event)
    watched.sweep()
    assert watched.ringing() == ({"somebody-else-answered"} if rings else set())


# Metrics: what is sent is what is drawn


def own(widgets_or_alarms: Any) -> set[str]:
    """The function's own metrics that alarms, or widgets, name."""
    found = set()
    for name, dimension, value in re.findall(
        rf'"{NAMESPACE}", ?"(\w+)", ?"(\w+)", ?"([\w-]+)"', json.dumps(widgets_or_alarms)
    ):
        assert (dimension, value) == ("service", "handshake-acceptor")
        found.add(name)
    return found


def drawn(deployed: Deployed) -> list[dict[str, Any]]:
    body = json.loads(deployed.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    widgets: list[dict[str, Any]] = body["widgets"]
    return widgets


def test_every_metric_that_scenarios_send_is_drawn_and_no_other(watched: Watched, deployed: Deployed) -> None:
    for cause, _, cure in SCENARIOS.values():
        if cause is not answers_by_hand:
            cause(watched)
            cure(watched)
            if watched.world.service.organization_of(MEMBER):
                watched.world.service.call("LeaveOrganization", MEMBER, {})
    decline_origin = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
    watched.world.policy(allow(), deny(Action="INVITE", Origin=decline_origin, Respond="Decline"))
    watched.sweep()
    alarmed = {alarm["MetricName"] for alarm in watched.alarms.values() if alarm["Namespace"] == NAMESPACE}
    assert watched.emitted() == own(drawn(deployed)) == {metric.value for metric in Metric}
    assert alarmed <= watched.emitted()


def test_metrics_are_few_and_have_one_dimension_that_the_function_is_told(deployed: Deployed) -> None:
    assert len(Metric) <= 8
    environment = deployed.only("AWS::Lambda::Function")["Environment"]["Variables"]
    assert environment["POWERTOOLS_METRICS_NAMESPACE"] == NAMESPACE
    for alarm in deployed.all("AWS::CloudWatch::Alarm").values():
        if alarm["Properties"]["Namespace"] == NAMESPACE:
            service = {"Name": "service", "Value": environment["POWERTOOLS_SERVICE_NAME"]}
            assert alarm["Properties"]["Dimensions"] == [service]


# What an alarm says and where it goes


def test_every_alarm_says_what_happened_what_it_means_what_to_do_and_where_to_read_on(deployed: Deployed) -> None:
    sections = re.findall(r"^## ([a-z-]+)$", RUNBOOK, re.MULTILINE)
    assert sections == [*ALARMS, *RELAY_ALARMS], "a section an alarm, in the same order"
    alarms = [alarm["Properties"] for alarm in deployed.all("AWS::CloudWatch::Alarm").values()]
    assert {alarm["AlarmName"] for alarm in alarms} == {f"handshake-acceptor-{name}" for name in ALARMS}
    for alarm in alarms:
        parts = ["What happened: .+", "What it means: .+", "What to do: .+", r"Runbook: docs/runbook\.md#(.+)"]
        said = re.fullmatch("\n\n".join(parts), alarm["AlarmDescription"])
        assert said
        assert alarm["AlarmName"] == f"handshake-acceptor-{said[1]}"
        assert len(alarm["AlarmDescription"]) <= 1024
        assert alarm["AlarmActions"] == ["AWS::SNS::Topic.Ref"]


@pytest.mark.parametrize("name", [*ALARMS, *RELAY_ALARMS])
def test_every_section_has_symptoms_what_to_look_at_and_what_to_do(name: str) -> None:
    [section] = [each for each in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE) if each.startswith(f"{name}\n")]
    for part in ("**Symptoms.**", "**Look at.**", "**Do.**", "```console"):
        assert part in section


def test_the_runbook_and_the_alarms_name_only_verbs_that_there_are(deployed: Deployed) -> None:
    said = RUNBOOK + json.dumps(deployed.all("AWS::CloudWatch::Alarm"))
    verbs = set(get_command(app).list_commands(None))  # type: ignore[attr-defined]
    named = set(re.findall(r"handshakectl (\w+)", said))
    assert {"doctor", "pending", "push", "pull", "run"} <= named <= verbs


def test_thresholds_and_periods_are_settings() -> None:
    settings = {"expiryHours": 96, "failedTries": 6, "silentSweeps": 2, "clearSweeps": 1, "sweepMinutes": 10}
    alarms = Watched(Deployed(synthesize(settings))).alarms
    seen = {name: (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) for name, alarm in alarms.items()}
    assert seen == {
        "policy-invalid": (1, 600, 1),
        "nobody-allows": (1, 600, 1),
        "expires-soon": (96, 600, 1),
        "human-needed": (1, 600, 1),
        "runs-fail": (6, 1800, 1),
        "queue-not-empty": (1, 600, 1),
        "sweep-silent": (1, 600, 2),
        "somebody-else-answered": (1, 3600, 24),
    }


@pytest.mark.parametrize(
    ("setting", "names"), [("all", ALARMS), ("essential", ("runs-fail", "sweep-silent")), ("none", ())]
)
def test_which_alarms_there_are_is_a_setting(setting: str, names: tuple[str, ...]) -> None:
    stack = Deployed(synthesize({"alarms": setting}))
    assert set(Watched(stack).alarms) == set(names)
    rules = {each["Properties"].get("Name") for each in stack.all("AWS::Events::Rule").values()}
    assert ("handshake-acceptor-somebody-else" in rules) is (setting == "all")
    (dashboard,) = stack.all("AWS::CloudWatch::Dashboard").values()
    assert ('"type":"alarm"' in json.dumps(dashboard).replace("\\", "")) is bool(names)


@pytest.mark.parametrize("minutes", [5, 59, 60, 1440])
def test_cloudwatch_takes_the_periods_of_every_sweep(minutes: int) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    settings = {"sweepMinutes": minutes, "silentSweeps": 7, "clearSweeps": 7}
    for alarm in Watched(Deployed(synthesize(settings))).alarms.values():
        assert alarm["Period"] % 60 == 0
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= (604_800 if alarm["Period"] >= 3600 else 86_400)


def test_only_this_accounts_alarms_may_publish_and_over_tls(deployed: Deployed) -> None:
    statements = deployed.only("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    topic = "AWS::SNS::Topic.Ref"
    tls, publish = sorted(statements, key=lambda each: each["Effect"], reverse=True)
    assert (tls["Effect"], tls["Principal"], tls["Action"], tls["Resource"], tls["Condition"]) == (
        "Deny",
        "*",
        "sns:Publish",
        topic,
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    assert publish == {
        "Sid": "AlarmsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:handshake-acceptor-*"},
        },
    }


def test_an_address_is_told_only_if_set(deployed: Deployed) -> None:
    assert deployed.all("AWS::SNS::Subscription") == {}
    subscribed = Deployed(synthesize({"alarmEmail": "team@example.com"})).only("AWS::SNS::Subscription")
    assert (subscribed["Protocol"], subscribed["Endpoint"]) == ("email", "team@example.com")


# The queries


@pytest.fixture(scope="module")
def said(deployed: Deployed) -> list[dict[str, Any]]:
    """The log of an account where much happened."""
    account = Watched(deployed)
    account.world.policy(allow())
    account.world.service.inject(Fault(operation="AcceptHandshake", code="TooManyRequestsException"))
    account.world.invite()
    is_invited_by_a_stranger(account)
    account.sweep()
    cannot_list(account)
    return [{"@timestamp": number} | line for number, line in enumerate(account.lines(), 100)]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_field_that_a_query_names_is_in_the_lines_it_is_for(said: list[dict[str, Any]], query: Query) -> None:
    kind = re.search(r'message = "(\w+)"', query.text)
    assert kind
    lines = [line for line in said if line["message"] == kind[1]]
    assert lines
    for name in asked(query):
        assert any(found(line, name.split(".")) for line in lines), name


def asked(query: Query) -> set[str]:
    """The fields that a query names, but not its own names, the language's words, and what CloudWatch adds."""
    text = re.sub(r'"[^"]*"', "", query.text)
    named = set(re.findall(r" as (\w+)", text))
    functions = set(re.findall(r"(\w+)\(", text))
    words = {"fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "desc"}
    return set(re.findall(r"(?<![@\w.])[a-z_][\w.]*", text)) - named - functions - words


def found(line: dict[str, Any], path: list[str]) -> bool:
    here: Any = line
    for step in path:
        if isinstance(here, list):
            if int(step) >= len(here):
                return False
            here = here[int(step)]
        elif isinstance(here, dict) and step in here:
            here = here[step]
        else:
            return False
    return True


ANSWERS: dict[str, list[dict[str, Any]]] = {
    "accepted by statement": [
        {"accepted": 1, "sids.0": "Join", "organization_id": ORGANIZATION, "action": "INVITE"},
    ],
    "retries": [{"decisions": 1, "most_attempts": 2, "outcome": "ACCEPTED", "reason": "ALLOWED"}],
    "failed runs by kind": [
        {"tries": 3, "failures.0": "LIST_UNREADABLE AccessDeniedException", "trigger": "sweep"},
    ],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_query_answers_what_its_name_asks(said: list[dict[str, Any]], name: str) -> None:
    (query,) = (query for query in QUERIES if query.name == name)
    rows = ask(query.text, said)
    assert [{key: cell for key, cell in row.items() if key != "last"} for row in rows] == ANSWERS[name]


def test_the_decisions_and_why_one_is_pending_come_latest_first(said: list[dict[str, Any]]) -> None:
    decisions = ask(DECISIONS.text, said)
    assert [row["outcome"] for row in decisions] == ["LEFT_PENDING", "ACCEPTED", "LEFT_PENDING"]
    pending = decisions[0]["handshake_id"]
    why = ask(WHY_PENDING.text.replace("h-PUT-ITS-ID-HERE", pending), said)
    assert [row["decision"] for row in why] == ["NO_MATCH", "NO_MATCH"]
    assert "the statement has o-exampleorgid" in why[0]["reasons.0.message"]


def test_the_queries_are_saved_for_the_functions_log(deployed: Deployed) -> None:
    saved = [each["Properties"] for each in deployed.all("AWS::Logs::QueryDefinition").values()]
    assert {each["Name"]: each["QueryString"] for each in saved} == {
        f"handshake-acceptor/{query.name}": query.text for query in QUERIES
    }
    assert all(each["LogGroupNames"] == ["AWS::Logs::LogGroup.Ref"] for each in saved)


# The dashboard


def test_the_dashboard_answers_from_top_to_bottom(deployed: Deployed) -> None:
    widgets = drawn(deployed)
    titles = [widget["properties"].get("title", widget["type"]) for widget in widgets]
    assert titles == [
        "text",
        "Alarms",
        "Waiting now, and the hours it has left",
        "What became of handshakes",
        "From invitation to acceptance",
        "Accepted, by statement",
        "Retries, by reason",
        "Failed runs, by kind",
        "Alive: runs and errors",
        "How long a run takes",
        "Queue of failures",
        "Last decisions",
    ]
    assert max(widget["x"] + widget["width"] for widget in widgets) == 24
    assert max(widget["y"] + widget["height"] for widget in widgets) <= 26, "one screen"
    header = widgets[0]["properties"]["markdown"]
    assert "docs/runbook.md" in header
    assert "/systems-manager/parameters/handshake-acceptor/policy/allowlist/description?region=us-east-1" in header
    assert len(widgets[1]["properties"]["alarms"]) == len(ALARMS)


def test_the_dashboard_can_be_turned_off_and_links_to_a_runbook_of_your_own() -> None:
    assert Deployed(synthesize({"dashboard": False})).all("AWS::CloudWatch::Dashboard") == {}
    ours = Deployed(synthesize({"runbook": "https://wiki.example.com/joins"}))
    assert "[the runbook](https://wiki.example.com/joins)" in drawn(ours)[0]["properties"]["markdown"]
    for alarm in Watched(ours).alarms.values():
        assert "Runbook: https://wiki.example.com/joins#" in alarm["AlarmDescription"]


def test_the_dashboard_can_be_drawn_from_what_was_seen(watched: Watched, said: list[dict[str, Any]]) -> None:
    begin = watched.world.now
    is_nearly_allowed(watched)
    body = watched.deployed.only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    states = {f"handshake-acceptor-{name}": state for name, state in watched.states.items()}
    picture = draw(body, Seen(watched.data, said, states, begin, watched.world.now))
    texts = {"".join(element.itertext()) for element in ElementTree.fromstring(picture).findall(".//{*}text")}
    assert {widget["properties"].get("title", "Alarms") for widget in drawn(watched.deployed)} <= texts
    assert {"pending", "LEFT_PENDING", "360"} <= texts
