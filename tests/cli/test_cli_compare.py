"""`handshakectl compare`: no AWS; lines for people, JSON for programs, and an exit status for a pull request."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handshakectl.main import app
from local.world import allow, deny, document

JOINING = "INVITE from o-exampleorgid of 111111111111, for an account in none"


def run(*args, **more):
    return CliRunner().invoke(app, ["compare", *args], **more)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, statements in {
        "nothing.json": [],
        "join.json": [allow()],
        "renamed.json": [allow("Renamed")],
        "never.json": [deny()],
        "decline.json": [allow("Back") | {"Effect": "Deny", "Respond": "Decline"}],
        "until.json": [allow(Condition={"NotAfter": "2027-03-31T00:00:00Z"})],
    }.items():
        tmp_path.joinpath(name).write_text(document(*statements))
    tmp_path.joinpath("broken.json").write_text("{")
    tmp_path.joinpath("bad.json").write_text(document({"Sid": "Bad"}, {"Sid": "Worse"}))
    return tmp_path


@pytest.mark.parametrize(
    ("base", "to", "status", "first"),
    [
        (
            ["nothing.json"],
            ["until.json"],
            1,
            f"newly accepted: {JOINING}, until 2027-03-31T00:00:00Z (allowed by Join)",
        ),
        (["join.json"], ["nothing.json"], 0, f"no longer accepted: {JOINING} (until now allowed by Join)"),
        (["join.json"], ["renamed.json", "nothing.json"], 0, "nothing changes in effect"),
        (
            ["join.json", "never.json"],
            ["join.json"],
            1,
            f"newly accepted: {JOINING} (allowed by Join; until now denied by",
        ),
        (
            ["never.json"],
            ["nothing.json"],
            0,
            "no longer denied: every action from any origin (until now denied by Never)",
        ),
        (
            ["nothing.json"],
            ["decline.json"],
            1,
            "newly declined: INVITE from o-exampleorgid of 111111111111 (declined by",
        ),
    ],
)
def test_what_changes_is_said_and_only_more_ends_with_1(base, to, status, first):
    result = run("--base", *base, "--to", *to)
    assert (result.exit_code, result.stderr) == (status, "")
    assert result.stdout.startswith(first)


def test_json_has_every_field_of_every_change():
    result = run("--base", "join.json", "never.json", "--to", "until.json", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (answer["widens"], len(answer["base_version"]), len(answer["to_version"])) == (True, 16, 16)
    accepted, denied = answer["changes"]
    assert accepted == {
        "kind": "NEWLY_ACCEPTED",
        "actions": ["INVITE"],
        "organizations": {"only": ["o-exampleorgid"]},
        "management_accounts": {"only": ["111111111111"]},
        "current_organizations": {"only": ["NONE"]},
        "roles": ["STANDALONE"],
        "times": [{"from": None, "until": "2027-03-31T00:00:00Z"}],
        "sids_before": ["Never"],
        "sids_after": ["Join"],
        "sentence": "newly accepted: INVITE from o-exampleorgid of 111111111111, for an account in none, "
        "until 2027-03-31T00:00:00Z (allowed by Join; until now denied by Never)",
    }
    assert (denied["kind"], denied["organizations"]) == ("NO_LONGER_DENIED", {"all_but": []})


def test_nothing_is_an_empty_list_for_programs():
    result = run("--base", "join.json", "--to", "renamed.json", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["widens"], answer["changes"]) == (0, False, [])


def test_a_document_is_read_from_standard_input():
    assert run("--base", "-", "--to", "join.json", input=document()).exit_code == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--base", "missing.json", "--to", "join.json"], "missing.json: cannot be read: No such file or directory"),
        (["--base", "join.json", "--to", "broken.json"], "--to: broken.json: not JSON, at line 1, column 2"),
        (["--base", "bad.json", "--to", "join.json"], "--base: bad.json: /Statement/0: Effect is missing (and 1 more)"),
        (["--base", "join.json", "--to", "join.json", "renamed.json", "join.json"], "Join is a Sid already"),
        (["--base", "join.json"], "Missing option '--to'"),
    ],
)
def test_what_cannot_be_compared_ends_with_2_and_one_line(args, says):
    result = run(*args, "--json")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert says in result.stderr


def test_the_installed_command_compares_without_an_aws_library():
    executable = Path(sys.executable).with_name("handshakectl")
    arguments = ["compare", "--base", "nothing.json", "--to", "join.json"]
    assert subprocess.run([executable, *arguments], capture_output=True, check=False).returncode == 1
    script = (
        "import sys; from handshakectl.main import app\n"
        "try: app()\n"
        "finally: print([m for m in ('boto3', 'botocore', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines()[-1] == "[]"
