"""`handshakectl status`: parameters, handshakes and roles in moto, the deployment as AWS answers for one."""

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from handshakectl.account.standing import Standing
from handshakectl.account.status import Row
from handshakectl.fleet.watching import Clock, watch
from local.world import ORGANIZATION, PREFIX, allow, deny, document
from tests.cli.healthy import HEALTHY, STACK, ended, log, refused, schedule
from tests.cli.many import ACCOUNTS, ALLOWLIST, MODE, calls, organization, parameter_store, run, seed
from tests.cli.sessions import share_clients

A, B, C = ACCOUNTS
ROLE = ("--role", "Operator", "--accounts", *ACCOUNTS)


@pytest.fixture(autouse=True)
def service(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with organization() as service:
        seed(*ACCOUNTS, **{"policy/allowlist": document(allow())})
        yield service


@contextmanager
def deployed(*changes):
    """An acceptor in every account; `changes` are (account, operation, what AWS answers instead)."""

    def answering(answer):
        return answer if isinstance(answer, BaseException) or callable(answer) else lambda _: answer

    healthy = ("DescribeStacks", "DescribeStackResources", "GetSchedule", "FilterLogEvents")
    with calls(
        *((account, operation, "", answering(answer)) for account, operation, answer in changes),
        *(("", operation, "", answering(HEALTHY[operation])) for operation in healthy),
    ) as seen:
        yield seen


def rows(*options, changes=(), way=ROLE):
    with deployed(*changes):
        result = run("status", *way, "--json", *options)
    return result, {row["account_id"]: row for row in json.loads(result.stdout)}


def codes(row):
    return [each["code"] for each in row["why"]]


def test_a_stack_that_reads_its_policy_from_elsewhere_is_not_ok():
    """What is at the prefix asked about may be what an earlier deploy left behind."""
    elsewhere = json.loads(json.dumps(HEALTHY["DescribeStacks"]))
    elsewhere["Stacks"][0]["Outputs"].append({"OutputKey": "ModeParameterName", "OutputValue": "/other/mode"})
    result, found = rows(changes=[(B, "DescribeStacks", elsewhere)])
    assert (result.exit_code, {account: row["verdict"] for account, row in found.items()}) == (
        1,
        {A: "ok", B: "wrong", C: "ok"},
    )
    [why] = found[B]["why"]
    assert (why["code"], "ask with --prefix /other/" in why["message"]) == ("STACK", True)


def test_healthy_accounts_are_ok_in_the_order_of_their_ids():
    result, found = rows(way=("--role", "Operator", "--accounts", C, A, B))
    assert (result.exit_code, list(found)) == (0, list(ACCOUNTS))
    for row in found.values():
        assert (row["verdict"], row["deployed"], row["mode"]) == ("ok", "UPDATE_COMPLETE", "enforce")
        assert (len(row["policy_version"]), row["pending"], row["organization"], row["why"]) == (16, 0, "NONE", [])
        assert row["last_run"] == row["last_look"]
        assert datetime.now(UTC) - datetime.fromisoformat(row["last_look"]) < timedelta(minutes=2)


def test_people_get_a_table_and_totals(service):
    service.add_handshake("INVITE", ORGANIZATION, A)
    parameter_store(B).put_parameter(Name=ALLOWLIST, Value="{", Overwrite=True)

    def enter(request):
        if C in request["RoleArn"]:
            raise refused("AccessDenied")

    with deployed(("", "AssumeRole", enter)):
        result = run("status", *ROLE)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    headers = ["verdict", "account", "organization", "deployed", "mode", "policy", "pending", "last", "look", "why"]
    assert lines[0].split() == headers
    assert lines[1].split()[:5] == ["waiting", A, "NONE", "UPDATE_COMPLETE", "enforce"]
    assert lines[1].split()[6] == "1"
    assert lines[2].split()[:6] == ["stuck", B, "NONE", "UPDATE_COMPLETE", "enforce", "?"]
    assert f"POLICY_INVALID: {ALLOWLIST}: not JSON" in lines[2]
    assert lines[3].split()[:7] == ["unreachable", C, "UNKNOWN", "?", "?", "?", "?"]
    assert f"UNREACHABLE: AWS refuses AssumeRole: AccessDenied: arn:aws:iam::{C}:role/Operator to " in lines[3]
    assert lines[3].endswith("2 other accounts did not refuse, so look at this one: its number, its role, its trust")
    assert lines[4:] == ["3 accounts: 1 waiting, 1 stuck, 1 unreachable"]
    assert "diego" not in result.output


def test_only_the_problems_can_be_shown_with_the_totals_of_all():
    with deployed((B, "GetSchedule", schedule()), (B, "FilterLogEvents", {"events": []})):
        result = run("status", *ROLE, "--problems")
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:-1]] == [["stuck", B]]
    assert result.stdout.splitlines()[-1] == "3 accounts: 2 ok, 1 stuck"


