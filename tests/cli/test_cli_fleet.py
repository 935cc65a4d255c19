"""`handshakectl status`: parameters, handshakes and roles in moto, the deployment as AWS answers for one."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from local.world import ORGANIZATION, PREFIX, allow, deny, document
from tests.cli.healthy import HEALTHY, STACK, ended, log, refused, schedule
from tests.cli.many import ACCOUNTS, ALLOWLIST, MODE, calls, organization, parameter_store, run, seed
from tests.cli.sessions import session

A, B, C = ACCOUNTS
ROLE = ("--role", "Operator", "--accounts", *ACCOUNTS)


@pytest.fixture(autouse=True)
def service(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handshakectl.account.session.boto3.Session", session)
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


def wrong(row):
    return [(each["check"], each["verdict"]) for each in row["problems"]]


def test_a_stack_that_reads_its_policy_from_elsewhere_is_not_ok():
    """What is at the prefix asked about may be what an earlier deploy left behind."""
    elsewhere = json.loads(json.dumps(HEALTHY["DescribeStacks"]))
    elsewhere["Stacks"][0]["Outputs"].append({"OutputKey": "ModeParameterName", "OutputValue": "/other/mode"})
    result, found = rows(changes=[(B, "DescribeStacks", elsewhere)])
    assert (result.exit_code, {account: row["verdict"] for account, row in found.items()}) == (
        1,
        {A: "ok", B: "wrong", C: "ok"},
    )
    [problem] = found[B]["problems"]
    assert (problem["check"], problem["advice"]) == ("stack", "ask with --prefix /other/")


def test_healthy_accounts_are_ok_in_the_order_of_their_ids():
    result, found = rows(way=("--role", "Operator", "--accounts", C, A, B))
    assert (result.exit_code, list(found)) == (0, list(ACCOUNTS))
    for row in found.values():
        assert (row["verdict"], row["deployed"], row["mode"]) == ("ok", "UPDATE_COMPLETE", "enforce")
        assert (len(row["policy_version"]), row["pending"], row["nobody_allows"], row["problems"]) == (16, 0, 0, [])
        assert datetime.now(UTC) - datetime.fromisoformat(row["last_sweep"]) < timedelta(minutes=2)


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
    assert lines[0].split() == ["verdict", "account", "deployed", "mode", "policy", "pending", "last", "sweep", "why"]
    assert lines[1].split()[:4] == ["ok", A, "UPDATE_COMPLETE", "enforce"]
    assert lines[1].split()[5] == "1"
    assert lines[2].split()[:5] == ["wrong", B, "UPDATE_COMPLETE", "enforce", "invalid:"]
    assert f"policy: invalid: {ALLOWLIST}: not JSON" in lines[2]
    assert lines[3].split()[:8] == ["cannot", "tell", C, "?", "?", "?", "?", "?"]
    assert f"account: AWS refuses AssumeRole: AccessDenied: arn:aws:iam::{C}:role/Operator to " in lines[3]
    assert lines[3].endswith("2 other accounts did not refuse, so look at this one: its number, its role, its trust")
    assert lines[4:] == ["3 accounts: 1 ok, 1 wrong, 1 cannot tell"]
    assert "diego" not in result.output


def test_only_the_problems_can_be_shown_with_the_totals_of_all():
    with deployed((B, "GetSchedule", schedule()), (B, "FilterLogEvents", {"events": []})):
        result = run("status", *ROLE, "--problems")
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:-1]] == [["wrong", B]]
    assert result.stdout.splitlines()[-1] == "3 accounts: 2 ok, 1 wrong"


@pytest.mark.parametrize(
    ("operation", "answer", "problems", "sees"),
    [
        ("DescribeStacks", refused("AccessDenied"), [("stack", "cannot tell")], {"deployed": None, "mode": "enforce"}),
        (
            "DescribeStacks",
            {"Stacks": [{"StackName": STACK, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]},
            [("stack", "wrong")],
            {"deployed": "UPDATE_ROLLBACK_COMPLETE"},
        ),
        ("GetParametersByPath", refused("AccessDenied"), [("policy", "cannot tell"), ("pending", "cannot tell")],
         {"mode": None, "policy_version": None, "pending": None}),
        ("ListHandshakesForAccount", refused("AccessDenied"), [("pending", "cannot tell")], {"pending": None}),
        ("FilterLogEvents", log("START"), [("last run", "wrong")], {"last_sweep": None}),
        ("FilterLogEvents", refused("ResourceNotFoundException"), [("last run", "wrong")], {"last_sweep": None}),
        ("FilterLogEvents", EndpointConnectionError(endpoint_url="https://x"), [("last run", "cannot tell")], {}),
        ("FilterLogEvents", log(ended(failures=["LIST_UNREADABLE X"])), [("last run", "wrong")], {"pending": 0}),
        ("GetSchedule", refused("AccessDenied"), [], {"verdict": "ok"}),
        ("DescribeStacks", {"Stacks": []}, [("stack", "cannot tell")], {"deployed": None, "pending": 0}),
    ],
)  # fmt: skip
def test_what_is_wrong_in_one_account_is_told_of_it_alone(operation, answer, problems, sees):
    result, found = rows(changes=[(B, operation, answer)])
    assert result.exit_code == (1 if problems else 0)
    assert (wrong(found[A]), wrong(found[B]), wrong(found[C])) == ([], problems, [])
    assert {key: found[B][key] for key in sees} == sees
    assert "diego" not in result.output


@pytest.mark.parametrize(
    ("texts", "mode", "says"),
    [
        ({"mode": "observe"}, "observe", "the mode is observe"),
        ({"mode": "stop"}, "invalid", 'invalid: /handshake-acceptor/mode: "stop" is no mode'),
        ({"policy/other": document({"Sid": "Bad"})}, "enforce", f"invalid: {PREFIX}policy/other: /Statement/0"),
    ],
)
def test_a_policy_that_lets_nothing_be_accepted_is_wrong(texts, mode, says):
    seed(B, **texts)
    _, found = rows()
    assert (wrong(found[B]), found[B]["mode"]) == ([("policy", "wrong")], mode)
    assert says in found[B]["problems"][0]["why"]


def test_an_account_without_a_mode_is_wrong():
    parameter_store(B).delete_parameter(Name=MODE)
    assert rows()[1][B]["mode"] == "none"


@pytest.mark.parametrize(
    ("statements", "pending", "nobody", "verdict"),
    [
        ([allow()], 1, 0, "ok"),
        ([deny()], 1, 0, "ok"),
        ([], 1, 1, "wrong"),
        ([allow("X", "o-someotherorg")], 1, 1, "wrong"),
    ],
)
def test_a_handshake_that_nobody_allows_or_denies_wants_a_person(service, statements, pending, nobody, verdict):
    seed(B, **{"policy/allowlist": document(*statements)})
    service.add_handshake("INVITE", ORGANIZATION, B)
    with deployed() as seen:
        result = run("status", *ROLE, "--json")
    row = json.loads(result.stdout)[1]
    assert (row["pending"], row["nobody_allows"], row["verdict"]) == (pending, nobody, verdict)
    assert [account for account, operation in seen if operation == "DescribeOrganization"] == [B]


def test_an_account_without_the_stack_costs_three_calls():
    with deployed((B, "DescribeStacks", refused("ValidationError"))) as seen:
        result = run("status", *ROLE)
    assert result.exit_code == 1
    line = result.stdout.splitlines()[2]
    assert line.split()[:9] == ["wrong", B, "not", "deployed", "-", "-", "-", "-", "stack:"]
    # The first is AssumeRole, which the caller makes.
    assert [operation for account, operation in seen if account == B] == ["DescribeStacks", "DescribeStackResources"]


def test_a_healthy_idle_account_costs_six_calls():
    with deployed() as seen:
        run("status", *ROLE)
    for account in ACCOUNTS:
        assert sorted(operation for of, operation in seen if of == account) == [
            "DescribeStacks", "FilterLogEvents", "GetParametersByPath", "GetSchedule", "ListHandshakesForAccount",
        ]  # fmt: skip
    assert [operation for _, operation in seen].count("AssumeRole") == len(ACCOUNTS)


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
    assert all(("region", "wrong") in wrong(row) for row in found.values())


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
