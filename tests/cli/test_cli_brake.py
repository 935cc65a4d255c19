"""`handshakectl brake` and `remove`, in one account and in many, and what all verbs that write say before they ask."""

import json
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from handshakectl.account.home import HOME
from handshakectl.policy.writer import ACTIONS
from local.world import MANAGEMENT, ORGANIZATION, PREFIX, allow, deny, document
from tests.cli.many import ACCOUNTS, ALLOWLIST, MODE, calls, history, organization, parameter_store, run, seed, value
from tests.cli.parameter_store import ParameterStore, in_memory
from tests.cli.sessions import share_clients

A, B, C = ACCOUNTS
ROLE = ("--role", "Operator", "--accounts", *ACCOUNTS)
ALONE = "123456789012"
"""The account of the caller, in moto."""
JOINING = f"INVITE from {ORGANIZATION} of {MANAGEMENT}, for an account in none"
WHY = ("--reason", "drill")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setattr("handshakectl.policy.writer._SETTLE_WITHIN", 0.0)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    tmp_path.joinpath("allowlist.json").write_text(document(allow()))
    tmp_path.joinpath("team.json").write_text(document(deny("Team")))
    with organization():
        seed(ALONE, *ACCOUNTS)
        yield tmp_path


def refusal(code="AccessDenied", operation="Something"):
    return ClientError({"Error": {"Code": code, "Message": "diego@example.com is not authorized"}}, operation)


def brake(account, text="observe", **more):
    parameter_store(account).put_parameter(Name=MODE, Value=text, Type="String", Overwrite=True, **more)


def put(account, name, *statements):
    parameter_store(account).put_parameter(Name=name, Value=document(*statements), Type="String", Overwrite=True)


def results(result):
    return {row["account_id"]: row["result"] for row in json.loads(result.stdout)}


def written(seen):
    return [operation for _, operation in seen if operation in ("PutParameter", "DeleteParameter")]


# What stands before the question


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("push", "allowlist.json"), "Write 1 document in account 123456789012?"),
        (("remove", "allowlist"), "Remove 1 document in account 123456789012?"),
        (("brake", "on", *WHY), "Set the mode to observe in account 123456789012?"),
    ],
)
def test_account_region_prefix_and_mode_stand_before_the_question_and_a_no_writes_nothing(command, question):
    with calls() as seen:
        result = run(*command, input="n\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"account {ALONE}, region us-east-1, {PREFIX}, mode enforce"
    assert question in result.stderr
    assert written(seen) == []


def test_a_push_says_what_it_changes_in_effect():
    result = run("push", "allowlist.json", input="n\n")
    assert f"newly accepted: {JOINING} (allowed by Join)" in result.stdout.splitlines()


def test_a_deny_that_goes_shows_what_it_held():
    put(ALONE, ALLOWLIST, allow())
    put(ALONE, f"{PREFIX}policy/freeze", deny("Freeze"))
    result = run("remove", "freeze", input="y\n")
    assert f"newly accepted: {JOINING} (allowed by Join; until now denied by Freeze)" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-2:] == [f"{PREFIX}policy/freeze: removed", "the mode is enforce"]


@pytest.mark.parametrize("way", [(), ROLE], ids=["one", "many"])
@pytest.mark.parametrize("partition", HOME)
@pytest.mark.parametrize(
    "command", [("push", "allowlist.json"), ("remove", "allowlist"), ("brake", "on", *WHY)], ids=lambda one: one[0]
)
def test_a_region_that_is_no_home_region_is_bad_input(command, partition, way):
    identity = {"Arn": f"arn:{partition}:sts::{ALONE}:assumed-role/Admin/me"}
    with calls(("", "GetCallerIdentity", "", lambda _: identity)) as seen:
        result = run(*command, *way, "--yes", "--region", "eu-west-1")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert f"--region: eu-west-1 is no home region: the function reads its policy in {HOME[partition]}" in result.stderr
    assert written(seen) == []