@pytest.mark.parametrize(
    ("operation", "answer", "verdict", "why", "sees"),
    [
        ("DescribeStacks", refused("AccessDenied"), "unreachable", ["STACK"], {"deployed": None, "mode": "enforce"}),
        (
            "DescribeStacks",
            {"Stacks": [{"StackName": STACK, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]},
            "wrong", ["STACK"],
            {"deployed": "UPDATE_ROLLBACK_COMPLETE"},
        ),
        ("GetParametersByPath", refused("AccessDenied"), "unreachable", ["POLICY"],
         {"mode": None, "policy_version": None}),
        ("ListHandshakesForAccount", refused("AccessDenied"), "unreachable", ["HANDSHAKES"], {"pending": None}),
        ("DescribeOrganization", refused("AccessDenied"), "unreachable", ["ORGANIZATION"],
         {"organization": "UNKNOWN", "pending": 0}),
        ("FilterLogEvents", log("START"), "stuck", ["NO_LOOK"], {"last_run": None, "last_look": None}),
        ("FilterLogEvents", log(ended(), minutes=110), "ok", [], {}),
        ("FilterLogEvents", refused("ResourceNotFoundException"), "wrong", ["LOG"], {"last_run": None}),
        ("FilterLogEvents", EndpointConnectionError(endpoint_url="https://x"), "unreachable", ["LOG"], {}),
        ("FilterLogEvents", log(ended(failures=["LIST_UNREADABLE X"])), "wrong", ["RUN_FAILED"],
         {"pending": 0, "last_look": None}),
        # A sweep that stepped back is a run, and no look.
        ("FilterLogEvents", log(ended(skipped=True, last_look=None)), "stuck", ["NO_LOOK"], {"last_look": None}),
        ("FilterLogEvents", log(ended(skipped=False, postponed=["LIST_UNREADABLE X"])), "stuck", ["NO_LOOK"],
         {"last_look": None}),
        ("FilterLogEvents", log(ended(failures=["NO_LOOK"], skipped=False)), "wrong", ["RUN_FAILED"],
         {"last_look": None}),
        ("GetSchedule", refused("AccessDenied"), "ok", [], {}),
        ("DescribeStacks", {"Stacks": []}, "unreachable", ["STACK"], {"deployed": None, "pending": 0}),
    ],
)  # fmt: skip
def test_what_is_wrong_in_one_account_is_told_of_it_alone(operation, answer, verdict, why, sees):
    result, found = rows(changes=[(B, operation, answer)])
    assert result.exit_code == (verdict != "ok")
    assert (codes(found[A]), codes(found[B]), codes(found[C])) == ([], why, [])
    assert {key: found[B][key] for key in (*sees, "verdict")} == {**sees, "verdict": verdict}
    assert "diego" not in result.output


@pytest.mark.parametrize(
    ("runs", "minutes"),
    [([ended()], 5), ([ended(skipped=True)], 60), ([ended(), ended(skipped=False)], 60)],
    ids=["looks", "skips", "gave up"],
)
def test_an_account_whose_sweeps_step_back_may_wait_for_longer(monkeypatch, runs, minutes):
    seen = []
    judged = (Standing.OK, ())
    monkeypatch.setattr("handshakectl.account.status.judge", lambda found, _: (seen.append(found), judged)[1])
    rows(changes=[(B, "FilterLogEvents", log(*runs))], way=("--role", "Operator", "--accounts", B))
    assert [each.period for each in seen] == [timedelta(minutes=minutes)]


@pytest.mark.parametrize(
    ("texts", "mode", "says"),
    [
        ({"mode": "stop"}, "INVALID", '/handshake-acceptor/mode: "stop" is no mode'),
        ({"policy/other": document({"Sid": "Bad"})}, "enforce", f"{PREFIX}policy/other: /Statement/0"),
    ],
)
def test_a_policy_with_a_mistake_holds_an_account_up(texts, mode, says):
    seed(B, **texts)
    _, found = rows()
    assert (found[B]["verdict"], codes(found[B]), found[B]["mode"]) == ("stuck", ["POLICY_INVALID"], mode)
    assert says in found[B]["why"][0]["message"]


@pytest.mark.parametrize("mode", ["observe", None])
def test_a_brake_holds_up_what_waits_and_nothing_else(service, mode):
    seed(B, mode="observe", **{"policy/allowlist": document(allow())})
    if mode is None:
        parameter_store(B).delete_parameter(Name=MODE)
    _, found = rows()
    assert (found[B]["verdict"], found[B]["mode"]) == ("ok", mode)
    service.add_handshake("INVITE", ORGANIZATION, B)
    _, found = rows()
    assert (found[B]["verdict"], codes(found[B])) == ("stuck", ["BRAKED"])


@pytest.mark.parametrize(
    ("statements", "expect", "verdict", "why"),
    [
        ([allow()], (), "waiting", ["ACCEPT"]),
        ([allow()], ("--expect", ORGANIZATION), "waiting", ["ACCEPT"]),
        ([allow(), deny()], (), "stuck", ["DENY"]),
        ([deny()], (), "ok", []),
        ([], (), "ok", []),
        ([], ("--expect", ORGANIZATION), "stuck", ["NO_MATCH"]),
        ([allow()], ("--expect", "o-someotherorg"), "not-invited", ["NOT_INVITED"]),
        ([allow("X", "o-someotherorg")], (), "stuck", ["NO_MATCH"]),
    ],
)
def test_whose_handshakes_count(service, statements, expect, verdict, why):
    """Without an expected organization those that an Allow names, or nearly names; never a stranger's."""
    seed(B, **{"policy/allowlist": document(*statements)})
    service.add_handshake("INVITE", ORGANIZATION, B)
    _, found = rows(*expect)
    assert (found[B]["pending"], found[B]["verdict"], codes(found[B])) == (1, verdict, why)


def test_an_account_has_joined_once_it_is_in_the_expected_organization(service):
    handshake = service.add_handshake("INVITE", ORGANIZATION, B)
    service.call("AcceptHandshake", B, {"HandshakeId": handshake})
    result, found = rows("--expect", ORGANIZATION)
    assert {account: row["verdict"] for account, row in found.items()} == {
        A: "not-invited",
        B: "joined",
        C: "not-invited",
    }
    assert (result.exit_code, found[B]["organization"]) == (1, ORGANIZATION)
    gone = ("", "DescribeStacks", refused("ValidationError"))
    result, found = rows("--expect", ORGANIZATION, way=("--role", "Operator", "--accounts", B), changes=[gone])
    assert (result.exit_code, found[B]["verdict"], found[B]["deployed"]) == (0, "joined", "not deployed")


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [("NEEDS_HUMAN", "stuck"), ("RETRY_LATER", "waiting"), ("ACCEPT_UNCONFIRMED", "waiting"), ("NEW", "stuck")],
)
def test_what_the_last_run_said_of_it_counts(service, outcome, verdict):
    handshake = service.add_handshake("INVITE", ORGANIZATION, B)
    told = {"message": "decision", "handshake_id": handshake, "decision": "ACCEPT", "outcome": outcome}
    parts = [json.dumps(told | {"summary": "a line for a person"}), ended()]
    _, found = rows(changes=[(B, "FilterLogEvents", log(*parts, minutes=-1))])
    assert found[B]["verdict"] == verdict
    assert found[B]["why"] == [{"code": outcome, "message": "a line for a person"}]


