"""`handshakectl push` and `pull` against moto's Parameter Store."""

import json
from contextlib import contextmanager
from unittest.mock import patch

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from typer.testing import CliRunner

from handshakectl.main import app
from local.world import PREFIX, allow, deny, document
from tests.cli.sessions import share_clients

ACCOUNT = "123456789012"
MODE = f"{PREFIX}mode"
ALLOWLIST = f"{PREFIX}policy/allowlist"


def run(*args, **more):
    return CliRunner().invoke(app, [str(arg) for arg in args], **more)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return tmp_path


@pytest.fixture(scope="module")
def parameter_store():
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


@pytest.fixture
def ssm(parameter_store):
    """Parameter Store as the stack seeds it."""
    pages = parameter_store.get_paginator("describe_parameters").paginate()
    for name in [raw["Name"] for page in pages for raw in page["Parameters"]]:
        parameter_store.delete_parameter(Name=name)
    put(parameter_store, MODE, "enforce")
    put(parameter_store, ALLOWLIST, document())
    return parameter_store


@pytest.fixture
def write(folder):
    def write(name, *statements):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(*statements))
        return name

    return write


def put(client, name, value, **more):
    client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True, **more)


def value(ssm, name):
    return ssm.get_parameter(Name=name)["Parameter"]["Value"]


def history(ssm, name):
    return ssm.get_parameter_history(Name=name)["Parameters"]


@contextmanager
def calls(*answers):
    """What is called meanwhile; `answers` are (operation, substring of the request, exception or function)."""
    seen = []
    real = BaseClient._make_api_call

    def call(client, operation, request):
        seen.append((operation, request.get("Name", ""), request.get("Value", "")))
        for wanted, part, answer in answers:
            if operation == wanted and part in json.dumps(request):
                if isinstance(answer, BaseException):
                    raise answer
                answer()
        return real(client, operation, request)

    with patch.object(BaseClient, "_make_api_call", call):
        yield seen


def refusal(code="AccessDeniedException", operation="PutParameter"):
    text = "User: arn:aws:sts::222222222222:assumed-role/Admin/diego@example.com is not authorized"
    return ClientError({"Error": {"Code": code, "Message": text}}, operation)


# push


def test_a_document_is_written_exactly_as_the_file_has_it(ssm, folder):
    text = json.dumps(json.loads(document(allow())), indent=4) + "\r\n\n"
    folder.joinpath("team-a.json").write_bytes(text.encode())
    result = run("push", "team-a.json", "--yes", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["written"]) == (0, [f"{PREFIX}policy/team-a"])
    assert value(ssm, f"{PREFIX}policy/team-a") == text
    assert ssm.get_parameter(Name=f"{PREFIX}policy/team-a")["Parameter"]["Type"] == "String"


def test_the_difference_is_shown_before_the_question(ssm, write):
    put(ssm, ALLOWLIST, "{\n}\n")
    result = run("push", write("allowlist.json", allow()), input="y\n")
    assert result.exit_code == 0
    assert result.stdout.index(f"--- {ALLOWLIST} (version 2)") < result.stdout.index("+++ allowlist.json")
    assert value(ssm, ALLOWLIST) == document(allow())


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_written_without_a_yes(ssm, write, answer):
    result = run("push", write("allowlist.json", allow()), input=answer)
    assert result.exit_code == 1
    assert value(ssm, ALLOWLIST) == document()


def test_a_dry_run_writes_nothing(ssm, write):
    with calls() as seen:
        result = run("push", write("allowlist.json", allow()), "--dry-run", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["written"]) == (0, [])
    assert f"+{document(allow())}  (no line end)" in answer["differences"][ALLOWLIST]
    assert {operation for operation, *_ in seen} == {
        "GetCallerIdentity",
        "GetParametersByPath",
        "GetParameterHistory",
        "GetRolePolicy",
    }


def test_nothing_is_written_where_nothing_differs(ssm, write):
    result = run("push", write("allowlist.json"))
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            f"account {ACCOUNT}, region us-east-1, {PREFIX}, mode enforce",
            f"{ALLOWLIST}: nothing differs",
            "the mode is enforce",
        ],
    )
    assert len(history(ssm, ALLOWLIST)) == 1


def test_only_line_ends_that_differ_are_a_difference(ssm, folder):
    put(ssm, ALLOWLIST, "{\n}")
    put(ssm, f"{PREFIX}policy/other", document())
    folder.joinpath("other.json").write_text(document() + "\n")
    folder.joinpath("allowlist.json").write_text(document())
    result = run("push", "other.json", "allowlist.json", "--dry-run", "--json")
    assert json.loads(result.stdout)["differences"][f"{PREFIX}policy/other"]


