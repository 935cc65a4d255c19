"""`handshakectl validate` and `simulate`: no AWS, answers as the contract says them."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handshakectl.commands import offline
from handshakectl.main import app
from local.world import ORGANIZATION, allow, deny, document

HANDSHAKES = Path(__file__).parents[1] / "handshakes"
FIELD = Path(__file__).parents[1] / "field"
EVENTS = Path(__file__).parents[1] / "events"
INVITE = str(HANDSHAKES / "invite-by-account.json")
IN_TIME = ("--at", "2026-11-24T00:00:00Z")


def run(*args, **more):
    return CliRunner().invoke(app, [str(arg) for arg in args], **more)


def command(*args, **more):
    """The installed command, as a process of its own."""
    executable = Path(sys.executable).with_name("handshakectl")
    return subprocess.run([executable, *map(str, args)], capture_output=True, text=True, check=False, **more)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder):
    def write(name, *statements):
        folder.joinpath(name).write_text(document(*statements))
        return name

    return write


def sample(folder, **changes):
    handshake = json.loads(Path(INVITE).read_text()) | changes
    path = folder / "handshake.json"
    path.write_text(json.dumps(handshake))
    return path


# validate


def test_valid_documents_are_valid_together(write):
    result = run("validate", write("a.json", allow()), write("b.json", deny()), "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["valid"], answer["errors"]) == (0, True, [])
    assert len(answer["policy_version"]) == 16


def test_a_mistake_is_named_by_file_pointer_and_reason(write):
    result = run("validate", write("good.json", allow()), write("bad.json", allow("Two", Efect="Allow")))
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    assert line.startswith('bad.json: /Statement/0/Efect: unknown key (did you mean "Effect"?)')


def test_documents_are_checked_together(write):
    result = run("validate", write("a.json", allow("Same")), write("b.json", deny("Same")), "--json")
    assert result.exit_code == 1
    (error,) = json.loads(result.stdout)["errors"]
    assert error == {
        "document": "b.json",
        "pointer": "/Statement/0/Sid",
        "message": "Same is a Sid already, at a.json: /Statement/0/Sid; a Sid must be unique",
    }


def test_all_mistakes_are_reported_at_once(write, folder):
    folder.joinpath("broken.json").write_text("{")
    folder.joinpath("empty.json").write_text("")
    result = run("validate", "broken.json", "empty.json", write("bad.json", deny(Action="INVIT")), "--json")
    assert [error["document"] for error in json.loads(result.stdout)["errors"]] == [
        "bad.json",
        "broken.json",
        "empty.json",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe{\x00", "cannot be read: not UTF-8 text, at byte 0"),
    ],
)
def test_a_file_that_cannot_be_read_is_bad_input(folder, content, says):
    if content is not None:
        folder.joinpath("policy.json").write_bytes(content)
    result = run("validate", "policy.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"handshakectl: policy.json: {says}\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ten_mistakes_are_told_and_the_rest_counted(write, options):
    result = run("validate", write("bad.json", *[{}] * 1000), write("other.json", {}), *options)
    assert result.exit_code == 1
    said = (
        [error["message"] for error in json.loads(result.stdout)["errors"]] if options else result.stdout.splitlines()
    )
    assert (len(said), said[-1]) == (11, "and 1,990 more mistakes; 1 document not checked yet")


def test_a_folder_is_bad_input():
    assert run("validate", ".").exit_code == 2


def test_a_document_is_read_from_standard_input():
    assert run("validate", "-", input=document(allow())).exit_code == 0


def test_a_byte_order_mark_is_refused_as_the_function_refuses_it(folder):
    folder.joinpath("policy.json").write_bytes(b"\xef\xbb\xbf" + document(allow()).encode())
    assert run("validate", "policy.json").exit_code == 1


@pytest.mark.parametrize(
    ("statements", "settings", "says"),
    [
        ([allow(), deny()], None, "all of it is denied by Never"),
        ([allow(Condition={"NotAfter": "2020-01-01T00:00:00Z"})], None, "its NotAfter, 2020-01-01T00:00:00+00:00, is"),
        ([allow()], {"origins": []}, "outside the setting origins in settings.json"),
    ],
)
def test_an_allow_that_can_never_allow_anything_is_a_warning(write, folder, statements, settings, says):
    options = []
    if settings is not None:
        folder.joinpath("settings.json").write_text(json.dumps(settings))
        options = ["--settings", "settings.json"]
    result = run("validate", write("a.json", *statements), *options, "--json")
    (warning,) = json.loads(result.stdout)["warnings"]
    assert result.exit_code == 0
    assert warning["document"] == "a.json"
    assert warning["pointer"] == "/Statement/0"
    assert says in warning["message"]
    assert "warning: a.json: /Statement/0: Join can never" in run("validate", "a.json", *options).stdout


def test_a_document_that_no_parameter_holds_is_a_mistake():
    result = run("validate", FIELD / "16b-policy-9k.json", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["valid"], answer["policy_version"]) == (1, False, None)
    assert answer["errors"][0]["message"].startswith("8730 bytes; a parameter holds 8192 (8 KB): split it")


@pytest.mark.parametrize(("size", "warned"), [(4096, False), (4097, True), (8192, True)])
def test_a_document_that_no_standard_parameter_holds_is_a_warning(folder, size, warned):
    text = document(allow())
    folder.joinpath("a.json").write_text(text + " " * (size - len(text)))
    result = run("validate", "a.json")
    assert (result.exit_code, f"warning: a.json: {size} bytes; over 4096" in result.stdout) == (0, warned)


def test_the_version_is_that_of_the_release():
    release = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    said = run("--version")
    assert (said.exit_code, said.stdout) == (0, f"{release}\n")


def test_completion_names_the_verbs():
    words = {"_HANDSHAKECTL_COMPLETE": "complete_bash", "COMP_WORDS": "handshakectl b", "COMP_CWORD": "1"}
    executable = Path(sys.executable).with_name("handshakectl")
    result = subprocess.run([executable], env={**os.environ, **words}, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["brake"]
    assert "--install-completion" in run("--help").stdout


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ({"context": {"handshakeAcceptor": {"origins": [{"organizationId": "o-elsewhere01"}]}}}, False),  # not usable
        (
            {
                "context": {
                    "handshakeAcceptor": {
                        "origins": [{"organizationId": "o-elsewhere01", "managementAccountId": "111111111111"}]
                    }
                }
            },
            True,
        ),
        ({"context": {"handshakeAcceptor": {"origins": []}}}, False),
        ({"app": "python app.py"}, False),
        ([], False),
    ],
)
def test_origins_of_a_cdk_json_here_are_the_ceiling_unless_it_names_none(write, folder, content, warned):
    folder.joinpath("cdk.json").write_text(json.dumps(content))
    answer = json.loads(run("validate", write("a.json", allow()), "--json").stdout)
    assert bool(answer["warnings"]) is warned


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "settings.json: not JSON, at line 1, column 2"),
        ("[]", "settings.json: must be an object"),
        ('{"origins": [], "origins": []}', "settings.json: /origins: this key is written more than once"),
        ('{"origins": {}}', "settings.json: /origins: must be a list"),
        ('{"origins": [1]}', "settings.json: /origins/0: must be an object"),
        ('{"origins": [{"organizationId": 1}]}', "settings.json: /origins/0/organizationId: must be a text or a list"),
    ],
)
def test_settings_that_cannot_be_used_are_bad_input(write, folder, content, says):
    folder.joinpath("settings.json").write_text(content)
    result = run("validate", write("a.json", allow()), "--settings", "settings.json")
    assert result.exit_code == 2
    assert says in result.stderr


# simulate


def test_an_allowed_invitation_is_accepted_in_exactly_the_contract_s_words(write):
    result = run("simulate", "--policy", write("a.json", allow()), "--handshake", INVITE, *IN_TIME, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert list(answer) == ["decision", "sids", "reasons", "policy_version"]
    assert (answer["decision"], answer["sids"], len(answer["policy_version"])) == ("ACCEPT", ["Join"], 16)


def test_the_version_is_that_of_validate_whatever_the_files_order(write):
    a, b = write("a.json", allow()), write("b.json", deny("Other", Action="ENABLE_ALL_FEATURES"))
    version = json.loads(run("validate", a, b, "--json").stdout)["policy_version"]
    simulated = run("simulate", "--policy", b, a, "--handshake", INVITE, *IN_TIME, "--json")
    assert json.loads(simulated.stdout)["policy_version"] == version


@pytest.mark.parametrize(
    "policies",
    [
        ["--policy", "a.json", "b.json"],
        ["--policy", "a.json", "--policy", "b.json"],
        ["--policy=a.json", "b.json"],
        ["--policy=a.json", "--policy=b.json"],
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_policy_takes_several_files_after_one_flag_and_repeated_flags(write, policies, last):
    write("a.json", allow())
    write("b.json", deny())
    rest = ["--handshake", INVITE, *IN_TIME]
    result = run("simulate", *([*rest, *policies] if last else [*policies, *rest]))
    assert result.exit_code == 1
    assert result.stdout.startswith("DENY")


@pytest.mark.parametrize(
    ("statements", "options", "decision"),
    [
        ([allow()], [], "ACCEPT"),
        ([allow()], ["--mode", "observe"], "ACCEPT"),
        ([allow()], ["--account", "222222222222"], "ACCEPT"),
        ([allow()], ["--account", "999999999999"], "INELIGIBLE"),
        ([allow()], ["--at", "2027-01-01T00:00:00Z"], "INELIGIBLE"),
        ([allow()], ["--at", "2026-11-24t01:00:00+01:00"], "ACCEPT"),
        ([allow()], ["--organization", "o-otherorgan1"], "NO_MATCH"),
        ([allow(Condition={"CurrentOrganization": "o-otherorgan1"})], ["--organization", "o-otherorgan1"], "ACCEPT"),
        ([allow()], ["--management"], "INELIGIBLE"),
        ([allow()], ["--mode", "enforced"], "POLICY_INVALID"),
        ([allow(), deny()], [], "DENY"),
        ([allow("Other", organization="o-otherorgan1")], [], "NO_MATCH"),
        ([], [], "NO_MATCH"),
        ([{"Sid": "Bad"}], [], "POLICY_INVALID"),
    ],
)
def test_only_accept_ends_with_0(write, statements, options, decision):
    result = run("simulate", "--policy", write("a.json", *statements), "--handshake", INVITE, *IN_TIME, *options)
    assert result.stdout.split()[0] == decision
    assert result.exit_code == (0 if decision == "ACCEPT" else 1)


def test_a_declining_deny_is_not_a_yes(write):
    declining = allow("No", Respond="Decline") | {"Effect": "Deny"}
    result = run("simulate", "--policy", write("a.json", declining), "--handshake", INVITE, *IN_TIME, "--json")
    assert (result.exit_code, json.loads(result.stdout)["decision"]) == (1, "DECLINE")


@pytest.mark.parametrize("name", ["invite-by-account", "invite-by-email", "invite-party-without-prefix"])
def test_every_recorded_invitation_can_be_simulated(write, name):
    result = run("simulate", "--policy", write("a.json", allow()), "--handshake", HANDSHAKES / f"{name}.json", *IN_TIME)
    assert result.exit_code == 0
    assert "@" not in result.output


@pytest.mark.parametrize("name", ["05-inviter-is-a-party-too", "05b-inviter-and-email"])
def test_the_inviter_among_the_parties_is_the_sender(name):
    options = ["--policy", FIELD / "00-policy.json", "--account", "222222222222", *IN_TIME]
    assert run("simulate", *options, "--handshake", FIELD / f"{name}.json").stdout.split()[0] == "ACCEPT"
    third = json.loads((FIELD / f"{name}.json").read_text())
    third["Handshake"]["Parties"].append({"Type": "ACCOUNT", "Id": "999999999999"})
    result = run("simulate", *options, "--handshake", "-", input=json.dumps(third))
    assert (result.exit_code, result.stdout.split()[0]) == (1, "INELIGIBLE")
    assert "addressed to another account" in result.stdout


def in_cloudtrail():
    """A record of CloudTrail, from the whole event down to the handshake in it, as people cut it out."""
    event = json.loads((EVENTS / "invite-account.json").read_text())
    handshake = event["detail"]["responseElements"]["handshake"]
    log_file, looked_up = {"Records": [event["detail"]]}, {"Events": [{"CloudTrailEvent": json.dumps(event["detail"])}]}
    named = json.loads((FIELD / "02-cloudtrail-record-as-handshake.json").read_text())
    refused = json.loads((FIELD / "19-duplicate-invite-record.json").read_text())
    answers = [event["detail"]["responseElements"], {"Handshake": handshake}, handshake]
    return [named, event, event["detail"], *answers, log_file, looked_up, refused, refused["detail"]]


@pytest.mark.parametrize("record", in_cloudtrail(), ids=range(len(in_cloudtrail())))
def test_a_record_of_cloudtrail_is_told_from_a_handshake(write, folder, record):
    folder.joinpath("record.json").write_text(json.dumps(record))
    result = run("simulate", "--policy", write("a.json", allow()), "--handshake", "record.json", *IN_TIME)
    assert (result.exit_code, result.stdout) == (2, "")
    said = "a record of CloudTrail, not a handshake as describe-handshake prints it"
    assert result.stderr == f"handshakectl: record.json: {said}\n"


def test_all_features_are_enabled_for_a_member_of_that_organization(write):
    options = ["--policy", write("a.json", allow(action="ENABLE_ALL_FEATURES")), *IN_TIME]
    handshake = ["--handshake", HANDSHAKES / "enable-all-features.json"]
    assert run("simulate", *options, *handshake, "--organization", ORGANIZATION).exit_code == 0
    assert run("simulate", *options, *handshake).exit_code == 1


def test_the_management_account_approves_what_it_asked_itself(write, folder):
    action = "APPROVE_ALL_FEATURES"
    arn = f"arn:aws:organizations::111111111111:handshake/{ORGANIZATION}/approve_all_features/h-examplehandshakeid111"
    parties = [{"Type": "ACCOUNT", "Id": "111111111111"}, {"Type": "ORGANIZATION", "Id": ORGANIZATION}]
    handshake = sample(folder, Action=action, Arn=arn, Parties=parties, Resources=[])
    options = ["--policy", write("a.json", allow(action=action)), "--handshake", handshake, *IN_TIME]
    result = run("simulate", *options, "--management", "--organization", ORGANIZATION)
    assert result.exit_code == 0
    assert "for account 111111111111, MANAGEMENT" in result.stdout


def test_the_partition_is_the_handshake_s_own(write, folder):
    arn = json.loads(Path(INVITE).read_text())["Arn"].replace("arn:aws:", "arn:aws-us-gov:")
    result = run("simulate", "--policy", write("a.json", allow()), "--handshake", sample(folder, Arn=arn), *IN_TIME)
    assert result.exit_code == 0


def test_a_handshake_is_taken_from_under_its_key_and_from_standard_input(write):
    wrapped = json.dumps({"Handshake": json.loads(Path(INVITE).read_text())})
    result = run("simulate", "--policy", write("a.json", allow()), "--handshake", "-", *IN_TIME, input=wrapped)
    assert result.exit_code == 0


def test_a_handshake_that_contradicts_itself_is_ineligible(write, folder):
    result = run("simulate", "--policy", write("a.json", allow()), "--handshake", sample(folder, Id="h-other00000"))
    assert (result.exit_code, result.stdout.split()[0]) == (1, "INELIGIBLE")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--policy", "missing.json", "--handshake", INVITE], "missing.json: cannot be read: No such file"),
        (["--policy", "a.json", "--handshake", "missing.json"], "missing.json: cannot be read: No such file"),
        (["--policy", "a.json", "--handshake", "broken.json"], "broken.json: not JSON, at line 1, column 2"),
        (["--policy", "a.json", "--handshake", "deep.json"], "deep.json: cannot be read, at line 1, column 33: nested"),
        (["--policy", "a.json", "--handshake", "twice.json"], "twice.json: /Handshake/Id: this key is written more"),
        (["--policy", "a.json", "--handshake", "list.json"], "list.json: not a handshake"),
        (["--policy", "a.json", "--handshake", "handshakes.json"], "handshakes.json: holds a list of handshakes"),
        (["--policy", "a.json", "--handshake", INVITE, "--at", "2026-11-24"], "--at: '2026-11-24' is not a time with"),
        (["--policy", "a.json", "--handshake", INVITE, "--at", "2026-11-24T00:00:00"], "--at: "),
        (["--policy", "a.json", "--handshake", INVITE, "--at", "soon"], "--at: 'soon' is not a time with a zone"),
        (["--policy", "a.json", "--handshake", INVITE, "--account", "22222222222"], "--account: '22222222222' is not"),
        (["--policy", "a.json", "--handshake", INVITE, "--organization", "none"], "--organization: 'none' is neither"),
        (["--policy", "a.json"], "Missing option '--handshake'"),
        (["--handshake", INVITE], "Missing option '--policy'"),
        (["--policy", "--handshake", INVITE], ""),
        (["--policy", "a.json", "--handshake", INVITE, "--nonsense"], "No such option"),
    ],
)
def test_input_that_cannot_be_used_ends_with_2_and_one_line(write, folder, options, says):
    write("a.json", allow())
    for name, text in {
        "broken.json": "{",
        "list.json": "[]",
        "twice.json": '{"Handshake": {"Id": "h-00000001", "Id": "h-00000002", "Id": "h-00000003"}}',
        "handshakes.json": '{"Handshakes": []}',
        "deep.json": "[" * 100_000,
    }.items():
        folder.joinpath(name).write_text(text)
    result = run("simulate", *options, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


# The installed command


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["validate", "good.json"], 0),
        (["validate", "bad.json"], 1),
        (["validate", "missing.json"], 2),
        (["validate"], 2),
        (["simulate", "--policy", "good.json", "other.json", "--handshake", INVITE, *IN_TIME], 0),
        (["simulate", "--policy", "bad.json", "--handshake", INVITE, *IN_TIME], 1),
        (["simulate", "--policy", "good.json", "--handshake", "missing.json"], 2),
        (["frobnicate"], 2),
        ([], 2),
        (["--help"], 0),
    ],
)
def test_the_installed_command_ends_with_the_contract_s_status(write, folder, arguments, status):
    write("good.json", allow())
    write("other.json", deny("Other", Action="ENABLE_ALL_FEATURES"))
    write("bad.json", {"Sid": "Bad"})
    result = command(*arguments)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    assert status != 2 or result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "good.json"],
        ["simulate", "--policy", "good.json", "--handshake", INVITE, *IN_TIME, "--json"],
        ["compare", "--base", "good.json", "--to", "good.json"],
    ],
)
def test_offline_verbs_never_load_an_aws_library(write, arguments):
    write("good.json", allow())
    script = (
        "import sys; from handshakectl.main import app\n"
        "try: app()\n"
        "finally: print([m for m in ('boto3', 'botocore', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "[]")


def test_every_offline_verb_is_held_to_it():
    assert {path.stem for path in Path(offline.__path__[0]).glob("[a-z]*.py")} == {"validate", "simulate", "compare"}