@pytest.mark.parametrize("way", [(), ROLE], ids=["one", "many"])
@pytest.mark.parametrize(
    "command", [("push", "allowlist.json"), ("remove", "allowlist"), ("brake", "on", *WHY)], ids=lambda one: one[0]
)
def test_an_account_without_a_mode_is_refused_unless_it_is_before_the_deploy(command, way):
    for account in (ALONE, *ACCOUNTS):
        parameter_store(account).delete_parameter(Name=MODE)
    with calls() as seen:
        result = run(*command, *way, "--yes")
    assert (result.exit_code, written(seen)) == (1, [])
    assert f"there is no {MODE}, so that no acceptor is deployed there yet" in result.output
    assert run(*command, *way, "--yes", "--before-deploy").exit_code == 0


def test_the_prefix_of_cdk_json_here_is_the_prefix(folder):
    settings = {"context": {"handshakeAcceptor": {"prefix": "/elsewhere/"}}}
    folder.joinpath("cdk.json").write_text(json.dumps(settings))
    with calls() as seen:
        result = run("push", "allowlist.json", "--yes")
    assert (result.exit_code, written(seen)) == (1, [])
    assert result.stdout.splitlines()[0] == f"account {ALONE}, region us-east-1, /elsewhere/, mode none"
    assert run("push", "allowlist.json", "--yes", "--prefix", PREFIX).exit_code == 0


def test_what_changes_while_the_person_reads_is_said_and_nothing_is_written(monkeypatch):
    def colleague(_):
        brake(ALONE)
        put(ALONE, ALLOWLIST, deny("Security"))
        return True

    monkeypatch.setattr("handshakectl.fleet.writing.agreed", colleague)
    result = run("push", "allowlist.json", "team.json")
    assert result.exit_code == 1
    assert f"failed: {MODE}, {ALLOWLIST}: changed since it was shown; nothing was written" in result.stderr
    assert result.stdout.splitlines()[-1] == "the mode is observe"
    assert (value(ALONE, MODE), value(ALONE, ALLOWLIST)) == ("observe", document(deny("Security")))


def test_what_was_lost_in_the_last_instant_is_printed_and_the_mode_becomes_observe():
    done = []

    def security(_):
        if not done:
            done.append(True)
            put(ALONE, ALLOWLIST, deny("Security"))

    with calls(("", "PutParameter", "Join", security)):
        result = run("push", "allowlist.json", "--yes")
    assert result.exit_code == 1
    assert document(deny("Security")) in result.stderr
    assert f"{ALLOWLIST} version 2" in result.stderr
    assert (result.stdout.splitlines()[-1], value(ALONE, MODE)) == ("the mode is observe", "observe")


# brake


def test_the_brake_goes_on_and_off_and_says_so():
    on = run("brake", "on", *WHY, "--yes")
    assert (on.exit_code, on.stdout.splitlines()[-1], value(ALONE, MODE)) == (0, "the mode is observe", "observe")
    description = history(ALONE, MODE)[-1]["Description"]
    assert description.startswith("handshakectl brake on")
    assert description.endswith(": drill")
    off = run("brake", "off", *WHY, "--yes")
    assert (off.exit_code, off.stdout.splitlines()[-1], value(ALONE, MODE)) == (0, "the mode is enforce", "enforce")


def test_a_brake_that_is_on_already_gets_another_version():
    brake(ALONE)
    before = len(history(ALONE, MODE))
    assert run("brake", "on", *WHY, "--yes").exit_code == 0
    assert len(history(ALONE, MODE)) == before + 1


def test_where_nothing_is_braked_there_is_nothing_to_write():
    with calls() as seen:
        assert run("brake", "off", *WHY).exit_code == 0
    assert written(seen) == []