def test_an_invitation_that_expired_holds_an_account_up_until_a_newer_one_comes(service):
    expired = service.add_handshake("INVITE", ORGANIZATION, B)
    service.call("DeclineHandshake", B, {"HandshakeId": expired})
    _, found = rows()
    assert (found[B]["verdict"], codes(found[B])) == ("stuck", ["INVITATION_DECLINED"])
    service.add_handshake("INVITE", ORGANIZATION, B)
    assert rows()[1][B]["verdict"] == "waiting"


def test_an_account_without_the_stack_costs_four_calls():
    with deployed((B, "DescribeStacks", refused("ValidationError"))) as seen:
        result = run("status", *ROLE)
    assert result.exit_code == 1
    line = result.stdout.splitlines()[2]
    assert line.split()[:10] == ["wrong", B, "NONE", "not", "deployed", "-", "-", "-", "-", "STACK:"]
    # The first is AssumeRole, which the caller makes.
    of = [operation for account, operation in seen if account == B]
    assert of == ["DescribeStacks", "DescribeStackResources", "DescribeOrganization"]


def test_a_healthy_idle_account_costs_seven_calls():
    with deployed() as seen:
        run("status", *ROLE)
    for account in ACCOUNTS:
        assert sorted(operation for of, operation in seen if of == account) == [
            "DescribeOrganization", "DescribeStacks", "FilterLogEvents", "GetParametersByPath", "GetSchedule",
            "ListHandshakesForAccount",
        ]  # fmt: skip
    assert [operation for _, operation in seen].count("AssumeRole") == len(ACCOUNTS)