def test_the_history_says_who_when_and_why(ssm, write):
    run("push", write("allowlist.json", allow()), "--yes", "--reason", "migration of team A, ask diego@example.com")
    description = history(ssm, ALLOWLIST)[-1]["Description"]
    assert description.startswith("handshakectl push by moto at 20") or " by " not in description
    assert description.endswith("]: migration of team A, ask (e-mail address, not shown)")


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::222222222222:user/path/diego", "diego"),
        ("arn:aws:sts::222222222222:assumed-role/Admin/session", "session"),
        ("arn:aws:sts::222222222222:assumed-role/Admin/diego@example.com", "Admin"),
        ("arn:aws:iam::222222222222:user/diego@example.com", ""),
        ("arn:aws:iam::222222222222:root", ""),
    ],
)
def test_whoever_writes_is_named_but_never_by_an_e_mail_address(arn, name):
    from handshakectl.account.session import Aws

    with patch.object(BaseClient, "_make_api_call", lambda *_: {"Arn": arn}):
        assert Aws(None, "us-east-1").caller().name == name


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([allow(Efect="Allow")], "team-b.json: /Statement/0/Efect: unknown key"),
        ([deny("Join")], f"team-b.json: /Statement/0/Sid: Join is a Sid already, at {PREFIX}policy/team-a: "),
        ([deny("Seed")], f"{PREFIX}policy/z: /Statement/0/Sid: Seed is a Sid already, at team-b.json: /Statement/0"),
    ],
)
def test_what_is_not_valid_together_with_what_stays_is_refused(ssm, write, statements, says):
    put(ssm, f"{PREFIX}policy/team-a", document(allow("Join")))
    put(ssm, f"{PREFIX}policy/z", document(allow("Seed")))
    with calls() as seen:
        result = run("push", write("team-b.json", *statements), "--yes")
    assert result.exit_code == 1
    assert says in result.stdout
    assert "PutParameter" not in {operation for operation, *_ in seen}


def test_a_document_that_is_replaced_need_not_be_valid(ssm, write):
    put(ssm, ALLOWLIST, "{ broken")
    assert run("push", write("allowlist.json", allow()), "--yes").exit_code == 0
    assert value(ssm, ALLOWLIST) == document(allow())


def test_a_sid_may_move_from_one_document_to_another_in_one_push(ssm, write):
    put(ssm, ALLOWLIST, document(allow()))
    assert run("push", write("allowlist.json"), write("team.json", allow()), "--yes").exit_code == 0


def test_a_document_too_long_for_a_parameter_is_refused(ssm, write):
    many = [allow(f"S{n}") for n in range(100)]
    result = run("push", write("allowlist.json", *many), "--yes")
    assert result.exit_code == 1
    assert "bytes; a parameter holds 8192 (8 KB): split it" in result.stdout
    assert value(ssm, ALLOWLIST) == document()


def test_warnings_are_shown_and_do_not_refuse(ssm, write):
    result = run("push", write("allowlist.json", allow(), deny()), "--yes")
    assert result.exit_code == 0
    assert "warning: allowlist.json: /Statement/0: Join can never allow anything" in result.stdout