def test_a_brake_of_somebody_else_s_is_shown_and_left_unless_foreign():
    brake(ALONE, Description="incident 4711")
    result = run("brake", "off", *WHY, "--yes")
    assert (result.exit_code, value(ALONE, MODE)) == (1, "observe")
    assert "the mode is not of handshakectl brake: set " in result.stderr
    assert "(incident 4711)" in result.stderr
    assert run("brake", "off", "--foreign", *WHY, "--yes").exit_code == 0
    assert value(ALONE, MODE) == "enforce"


def test_foreign_brakes_of_many_are_asked_about_one_by_one():
    run("brake", "on", *WHY, "--role", "Operator", "--accounts", A, "--yes")
    brake(B, Description="incident 4711")
    brake(C, Description="incident 4712")
    result = run("brake", "off", "--foreign", *WHY, *ROLE, input="y\nn\ny\n")
    assert result.exit_code == 1
    assert [value(account, MODE) for account in ACCOUNTS] == ["enforce", "observe", "enforce"]
    assert result.stderr.count("[y/N]") == 3
    assert "incident 4711" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("brake", "on"), "--reason"),
        (("brake", "on", "--reason", " "), "--reason: is empty"),
        (("brake", "up", *WHY), "'up' is not one of"),
        (("brake", "on", "--foreign", *WHY), "--foreign: is for off"),
        (("brake", "on", *WHY, "--json"), "--json asks nothing, so it needs --yes"),
        (("remove", "--yes"), "Give either NAME... or --all"),
        (("remove", "a", "--all", "--yes"), "Give either NAME... or --all"),
        (("remove", "../mode", "--yes"), "is no document's name"),
        (("remove", "deployed", "--yes"), "is the deploy's, which would write it again"),
    ],
)
def test_what_cannot_be_is_bad_input(arguments, says):
    with calls() as seen:
        result = run(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert says in result.stderr
    assert written(seen) == []


# remove


def test_all_but_the_deploy_s_own_are_removed_under_the_brake():
    for name in ("team", "deployed", "x/y"):
        put(ALONE, f"{PREFIX}policy/{name}", deny(name.replace("/", "")))
    modes = []
    with calls(("", "DeleteParameter", "", lambda _: modes.append(value(ALONE, MODE)))):
        result = run("remove", "--all", "--yes", "--json")
    removed = [f"{PREFIX}policy/{name}" for name in ("allowlist", "team", "x/y")]
    assert (result.exit_code, json.loads(result.stdout)["written"], modes) == (0, removed, ["observe"] * 3)
    assert value(ALONE, MODE) == "enforce"
    found = parameter_store(ALONE).get_parameters_by_path(Path=PREFIX, Recursive=True)["Parameters"]
    assert {each["Name"] for each in found} >= {f"{PREFIX}policy/deployed"}
    assert not {each["Name"] for each in found} & set(removed)


def test_what_is_not_there_is_as_it_should_be():
    result = run("remove", "nobody", "--yes")
    assert (result.exit_code, result.stdout.splitlines()[1]) == (0, f"{PREFIX}policy/nobody: nothing differs")


def test_an_invalid_policy_can_be_cleared_away():
    put(ALONE, ALLOWLIST, {"Sid": "Bad"})
    result = run("remove", "allowlist", "--yes")
    assert result.exit_code == 0
    assert "the policy is invalid, so that nothing is accepted" in result.stdout


# Many accounts


def test_of_five_hundred_accounts_a_second_run_writes_only_what_differs(monkeypatch):
    """In memory: moto takes minutes for as many."""
    many = [f"5{n:011}" for n in range(500)]
    bad = set(many[::25])
    stores = {account: ParameterStore(mode="enforce", policy__old=document(deny("Old"))) for account in many}
    monkeypatch.setattr("handshakectl.fleet.selection.Chosen.targets", lambda *_: in_memory(stores))

    def carried_out(*command):
        for store in stores.values():
            store.calls.clear()
        result = run(*command, "--parallel", "4", "--yes", "--json")
        writers = {
            account
            for account, store in stores.items()
            if {operation for operation, _ in store.calls} & {"PutParameter", "DeleteParameter"}
        }
        return result, writers

    for command, mode in (
        (("push", "allowlist.json"), "enforce"),
        (("remove", "old"), "enforce"),
        (("brake", "on", *WHY), "observe"),
    ):
        for account in bad:
            stores[account].refused.add("PutParameter")
        first, _ = carried_out(*command)
        assert first.exit_code == 1
        assert {account for account, result in results(first).items() if result == "failed"} == bad
        for row in json.loads(first.stdout):
            refused = row["account_id"] in bad
            assert row["why"].startswith("AWS refuses PutParameter: AccessDenied" if refused else "")
            assert (bool(row["why"]), row["mode"]) == (refused, "enforce" if refused else mode)
        for store in stores.values():
            store.refused.clear()
        second, writers = carried_out(*command)
        assert second.exit_code == 0
        # A brake is always set anew, so that whoever works under an older one notices.
        assert writers == (set(many) if command[0] == "brake" else bad)
        assert {row["mode"] for row in json.loads(second.stdout)} == {mode}
    assert {store.text(MODE) for store in stores.values()} == {"observe"}


def test_the_brake_goes_on_side_by_side():
    together = threading.Barrier(3)
    with calls(("", "PutParameter", "", lambda _: together.wait(10) < 0 or None)):
        result = run("brake", "on", *WHY, *ROLE, "--yes", "--json")
    assert (result.exit_code, set(results(result).values())) == (0, {"written"})


def test_one_effect_is_shown_once_with_the_number_of_accounts():
    for account in ACCOUNTS:
        put(account, ALLOWLIST, allow())
    result = run("brake", "on", *WHY, *ROLE, input="y\n")
    assert result.exit_code == 0
    assert f"3 accounts ({A}, {B}, {C}): would be written, mode enforce" in result.stdout.splitlines()
    assert result.stdout.count(f"no longer accepted: {JOINING}") == 1
    assert "Set the mode to observe in 3 accounts?" in result.stderr


# Wrong role, missing role, missing account


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (B, "2 other accounts did not refuse, so look at this one: its number, its role, its trust"),
        ("", "every account refuses, so look at the role's name, and at what the caller may assume"),
    ],
)
def test_a_role_that_cannot_be_assumed_is_named_with_the_caller_and_where_to_look(refused, says):
    identity = {"Arn": f"arn:aws:sts::{MANAGEMENT}:assumed-role/Admin/maria"}
    with calls(
        ("", "GetCallerIdentity", "", lambda _: identity),
        ("", "AssumeRole", refused, refusal(operation="AssumeRole")),
    ):
        result = run("brake", "on", *WHY, *ROLE, "--yes", "--json")
    row = next(row for row in json.loads(result.stdout) if row["account_id"] == B)
    assert row["why"] == (
        f"AWS refuses AssumeRole: AccessDenied: arn:aws:iam::{B}:role/Operator to maria of {MANAGEMENT}: there is no "
        f"such account, no such role in it, or the role does not trust the caller; {says}"
    )


# Permissions


def test_the_verbs_that_write_need_exactly_the_actions_that_are_listed():
    with calls() as seen:
        for command in (
            ("push", "allowlist.json", "team.json"),
            ("remove", "allowlist", "team"),
            ("brake", "on", *WHY),
            ("brake", "off", *WHY),
        ):
            assert run(*command, *ROLE, "--yes").exit_code == 0
            assert run(*command, "--yes").exit_code == 0
    services = {"GetCallerIdentity": "sts", "AssumeRole": "sts", "GetRolePolicy": "iam"}
    assert {f"{services.get(operation, 'ssm')}:{operation}" for _, operation in seen} == set(ACTIONS)
    page = (Path(__file__).parents[2] / "docs/fleet.md").read_text("utf-8")
    assert "\n".join(f"| `{action}` | {why} |" for action, why in ACTIONS.items()) + "\n\n" in page