def test_the_printed_policy_is_all_that_it_needs():
    page = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text("utf-8")
    (text,) = re.findall(r'```json\n(\{\n  "Version": "2012-10-17".*?)```', page, re.DOTALL)
    (statement,) = json.loads(text)["Statement"]
    stack_set = {"StackResources": [{"StackId": STACK}]}
    elsewhere = iter([refused("ValidationError"), HEALTHY["DescribeStacks"]])

    def described(request):
        answer = next(elsewhere)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    changes = ((A, "DescribeStacks", described), (A, "DescribeStackResources", stack_set))
    with deployed(*changes) as seen:
        run("status", "--role", "Operator", "--accounts", A, "--json")
    asked = {operation for account, operation in seen if account == A}
    assert asked == {action.partition(":")[2] for action in statement["Action"]}


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self, on_sleep=lambda: None):
        self.now, self.on_sleep = 0.0, on_sleep

    def clock(self):
        return Clock(lambda: self.now, self.sleep)

    def sleep(self, seconds):
        self.now += seconds
        self.on_sleep()


def row(account, verdict):
    return Row(account, None, Standing(verdict))


def test_waiting_ends_when_nobody_is_on_the_way_and_asks_only_who_was():
    looks, time = [], Time()
    answers = {A: ["joined"], B: ["waiting", "waiting", "joined"], C: ["waiting", "stuck"]}

    def look(targets):
        looks.append(list(targets))
        return [row(account, answers[account].pop(0)) for account in targets]

    found = watch([A, B, C], look, 30, time.clock())
    assert [each.verdict.value for each in found] == ["joined", "joined", "stuck"]
    assert looks == [[A, B, C], [B, C], [B]]
    assert time.now == 30


@pytest.mark.parametrize(("minutes", "looks"), [(0, 1), (1, 5), (30, 121)])
def test_waiting_ends_after_its_minutes(minutes, looks):
    seen, time = [], Time()
    watch([A], lambda targets: seen.append(1) or [row(A, "waiting")], minutes, time.clock())
    assert (len(seen), time.now) == (looks, minutes * 60)


def test_an_organization_that_is_none_is_bad_input():
    result = run("status", "--expect", "o-SHORT")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--expect: 'o-SHORT' is no organization's id" in result.stderr


def test_two_sweeps_are_two_of_the_account_s_own():
    asked = {}

    def events(request):
        asked[request["startTime"]] = True
        return log(ended())(request)

    changes = [(B, "GetSchedule", schedule(ScheduleExpression="rate(1 hour)")), (B, "FilterLogEvents", events)]
    rows(changes=changes)
    (start,) = asked
    assert start / 1000 == pytest.approx((datetime.now(UTC) - timedelta(hours=2)).timestamp(), abs=60)


def test_a_region_where_no_events_appear_is_wrong():
    _, found = rows("--region", "eu-central-1")
    assert all((row["verdict"], "REGION" in codes(row)) == ("wrong", True) for row in found.values())


def test_two_profiles_of_one_account_are_bad_input(tmp_path, monkeypatch):
    keys = f"aws_access_key_id = {A}\naws_secret_access_key = testing\n"
    tmp_path.joinpath("config").write_text(f"[profile a]\n{keys}[profile again]\n{keys}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with deployed():
        result = run("status", "--profiles", "a", "again")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--profiles: a and again are the same account, {A}" in result.stderr
    with deployed():
        shown = run("status", "--profiles", "a").stdout.splitlines()[1].split()
    assert shown[:3] == ["ok", A, "(a)"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fleet", "status"], "No such command"),
        (["status", "--problem"], "No such option"),
    ],
)
def test_what_cannot_be_understood_is_bad_input(arguments, says):
    result = run(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert says in result.stderr


def test_fifty_accounts_are_looked_at_side_by_side():
    many = [f"5555555555{n:02}" for n in range(50)]
    seed(*many, **{"policy/allowlist": document(allow())})
    result, found = rows("--parallel", "5", way=("--role", "Operator", "--accounts", *reversed(many)))
    assert (result.exit_code, list(found), {row["verdict"] for row in found.values()}) == (0, many, {"ok"})