@pytest.mark.parametrize("long", ["pushed", "there already"])
def test_a_document_that_costs_money_is_a_warning_and_not_refused(ssm, write, long):
    statements = [allow(f"S{n}") for n in range(30)]
    size = len(document(*statements).encode())
    if long == "there already":
        put(ssm, ALLOWLIST, document(*statements))
        name, file = ALLOWLIST, write("team.json")
    else:
        name = file = write("team.json", *statements)

    result = run("push", file, "--yes", "--json")

    assert result.exit_code == 0
    [warning] = json.loads(result.stdout)["warnings"]
    assert warning["document"] == name
    assert warning["message"].startswith(f"{size} bytes; over 4096 (4 KB) it takes an advanced parameter, which")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["my policy.json"], "'my policy' cannot be its name in Parameter Store"),
        (["...json"], "cannot be its name"),
        (["a.json", "--name", "team/../mode"], "cannot be its name"),
        (["a.json", "--name", ""], "cannot be its name"),
        (["a.json", "--name", "x" * 2000], "too long"),
        (["a.json", "--name", "/".join("abcdefghijklmn")], "too long"),
        (["a.json", "b.json", "--name", "team"], "--name: is for one file, and there are 2"),
        (["a.json", "team/a.json"], "team/a.json: a.json would be written to /handshake-acceptor/policy/a too"),
        (["a.json", "--reason", "x" * 900], "--reason: 900 characters"),
        (["a.json", "--prefix", "/"], "--prefix: '/' is not a path"),
        (["missing.json"], "missing.json: cannot be read"),
    ],
)
def test_names_that_cannot_be_are_bad_input(ssm, write, arguments, says):
    for name in ("a.json", "b.json", "team/a.json", "my policy.json", "...json"):
        write(name, allow())
    with calls() as seen:
        result = run("push", *arguments, "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert "PutParameter" not in {operation for operation, *_ in seen}


def test_a_name_of_several_parts_can_be_given(ssm, write):
    assert run("push", write("a.json", allow()), "--name", "team/a", "--yes").exit_code == 0
    assert value(ssm, f"{PREFIX}policy/team/a") == document(allow())


def test_json_asks_nothing(ssm, write):
    result = run("push", write("a.json", allow()), "--json")
    assert result.exit_code == 2
    assert "needs --yes or --dry-run" in result.stderr


# Several documents: the brake


def written(seen):
    return [(name.removeprefix(PREFIX), text) for operation, name, text in seen if operation == "PutParameter"]


def test_several_documents_are_written_under_the_brake(ssm, write):
    a, b = write("a.json", allow("A")), write("b.json", allow("B"))
    with calls() as seen:
        assert run("push", a, b, "--yes").exit_code == 0
    assert written(seen) == [
        ("mode", "observe"),
        ("policy/a", document(allow("A"))),
        ("policy/b", document(allow("B"))),
        ("mode", "enforce"),
    ]
    restored = seen.index(("PutParameter", MODE, "enforce"))
    assert seen[restored - 1][0] == "GetParametersByPath"
    assert value(ssm, MODE) == "enforce"


def test_one_document_is_one_atomic_write_without_the_brake(ssm, write):
    with calls() as seen:
        run("push", write("a.json", allow("A")), write("allowlist.json"), "--yes")
    assert [name for name, _ in written(seen)] == ["policy/a"]


@pytest.mark.parametrize("mode", ["observe", None])
def test_a_mode_that_does_not_enforce_is_left_as_it_is(ssm, write, mode):
    ssm.delete_parameter(Name=MODE)
    if mode:
        put(ssm, MODE, mode)
    documents = write("a.json", allow("A")), write("b.json", allow("B"))
    with calls() as seen:
        assert run("push", *documents, "--yes", "--before-deploy").exit_code == 0
    assert [name for name, _ in written(seen)] == ["policy/a", "policy/b"]


UNREACHABLE = EndpointConnectionError(endpoint_url="https://ssm.us-east-1.amazonaws.com/")


@pytest.mark.parametrize(
    ("failing", "error", "says"),
    [
        ("policy/a", refusal(), "AWS refuses PutParameter: AccessDeniedException"),
        ("policy/b", refusal("InternalServerError"), "not written: /handshake-acceptor/policy/b"),
        ("policy/b", UNREACHABLE, "Could not connect"),
        ("policy/b", KeyboardInterrupt(), "interrupted"),
        ("enforce", refusal(), "not written: nothing"),
    ],
)
def test_what_fails_midway_stays_in_observe_and_says_so(ssm, write, failing, error, says):
    a, b = write("a.json", allow("A")), write("b.json", allow("B"))
    with calls(("PutParameter", failing, error)):
        result = run("push", a, b, "--yes", "--json")
    assert result.exit_code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert json.loads(result.stdout)["mode"] == "observe"
    assert value(ssm, MODE) == "observe"
    assert result.stderr.count("\n") == 2
    assert says in result.stderr
    assert "the same again finishes it" in result.stderr
    assert "diego" not in result.output
    assert run("push", a, b, "--yes").stdout.splitlines()[-1] == "the mode is enforce"
    assert [value(ssm, f"{PREFIX}policy/{name}") for name in "ab"] == [document(allow("A")), document(allow("B"))]


def test_if_the_brake_cannot_be_set_nothing_is_written(ssm, write):
    a, b = write("a.json", allow("A")), write("b.json", allow("B"))
    with calls(("PutParameter", "observe", refusal())) as seen:
        result = run("push", a, b, "--yes")
    assert result.exit_code == 1
    assert "not written: /handshake-acceptor/policy/a, /handshake-acceptor/policy/b" in result.stderr
    assert result.stdout.splitlines()[-1] == "the mode is enforce"
    assert len(written(seen)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [(MODE, "observe"), (MODE, "enforce"), (f"{PREFIX}policy/a", document(deny("Mine"))), (ALLOWLIST, "broken")],
)
def test_if_somebody_else_writes_meanwhile_the_mode_stays_observe(ssm, write, monkeypatch, name, text):
    monkeypatch.setattr("handshakectl.policy.writer._SETTLE_WITHIN", 0.0)
    done = []

    def somebody_else():
        if not done:
            done.append(True)
            put(ssm, name, text)

    a, b = write("a.json", allow("A")), write("b.json", allow("B"))
    real = BaseClient._make_api_call

    def call(client, operation, request):
        answer = real(client, operation, request)
        if operation == "PutParameter" and request["Name"].endswith("/b"):
            somebody_else()
        return answer

    with patch.object(BaseClient, "_make_api_call", call):
        result = run("push", a, b, "--yes")
    assert result.exit_code == 1
    assert f"{name}: " in result.stderr
    assert "somebody else" in result.stderr
    assert ssm.get_parameter_history(Name=MODE)["Parameters"][-1]["Description"].find("brake off") == -1
    assert result.stdout.splitlines()[-1] == f"the mode is {value(ssm, MODE)}"


# pull


def test_documents_are_written_as_files_and_the_mode_is_shown(ssm, folder):
    put(ssm, f"{PREFIX}policy/team/a", document(allow()) + "\r\n")
    result = run("pull", "--dir", "here")
    assert result.exit_code == 0
    assert folder.joinpath("here/allowlist.json").read_bytes() == document().encode()
    assert folder.joinpath("here/team/a.json").read_bytes() == document(allow()).encode() + b"\r\n"
    assert result.stdout.splitlines()[-1] == "mode: enforce"


def test_a_missing_mode_is_said_to_be_observe(ssm):
    ssm.delete_parameter(Name=MODE)
    assert "mode: there is none, which is observe" in run("pull").stdout


def test_a_file_that_differs_is_not_written_over_without_force(ssm, folder):
    put(ssm, f"{PREFIX}policy/new", document(allow()))
    folder.joinpath("policy").mkdir()
    mine = folder / "policy" / "allowlist.json"
    mine.write_text("mine")
    result = run("pull")
    assert result.exit_code == 1
    assert "policy/allowlist.json: differs" in result.stderr
    assert (mine.read_text(), folder.joinpath("policy/new.json").exists()) == ("mine", False)
    assert run("pull", "--force").exit_code == 0
    assert mine.read_text() == document()
    assert "policy/allowlist.json: unchanged" in run("pull").stdout


def test_json_prints_the_exact_texts_and_writes_nothing(ssm, folder):
    result = run("pull", "--json")
    assert json.loads(result.stdout) == {
        "mode": "enforce",
        "documents": [{"name": "allowlist", "version": 1, "text": document()}],
    }
    assert list(folder.iterdir()) == []


def test_no_name_leads_out_of_the_folder(ssm, folder):
    put(ssm, f"{PREFIX}policy/../../evil", document(allow()))
    assert run("pull", "--dir", "here/policy").exit_code == 0
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.json")}
    assert files == {"here/policy/allowlist.json", "here/policy/%2E%2E/%2E%2E/evil.json"}


def test_no_symbolic_link_leads_out_of_the_folder(ssm, folder):
    put(ssm, f"{PREFIX}policy/team/a", document(allow()))
    folder.joinpath("elsewhere").mkdir()
    folder.joinpath("policy").mkdir()
    folder.joinpath("policy/team").symlink_to(folder / "elsewhere")
    result = run("pull")
    assert result.exit_code == 2
    assert "is outside policy" in result.stderr
    assert list(folder.joinpath("elsewhere").iterdir()) == []


def test_a_file_that_cannot_be_written_is_bad_input(ssm, folder):
    folder.joinpath("policy").write_text("a file where a folder should be")
    result = run("pull")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_parameter_of_another_type_is_not_pulled(ssm, folder):
    ssm.put_parameter(Name=f"{PREFIX}policy/secret", Value="{}", Type="SecureString")
    result = run("pull")
    assert result.exit_code == 1
    assert "policy/secret: not pulled: the parameter's type must be String" in result.stderr
    assert not folder.joinpath("policy/secret.json").exists()


def test_what_was_pulled_pushes_as_nothing_new(ssm):
    run("pull")
    assert "nothing differs" in run("push", "policy/allowlist.json").stdout
