"""`handshakectl verify`: an account where AWS is as the project assumes, and a lie planted for each check."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws, Caller
from handshakectl.account.verification.everything import checks_of
from handshakectl.account.verification.proof import PERMISSIONS, proved
from handshakectl.account.verification.queries import log_query, metric_queries
from handshakectl.account.verification.wakes import Patience
from handshakectl.main import app
from local.world import MANAGEMENT, MEMBER, ORGANIZATION, PREFIX
from tests.cli.healthy import TOPIC, refused, schedule
from tests.cli.sessions import share_clients
from tests.cli.verified import (
    GRAPH,
    GROUP,
    HINTS,
    LOG_WIDGET,
    NAME,
    QUERY,
    RECORDS,
    RULES,
    STRANGER,
    Account,
    admit,
    alarm,
    answered,
    bus,
    dashboard,
    history,
    role_policy,
    simulated,
)

CHECKS = [
    "rules",
    "role",
    "hint bus",
    "hint",
    "policy change",
    "saved queries",
    "dashboard",
    "alarms",
    "sweep",
]
PAGE = Path(__file__).parents[2] / "docs" / "verify.md"
OURS = Caller(MEMBER, "aws", "session")
OTHER = SimpleNamespace(account_id=STRANGER)


@pytest.fixture(autouse=True)
def region(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def prove(account, seconds=120, stranger=None):
    """What becomes of each assumption in an account, by check."""
    names = count()
    other = None
    if stranger:
        other = Aws(None, "us-east-1")
        other.caller = lambda: Caller(stranger, "aws", "session")
    with patch.object(BaseClient, "_make_api_call", lambda *asked: account.call(*asked)):
        deployed = Deployment(Aws(None, "us-east-1"), OURS, None, PREFIX)
        patience = Patience(account.now, account.sleep, seconds)
        checks = checks_of(deployed, patience, lambda: f"verify{next(names):010}", other)
        return {check.name: proved(check) for check in checks}


def test_all_is_proven_where_aws_is_as_assumed_and_left_as_it_was():
    account = Account()
    found = prove(account, stranger=STRANGER)
    assert [proof.as_dict() for proof in found.values() if proof.verdict != "proven"] == []
    assert list(found) == [*CHECKS[:3], "stranger", *CHECKS[3:]]
    assert (account.labels, len(account.seen)) == (set(), 1)


def without(bus_name, rule):
    def names(asked):
        return {
            "RuleNames": [
                name
                for name in RULES[asked["EventBusName"]]
                if not name.startswith(NAME) and (asked["EventBusName"], name) != (bus_name, rule)
            ]
        }

    return names


def pattern(rule, **changes):
    """The deployed rules, but for parts of one."""

    def described(asked):
        found = RULES[asked.get("EventBusName", "default")][asked["Name"]]
        return {"EventPattern": json.dumps(found | changes if asked["Name"] == rule else found)}

    return described


def detail(rule, of, **changes):
    return pattern(rule, detail={k: v for k, v in (RULES[of][rule]["detail"] | changes).items() if v is not None})


DENIED = refused("AccessDeniedException")
OLD = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("check", "changes", "says"),
    [
        ("rules", {"ListRuleNamesByTarget": {"RuleNames": []}}, "no rule on the bus default wakes the function"),
        ("rules", {"ListRuleNamesByTarget": without(NAME, "Hint")}, f"no rule on the bus {NAME} matches a hint of the"),
        (
            "rules",
            {"DescribeRule": detail("ForwardedRecord", NAME, errorCode=None)},
            f"ForwardedRecord on the bus {NAME} matches a record with an error code",
        ),
        (
            "rules",
            {"DescribeRule": pattern("Hint", source=[{"exists": True}])},
            f"Hint on the bus {NAME} matches a hint from a stranger's source",
        ),
        (
            "rules",
            {"DescribeRule": detail("PolicyChange", "default", name=[{"exists": True}])},
            "PolicyChange on the bus default matches a parameter of somebody else that changed",
        ),
        (
            "rules",
            {"DescribeRule": detail(f"{NAME}-somebody-else", "default", userIdentity=None)},
            f"{NAME}-somebody-else matches the record of an accept by the function",
        ),
        (
            "role",
            {"SimulatePrincipalPolicy": simulated(refuses=[("organizations:AcceptHandshake", MANAGEMENT)])},
            "it may not organizations:AcceptHandshake on",
        ),
        (
            "role",
            {"SimulatePrincipalPolicy": simulated(allows=[("organizations:AcceptHandshake", "o-0000000000")])},
            f"it may organizations:AcceptHandshake on arn:aws:organizations::{MANAGEMENT}:handshake/o-0000000000/",
        ),
        (
            "role",
            {"SimulatePrincipalPolicy": simulated(allows=[("organizations:DeclineHandshake", ORGANIZATION)])},
            "it may organizations:DeclineHandshake on",
        ),
        ("role", {"SimulatePrincipalPolicy": simulated(allows=[("ssm:PutParameter", "mode")])}, "ssm:PutParameter on"),
        ("hint bus", {"DescribeEventBus": {"Name": NAME}}, "the bus has no policy"),
        ("hint bus", {"DescribeEventBus": bus(HINTS | {"Principal": "*"}, RECORDS)}, "Hint admits every account"),
        ("hint bus", {"DescribeEventBus": bus(HINTS, RECORDS | {"Condition": {}})}, "ForwardedRecord admits other"),
        (
            "hint bus",
            {"DescribeEventBus": bus(HINTS, RECORDS, admit("Old", "handshake-acceptor.relay", "Handshake Hint", "3"))},
            "3 may send hints and is no origin",
        ),
        ("hint", {"PutEvents": {"Entries": [{"ErrorCode": "InvalidArgument"}]}}, "EventBridge refuses the hint"),
        ("sweep", {"GetSchedule": schedule(State="DISABLED")}, "the sweep is disabled"),
        ("saved queries", {"DescribeQueryDefinitions": {"queryDefinitions": []}}, "no query is saved under"),
        ("saved queries", {"StartQuery": refused("MalformedQueryException")}, "last: AWS refuses it: Malformed"),
        ("saved queries", {"GetQueryResults": {"status": "Failed"}}, "last: it ended Failed"),
        ("dashboard", {"StartQuery": refused("MalformedQueryException")}, f"{NAME}, Last: AWS refuses it"),
        ("dashboard", {"GetMetricData": refused("ValidationError")}, f"{NAME}, Alive: AWS refuses it: ValidationError"),
        ("dashboard", {"GetMetricData": answered("InternalError")}, "Alive: line0 is InternalError"),
        ("dashboard", {"GetMetricData": {"MetricDataResults": []}}, "Alive: no answer to line0"),
        ("dashboard", {"GetMetricData": answered(values=())}, "Alive: line0 is empty, and the function ran"),
        ("alarms", {"DescribeAlarms": {"MetricAlarms": [alarm(ActionsEnabled=False)]}}, "runs-fail tells nobody"),
        (
            "alarms",
            {"DescribeAlarms": {"MetricAlarms": [alarm(StateValue="INSUFFICIENT_DATA")]}},
            "runs-fail is INSUFFICIENT_DATA, and takes missing data as notBreaching",
        ),
        (
            "alarms",
            {"DescribeAlarms": {"MetricAlarms": [alarm("sweep-silent", StateValue="ALARM")]}},
            "sweep-silent rings, and the function runs",
        ),
        (
            "alarms",
            {"DescribeAlarmHistory": history((1, "Action", f"Failed to execute action {TOPIC}"))},
            "runs-fail could not tell its topic 1 time",
        ),
        (
            "alarms",
            {"DescribeAlarmHistory": history((1, "StateUpdate", "Alarm updated from OK to ALARM"))},
            "and its history names no action",
        ),
    ],
)
def test_a_lie_is_found_by_its_check(check, changes, says):
    account = Account(**changes)
    account.say(message="run", trigger="sweep", decisions=0)
    account.said[0] = (account.began - timedelta(minutes=30), account.said[0][1])
    account.say(message="run", trigger="sweep", decisions=0)
    proof = prove(account)[check]
    assert proof.verdict == "false", proof
    assert proof.breaks
    assert proof.advice
    assert says in proof.why


@pytest.mark.parametrize("check", ["hint", "policy change", "sweep"])
def test_what_wakes_nobody_is_false_and_all_is_left_as_it_was(check):
    account = Account()
    account.silent = {check}
    found = prove(account, seconds=1_000)
    assert {name for name, proof in found.items() if proof.verdict == "false"} == {check}
    assert (account.labels, len(account.seen)) == (set(), 1)


def test_a_sweep_that_is_later_than_the_wait_cannot_be_told():
    account = Account()
    account.silent = {"sweep"}
    proof = prove(account, seconds=60)["sweep"]
    assert (proof.verdict, proof.why, proof.advice) == (
        "cannot tell",
        "no sweep within 60 s; it may take 660",
        "give --wait more minutes",
    )


@pytest.mark.parametrize(
    ("record", "verdict", "says"),
    [
        ({"trigger": "unknown"}, "false", "the source did not travel"),
        ({"handshake_id": "h-another00000000"}, "false", "no run within 120 s says anything of h-verify0000000000"),
        ({"outcome": "RETRY_LATER"}, "false", "it was told another time"),
        ({"outcome": "RETRY_LATER", "reasons": [{"code": "LIST_UNREADABLE"}]}, "cannot tell", "LIST_UNREADABLE"),
    ],
)
def test_what_a_transformer_loses_is_found(record, verdict, says):
    account = Account()
    account.record = record
    proof = prove(account)["hint"]
    assert (proof.verdict, says in proof.why) == (verdict, True), proof


def test_a_label_is_put_once_the_policy_has_been_quiet():
    """What somebody wrote just before wakes the function too, and must not pass for what the label woke."""
    account = Account()
    account.silent = {"sweep"}
    label = account.label

    def late(asked):
        assert account.slept >= timedelta(seconds=90)
        return label(asked)

    account.answers["LabelParameterVersion"] = late
    assert prove(account, seconds=0)["policy change"].verdict == "proven"


def test_a_policy_that_is_never_quiet_cannot_tell():
    account = Account()
    (mode,) = account.answers["GetParametersByPath"]["Parameters"]
    account.answers["GetParametersByPath"] = lambda _: {"Parameters": [mode | {"LastModifiedDate": account.now()}]}
    assert prove(account)["policy change"].advice == "try again later"
    assert account.seen == set()


def test_a_hint_s_proof_has_what_aws_says_of_a_handshake_that_is_not_there():
    assert prove(Account())["hint"].why.endswith("AWS says of it: HandshakeNotFoundException")


def test_a_policy_that_is_written_meanwhile_cannot_tell():
    account = Account()
    (mode,) = account.answers["GetParametersByPath"]["Parameters"]
    account.answers["GetParametersByPath"] = lambda _: {"Parameters": [mode | {"Version": 3 + len(account.seen)}]}
    proof = prove(account)["policy change"]
    assert (proof.verdict, proof.advice) == ("cannot tell", "try again")


def test_a_label_that_cannot_be_taken_off_is_told_with_the_command_that_does():
    account = Account(UnlabelParameterVersion=DENIED)
    proof = prove(account)["policy change"]
    assert proof.verdict == "cannot tell"
    assert "the label may be there still" in proof.why
    assert proof.advice.startswith("ask with credentials that have ssm:UnlabelParameterVersion; aws ssm unlabel-")
    assert f"--name {PREFIX}mode --parameter-version 3 --labels handshakectl-verify-" in proof.advice


@pytest.mark.parametrize("operation", ["LabelParameterVersion", "FilterLogEvents"])
def test_a_label_is_taken_off_whatever_happens(operation):
    """A call that was cut off may have been done; one that was refused was not."""
    account = Account()
    usual = account.answers[operation]

    def cut_off(asked):
        if operation == "LabelParameterVersion" or account.labels:
            usual(asked)
            raise EndpointConnectionError(endpoint_url="https://example.com")
        return usual(asked)

    account.answers[operation] = cut_off
    assert prove(account)["policy change"].verdict == "cannot tell"
    assert (account.labels, len(account.seen)) == (set(), 1)


@pytest.mark.parametrize("operation", sorted(PERMISSIONS))
def test_a_permission_that_lacks_is_named(operation):
    found = prove(Account(**{operation: DENIED}))
    unclear = [proof for proof in found.values() if proof.verdict != "proven"]
    assert unclear
    for proof in unclear:
        assert (proof.verdict, PERMISSIONS[operation] in proof.advice) == ("cannot tell", True), proof


# A stranger


@pytest.mark.parametrize(
    ("answer", "who", "verdict", "says"),
    [
        ({"ErrorCode": "NotAuthorizedForSourceException"}, STRANGER, "proven", f"a put from {STRANGER} is refused"),
        ({"ErrorCode": "AccessDeniedException", "ErrorMessage": "no identity-based policy allows it"}, STRANGER,
         "cannot tell", "the stranger's own policy refuses it"),
        ({"ErrorCode": "InternalFailure"}, STRANGER, "cannot tell", "failed for another reason: InternalFailure"),
        ({"EventId": "1"}, STRANGER, "false", f"a put from {STRANGER} was taken, and woke nothing"),
        ({"EventId": "1"}, MANAGEMENT, "cannot tell", f"{MANAGEMENT} is no stranger"),
        ({"EventId": "1"}, MEMBER, "cannot tell", f"{MEMBER} is no stranger"),
    ],
)  # fmt: skip
def test_a_stranger_must_be_refused(answer, who, verdict, says):
    account = Account()
    taken = account.put_events
    account.answers["PutEvents"] = lambda asked: (
        {"Entries": [answer]} if asked["Entries"][0]["EventBusName"].startswith("arn:") else taken(asked)
    )
    proof = prove(account, stranger=who)["stranger"]
    assert (proof.verdict, says in proof.why) == (verdict, True), proof


def test_a_stranger_who_wakes_the_function_is_told_so():
    account = Account()
    account.answers["PutEvents"] = lambda asked: account.take(asked["Entries"][0])
    assert prove(account, stranger=STRANGER)["stranger"].why.endswith("was taken, and woke the function")


def test_a_refusal_of_the_whole_call_is_a_refusal():
    account = Account()
    taken = account.put_events

    def put(asked):
        if asked["Entries"][0]["EventBusName"].startswith("arn:"):
            raise refused("AccessDeniedException")
        return taken(asked)

    account.answers["PutEvents"] = put
    assert prove(account, stranger=STRANGER)["stranger"].verdict == "proven"


# What is asked


def test_a_service_control_policy_is_said_to_be_what_refuses():
    refuses = simulated(refuses=[("organizations:AcceptHandshake", MANAGEMENT)], by_organization=True)
    assert "service control policy" in prove(Account(SimulatePrincipalPolicy=refuses))["role"].advice


def test_a_ceiling_of_any_origin_is_held_to_what_it_says():
    account = Account(GetRolePolicy=role_policy(patterns=["arn:aws:organizations::*:handshake/*"]))
    account.answers["SimulatePrincipalPolicy"] = simulated(allows=[("organizations:AcceptHandshake", "handshake")])
    assert prove(account)["role"].verdict == "proven"


def test_a_graph_of_a_function_that_did_not_run_may_be_empty():
    assert prove(Account(GetMetricData=answered(values=())))["dashboard"].verdict == "proven"


def test_no_ceiling_is_held_to_nothing():
    account = Account(GetRolePolicy={"PolicyDocument": {"Statement": []}}, SimulatePrincipalPolicy=simulated())
    proof = prove(account)["role"]
    assert (proof.verdict, "0 things inside" in proof.why) == ("proven", True)


def test_an_account_without_dashboard_alarms_and_the_watching_rule_has_nothing_false():
    def described(asked):
        if asked["Name"].startswith(NAME):
            raise refused("ResourceNotFoundException")
        return pattern("")(asked)

    nothing = {"ListDashboards": {"DashboardEntries": []}, "DescribeAlarms": {"MetricAlarms": []}}
    found = prove(Account(DescribeRule=described, **nothing))
    assert {found[check].verdict for check in ("rules", "dashboard", "alarms")} == {"proven"}


def test_an_alarm_that_is_new_may_still_be_without_data():
    new = alarm(StateValue="INSUFFICIENT_DATA", AlarmConfigurationUpdatedTimestamp=datetime.now(UTC))
    assert prove(Account(DescribeAlarms={"MetricAlarms": [new]}))["alarms"].verdict == "proven"


def test_a_widget_s_question_is_asked_of_its_log_groups():
    assert log_query(f"SOURCE '{GROUP}' | SOURCE '/other' | {QUERY}").groups == (GROUP, "/other")
    assert log_query(f"SOURCE '{GROUP}' | {QUERY}").text == QUERY
    asked = {}
    account = Account(GetDashboard=dashboard(LOG_WIDGET))
    account.answers["StartQuery"] = lambda request: asked.update(request) or {"queryId": "1"}
    prove(account)
    assert (asked["logGroupNames"], asked["queryString"]) == ([GROUP], QUERY)
    assert asked["endTime"] - asked["startTime"] == 3600


def test_a_graph_s_lines_are_asked_as_getmetricdata_takes_them():
    lines = GRAPH["properties"]["metrics"]
    hidden = [{"expression": 'SELECT SUM(Errors) FROM "AWS/Lambda"', "visible": False, "id": "all"}]
    first, second = metric_queries({"metrics": [*lines, hidden], "period": 60})
    dimensions = [{"Name": "FunctionName", "Value": NAME}]
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Invocations", "Dimensions": dimensions}
    assert first == {"Id": "line0", "ReturnData": True, "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}
    assert second["Expression"].startswith("SELECT")
    assert (second["Id"], second["ReturnData"], second["Period"]) == ("all", False, 60)


# The command


def verify(account, *options):
    with patch.object(BaseClient, "_make_api_call", lambda *asked: account.call(*asked)):
        return CliRunner().invoke(app, ["verify", "--wait", "0", *options])


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr("handshakectl.commands.verify.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def quick(at_once):
    """An account whose sweep comes in the moment in which one looks for it."""
    account = Account()
    (mode,) = account.answers["GetParametersByPath"]["Parameters"]
    mode["LastModifiedDate"] = OLD
    usual = account.answers["FilterLogEvents"]

    def looked(asked):
        account.began = datetime.now(UTC)
        account.say(message="run", trigger="sweep")
        return usual(asked)

    account.answers["FilterLogEvents"] = looked
    account.queries = 1
    return account


def test_people_get_a_table_and_totals(quick):
    result = verify(quick)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[0].split() == ["verdict", "check", "assumed", "why"]
    assert lines[-1] == f"{len(CHECKS)} proven, 0 false, 0 cannot tell"


def test_a_false_assumption_says_what_it_breaks_and_what_to_do(quick):
    quick.answers["DescribeQueryDefinitions"] = {"queryDefinitions": []}
    result = verify(quick)
    *lines, totals = result.stdout.splitlines()
    assert (result.exit_code, totals) == (1, f"{len(CHECKS) - 1} proven, 1 false, 0 cannot tell")
    (line,) = [line for line in lines if line.startswith("false")]
    assert "; it breaks: who looks for why a handshake waits finds an error -> deploy again" in line
    assert verify(quick, "--allow-unknown").exit_code == 1


def test_what_cannot_be_told_is_1_unless_it_is_allowed(quick):
    quick.answers["DescribeAlarms"] = DENIED
    result = verify(quick, "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["well"], answer["account_id"], answer["region"]) == (1, False, MEMBER, "us-east-1")
    assert [each["check"] for each in answer["checks"]] == CHECKS
    assert [each["check"] for each in answer["checks"] if each["verdict"] == "cannot tell"] == ["alarms"]
    assert verify(quick, "--allow-unknown").exit_code == 0


def test_the_printed_policy_is_all_that_it_needs(quick):
    (text,) = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (statement,) = json.loads(text)["Statement"]
    assert statement["Action"] == sorted(PERMISSIONS.values())
    assert verify(quick).exit_code == 0
    assert set(quick.asked) - {"GetCallerIdentity"} == set(PERMISSIONS)


def test_the_checks_are_all_written_down():
    aws = SimpleNamespace(client=lambda service: None)
    checks = checks_of(SimpleNamespace(aws=aws), Patience(lambda: OLD, lambda seconds: None, 0), str, aws)
    rows = [[check.name, f"{check.assumption}.", f"{check.breaks}."] for check in checks]
    written = re.findall(r"^\| `([a-z ]+)` \| (.+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [[name, *(text[0].lower() + text[1:] for text in texts)] for name, *texts in written] == [
        [name, *(text[0].lower() + text[1:] for text in texts)] for name, *texts in rows
    ]
