"""`handshakectl pending` and `run`, and what every verb says when AWS does not answer."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from boto3 import Session
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from typer.testing import CliRunner

from handshakectl.main import app
from local.adapters.moto import handshakes_in_moto
from local.service.handshake_service import HandshakeService, ShiftedClock
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    allow,
    deny,
    document,
)
from tests.cli.sessions import session, share_clients


def run(*args, **more):
    return CliRunner().invoke(app, [str(arg) for arg in args], **more)


@pytest.fixture(autouse=True)
def region(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def service():
    """Two organizations, and the account of the caller in neither."""
    service = HandshakeService(ShiftedClock())
    service.add_organization(ORGANIZATION, MANAGEMENT)
    service.add_organization(OTHER_ORGANIZATION, OTHER_MANAGEMENT)
    service.register_account(MEMBER, "mary@example.com", "Mary's account")
    with handshakes_in_moto(service, account_id=MEMBER):
        yield service


def policy(*statements, mode="enforce"):
    ssm = session(region_name="us-east-1").client("ssm")
    for name, value in {"mode": mode, "policy/allowlist": document(*statements)}.items():
        ssm.put_parameter(Name=f"{PREFIX}{name}", Value=value, Type="String", Overwrite=True)


def answers(**operations):
    """AWS answers these operations so (a value, a function of the request, or an exception to raise)."""
    real = BaseClient._make_api_call

    def call(client, operation, request):
        if operation not in operations:
            return real(client, operation, request)
        answer = operations[operation]
        if isinstance(answer, BaseException):
            raise answer
        return answer(request) if callable(answer) else answer

    return patch.object(BaseClient, "_make_api_call", call)


# pending


@pytest.mark.parametrize(
    ("statements", "mode", "decision", "expected"),
    [
        ([allow()], "enforce", "ACCEPT", "ACCEPTED"),
        ([allow()], "observe", "ACCEPT", "OBSERVED"),
        ([allow(), deny()], "enforce", "DENY", "LEFT_PENDING"),
        ([allow(Respond="Decline") | {"Effect": "Deny"}], "enforce", "DECLINE", "DECLINED"),
        ([], "enforce", "NO_MATCH", "LEFT_PENDING"),
    ],
)
@pytest.mark.parametrize("target", [MEMBER, "mary@example.com"])
def test_each_pending_handshake_has_the_decision_it_would_get(service, statements, mode, decision, expected, target):
    handshake = service.add_handshake("INVITE", ORGANIZATION, target)
    policy(*statements, mode=mode)
    result = run("pending", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    (shown,) = answer["handshakes"]
    assert (shown["handshake_id"], shown["decision"], shown["expected"]) == (handshake, decision, expected)
    assert (answer["account_id"], answer["organization"], answer["mode"]) == (MEMBER, "NONE", mode)
    assert {call.operation for call in service.journal()} == {"ListHandshakesForAccount", "DescribeOrganization"}


def test_two_allowed_invitations_need_a_human(service):
    service.add_handshake("INVITE", ORGANIZATION, MEMBER)
    service.add_handshake("INVITE", OTHER_ORGANIZATION, MEMBER)
    policy(allow("A"), allow("B", OTHER_ORGANIZATION, OTHER_MANAGEMENT))
    shown = json.loads(run("pending", "--json").stdout)["handshakes"]
    assert [each["expected"] for each in shown] == ["NEEDS_HUMAN", "NEEDS_HUMAN"]


def test_finished_handshakes_are_not_pending(service):
    handshake = service.add_handshake("INVITE", ORGANIZATION, MEMBER)
    service.call("CancelHandshake", MANAGEMENT, {"HandshakeId": handshake})
    policy(allow())
    result = run("pending")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no handshake is pending")


def test_people_get_a_table_without_anything_personal(service):
    handshake = service.add_handshake("INVITE", ORGANIZATION, "mary@example.com")
    policy(allow())
    lines = run("pending").stdout.splitlines()
    assert lines[0] == f"account {MEMBER}, STANDALONE in NONE, mode enforce"
    assert lines[2].split()[:7] == [
        "ACCEPT",
        "ACCEPTED",
        handshake,
        "INVITE",
        ORGANIZATION,
        MANAGEMENT,
        lines[2].split()[6],
    ]
    assert not any(word in line for line in lines for word in ("@", "Mary", "diego"))


def test_an_invalid_policy_is_a_no_with_its_place(service):
    service.add_handshake("INVITE", ORGANIZATION, MEMBER)
    policy({"Sid": "Bad"})
    result = run("pending")
    assert result.exit_code == 1
    assert f"the policy is invalid: {PREFIX}policy/allowlist: /Statement/0: Effect is missing" in result.stdout
    answer = json.loads(run("pending", "--json").stdout)
    assert (answer["policy_version"], answer["handshakes"][0]["decision"]) == (None, "POLICY_INVALID")
    assert answer["mode"] == "enforce"


@pytest.mark.parametrize(
    ("mode", "said", "told"),
    [
        ("observe", "observe", "mode observe"),
        ("stop", "INVALID", "mode INVALID"),
        (None, None, "mode missing, which is"),
    ],
)
def test_the_mode_is_the_one_that_is_set_whatever_the_policy(service, mode, said, told):
    policy({"Sid": "Bad"}, mode=mode or "enforce")
    if mode is None:
        session(region_name="us-east-1").client("ssm").delete_parameter(Name=f"{PREFIX}mode")
    assert json.loads(run("pending", "--json").stdout)["mode"] == said
    assert told in run("pending").stdout.splitlines()[0]


# Many accounts

MANY = ("--role", "Operator", "--accounts", "222222222222", "333333333333")


def test_many_functions_are_invoked_each_with_its_row():
    needs = RECORD | {"outcome": "NEEDS_HUMAN"}

    def assumed(request):
        key = request["RoleArn"].split(":")[4]
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": "s", "SessionToken": "t"}}

    results = [{"mode": "enforce", "decisions": [RECORD]}, {"mode": "enforce", "decisions": [needs]}]

    def invoke(_):
        return {"Payload": io.BytesIO(json.dumps(results.pop(0)).encode())}

    identity = {"Arn": f"arn:aws:sts::{MANAGEMENT}:assumed-role/Admin/maria"}
    with answers(AssumeRole=assumed, Invoke=invoke, GetCallerIdentity=identity):
        result = run("run", *MANY, "--parallel", "1", "--json")
    assert [row["account_id"] for row in json.loads(result.stdout)] == ["222222222222", "333333333333"]
    assert result.exit_code == 1, "one decision needs a person"
    results += [{"mode": "enforce", "decisions": []}] * 2
    with answers(AssumeRole=assumed, Invoke=invoke, GetCallerIdentity=identity):
        result = run("run", *MANY)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "2 accounts: 2 ok")


def test_a_decision_that_needs_a_person_is_a_no():
    with function({"mode": "enforce", "decisions": [RECORD | {"outcome": "NEEDS_HUMAN"}]}):
        assert run("run").exit_code == 1


def test_many_are_examined_and_what_is_wrong_is_said_once():
    identity = {"Arn": f"arn:aws:sts::{MANAGEMENT}:assumed-role/Admin/maria"}
    with answers(AssumeRole=DENIED, GetCallerIdentity=identity):
        result = run("doctor", *MANY)
        shown = json.loads(run("doctor", *MANY, "--json").stdout)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "2 accounts: 2 not ok")
    assert [(row["account_id"], row["healthy"]) for row in shown] == [("222222222222", False), ("333333333333", False)]
    assert result.stdout.count("every account refuses") == 2


# run

RECORD = {
    "handshake_id": "h-examplehandshakeid111",
    "action": "INVITE",
    "organization_id": ORGANIZATION,
    "management_account_id": MANAGEMENT,
    "decision": "ACCEPT",
    "outcome": "ACCEPTED",
    "sids": ["Join"],
    "reasons": [{"code": "ALLOWED", "message": "Join allows it", "sid": "Join"}],
}


def function(result, **more):
    payload = result if isinstance(result, bytes) else json.dumps(result).encode()
    return answers(Invoke=lambda request: {"StatusCode": 200, "Payload": io.BytesIO(payload), **more})


def test_the_function_is_invoked_by_hand_and_its_decisions_are_shown():
    seen = []

    def invoke(request):
        seen.append((request["FunctionName"], json.loads(request["Payload"])))
        return {"Payload": io.BytesIO(json.dumps({"mode": "enforce", "decisions": [RECORD]}).encode())}

    with answers(Invoke=invoke):
        result = run("run")
    assert seen == [("handshake-acceptor", {"source": "handshake-acceptor.manual"})]
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "mode enforce")
    assert result.stdout.splitlines()[2].split()[:3] == ["ACCEPT", "ACCEPTED", RECORD["handshake_id"]]
    with function({"mode": "enforce", "decisions": [RECORD]}):
        answer = json.loads(run("run", "--json").stdout)
    assert answer == {"mode": "enforce", "decisions": [RECORD], "error": None}


def test_a_record_of_a_handshake_that_cannot_be_believed_is_shown():
    record = dict.fromkeys(RECORD) | {"decision": "INELIGIBLE", "outcome": "LEFT_PENDING"}
    with function({"mode": "enforce", "decisions": [record]}):
        result = run("run")
    assert result.stdout.splitlines()[2].split() == ["INELIGIBLE", "LEFT_PENDING", "?", "?", "?", "?"]


@pytest.mark.parametrize(
    ("result", "more", "says"),
    [
        (
            {"errorType": "RunFailed", "errorMessage": "DEADLINE ServiceException"},
            {"FunctionError": "Unhandled"},
            "the function failed: RunFailed: DEADLINE ServiceException; its decisions are in the log group",
        ),
        ({"errorType": "KeyError", "errorMessage": "mary@example.com"}, {"FunctionError": "Unhandled"}, "KeyError;"),
        (b"", {"FunctionError": "Unhandled"}, "it did not answer as this version does"),
        ({"something": "else"}, {}, "it did not answer as this version does"),
        ([], {}, "it did not answer as this version does"),
    ],
)
def test_a_function_that_failed_is_a_no(result, more, says):
    with function(result, **more):
        result = run("run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr
    assert "mary" not in result.stderr


def test_a_function_that_is_not_there_is_bad_input():
    error = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke")
    with answers(Invoke=error):
        result = run("run", "--function", "other")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no function other in us-east-1" in result.stderr


# When AWS does not answer

FLEET = ["status", "--role", "Operator", "--accounts", MEMBER]
VERBS = (["pending"], ["pull"], ["push", "policy.json", "--yes"], ["run"], ["doctor"], FLEET)
DENIED = ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "User: …/diego@example.com is not authorized"}}, "Something"
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DENIED, "AWS refuses Something: AccessDeniedException: the caller lacks the permission"),
        (ClientError({"Error": {"Code": "ExpiredToken"}}, "Something"), "AWS refuses Something: ExpiredToken: sign in"),
        (ClientError({}, "Something"), "AWS refuses Something: an unknown error"),
        (NoCredentialsError(), "no AWS credentials: sign in, or give --profile"),
        (EndpointConnectionError(endpoint_url="https://example.com"), "Could not connect to the endpoint URL"),
        (ConnectTimeoutError(endpoint_url="https://example.com"), "Connect timeout on endpoint URL"),
    ],
)
def test_a_failure_of_aws_is_one_line_and_status_2(tmp_path, verb, error, says):
    tmp_path.joinpath("policy.json").write_text(document(allow()))

    def fail(*_):
        raise error

    with patch.object(BaseClient, "_make_api_call", fail):
        result = run(*verb)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"handshakectl: {says}")
    assert result.stderr.count("\n") == 1
    assert "diego" not in result.stderr


@pytest.mark.parametrize(
    ("environment", "options", "says"),
    [
        ({}, [], "no region: give --region or set AWS_REGION"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, [], "no AWS credentials"),
        ({"AWS_REGION": "us-east-1"}, [], "no AWS credentials"),
        ({}, ["--region", "us-east-1"], "no AWS credentials"),
        ({}, ["--region", "not a region"], "AWS configuration: Provided region_name"),
        ({"AWS_REGION": "us-east-1"}, ["--profile", "nobody"], "The config profile (nobody) could not be found"),
        ({"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "nonsense"}, [], "AWS configuration: Invalid endpoint"),
    ],
)
def test_what_is_missing_in_the_configuration_is_said_in_one_line(tmp_path, monkeypatch, environment, options, says):
    monkeypatch.setattr("handshakectl.account.session.boto3.Session", Session)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ({"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"} | environment).items():
        monkeypatch.setenv(name, value)
    result = run("pull", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"handshakectl: {says}")
    assert result.stderr.count("\n") == 1


def test_the_installed_command_ends_with_2_without_an_account(tmp_path):
    executable = Path(sys.executable).with_name("handshakectl")
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    result = subprocess.run([executable, "pending"], env=bare, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(document(*(allow(f"S{n}", Condition={"NotAfter": "2020-01-01T00:00:00Z"}) for n in range(2000))))
    executable = Path(sys.executable).with_name("handshakectl")
    process = subprocess.Popen(
        [executable, "validate", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    _, errors = process.communicate(timeout=30)
    assert errors == ""
