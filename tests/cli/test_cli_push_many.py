"""`handshakectl push` to many accounts: each by itself, in moto, with what goes wrong in some of them."""

import json
import signal
import threading

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handshakectl.account.home import HOME
from local.world import PREFIX, allow, deny, document
from tests.cli.many import ACCOUNTS, ALLOWLIST, MODE, calls, history, organization, parameter_store, run, seed, value
from tests.cli.sessions import share_clients

A, B, C = ACCOUNTS
ROLE = ("--role", "Operator", "--accounts", *ACCOUNTS)
PROFILES = ("--profiles", "a", "b", "c")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share_clients(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    config = "".join(
        f"[profile {name}]\naws_access_key_id = {account}\naws_secret_access_key = testing\n"
        for name, account in {"a": A, "b": B, "c": C, "again": A}.items()
    )
    tmp_path.joinpath("config").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name, statements in {
        "allowlist": [allow()],
        "team": [deny("Team")],
        "bad": [{"Sid": "Bad"}],
        "other": [],
    }.items():
        tmp_path.joinpath(f"{name}.json").write_text(document(*statements))
    with organization():
        seed(*ACCOUNTS)
        yield tmp_path


def refusal(code="AccessDenied", operation="Something"):
    text = "User: arn:aws:sts::222222222222:assumed-role/Admin/diego@example.com is not authorized"
    return ClientError({"Error": {"Code": code, "Message": text}}, operation)


def rows(result):
    return {row["account_id"]: row for row in json.loads(result.stdout)}


def results(result):
    return {account: row["result"] for account, row in rows(result).items()}


@pytest.mark.parametrize("way", [ROLE, PROFILES], ids=["role", "profiles"])
def test_every_account_is_written_and_told_of(way):
    result = run("push", "allowlist.json", *way, "--yes", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [row["account_id"] for row in found] == list(ACCOUNTS)
    assert [row["profile"] for row in found] == ([None] * 3 if way is ROLE else ["a", "b", "c"])
    for row in found:
        assert (row["result"], row["documents"], row["mode"]) == ("written", [ALLOWLIST], "enforce")
        assert (len(row["policy_version"]), row["why"], row["as_wanted"]) == (16, "", True)
    assert {value(account, ALLOWLIST) for account in ACCOUNTS} == {document(allow())}


def test_accounts_are_named_on_the_line_or_in_a_file(folder):
    folder.joinpath("accounts").write_text(f"\ufeff# production\n{A}  # the first\n\n{B}\r\n")
    options = ("--role", "/path/to/Operator", "--accounts-file", "accounts", "--accounts", C)
    assert set(results(run("push", "allowlist.json", *options, "--yes", "--json"))) == set(ACCOUNTS)


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
@pytest.mark.parametrize("named", [("Operator", "--accounts", A), ("arn:{}:iam::222222222222:role/Operator",)])
def test_the_role_is_assumed_in_the_partition_of_the_caller(partition, named):
    role, *accounts = named
    assumed = []
    with calls(
        ("", "GetCallerIdentity", "", lambda _: {"Arn": f"arn:{partition}:sts::111111111111:assumed-role/Admin/me"}),
        ("", "AssumeRole", "", assumed.append),
    ):
        home = ("--region", HOME[partition])
        run("push", "team.json", "--role", role.format(partition), *accounts, *home, "--yes")
    wanted = {"RoleArn": f"arn:{partition}:iam::{A}:role/Operator", "RoleSessionName": "handshakectl"}
    assert assumed == [wanted]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--profiles", "a", "--role", "Operator"], "--profiles: goes with none of"),
        (["--profiles", "a", "--profile", "b"], "--profiles: goes with none of"),
        (["--profiles", "a", "--accounts", A], "--profiles: goes with none of"),
        (["--profiles", "a", "b", "a"], "--profiles: a is there already"),
        (["--profiles", "nobody"], "The config profile (nobody) could not be found"),
        (["--accounts", A], "--accounts: needs --role"),
        (["--accounts-file", "accounts"], "--accounts-file: needs --role"),
        (["--role", "Operator"], "--role: needs --accounts or --accounts-file"),
        (["--role", "no role"], "--role: 'no role' is neither a role's name"),
        (["--role", f"arn:aws:iam::{A}:user/Operator"], "is neither a role's name"),
        (["--role", f"arn:aws:iam::{A}:role/Operator", "--accounts", A], "an ARN names its account already"),
        (
            ["--role", f"arn:aws-cn:iam::{A}:role/Operator"],
            "is in the partition aws-cn, and the credentials are for aws",
        ),
        (["--role", "Operator", "--accounts", "1234"], "--accounts: '1234' is not an account's id"),
        (["--role", "Operator", "--accounts", A, A], f"--accounts: {A} is there already, in --accounts"),
        (["--role", "Operator", "--accounts-file", "accounts", "--accounts", A], f"accounts: line 2: {A} is there"),
        (["--role", "Operator", "--accounts-file", "wrong"], "wrong: line 2: '12' is not an account's id"),
        (["--role", "Operator", "--accounts-file", "empty"], "empty: names no account"),
        (["--role", "Operator", "--accounts-file", "missing"], "missing: cannot be read"),
        ([*ROLE, "--parallel", "0"], "--parallel"),
    ],
)
@pytest.mark.parametrize("command", [["push", "allowlist.json", "--yes"], ["status"]], ids=["push", "status"])
def test_options_that_name_no_accounts_or_contradict_are_bad_input(folder, command, options, says):
    folder.joinpath("accounts").write_text(f"# ours\n{A}\n")
    folder.joinpath("wrong").write_text(f"{A}\n12\n")
    folder.joinpath("empty").write_text("# nobody\n")
    with calls() as seen:
        result = run(*command, *options)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert says in result.stderr
    assert {operation for _, operation in seen} <= {"GetCallerIdentity"}


@pytest.mark.parametrize("options", [("--yes",), ("--dry-run", "--json")])
def test_two_profiles_of_one_account_are_bad_input_and_nothing_is_written(options):
    result = run("push", "allowlist.json", "--profiles", "b", "again", "a", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--profiles: again and a are the same account, {A}; give one of them" in result.stderr
    assert value(B, ALLOWLIST) == document()


def test_documents_that_are_wrong_everywhere_are_bad_input_before_any_account_is_asked():
    with calls() as seen:
        result = run("push", "team.json", "bad.json", *ROLE, "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "bad.json: /Statement/0: Effect is missing" in result.stderr
    assert {operation for _, operation in seen} <= {"GetCallerIdentity"}


# One account's failure is its own


@pytest.mark.parametrize(
    ("operation", "part", "error", "why"),
    [
        (
            "AssumeRole",
            B,
            refusal(operation="AssumeRole"),
            f"AWS refuses AssumeRole: AccessDenied: arn:aws:iam::{B}:role/Operator to ",
        ),
        ("GetParametersByPath", "", refusal("ExpiredToken"), "AWS refuses Something: ExpiredToken: sign in again"),
        ("GetParametersByPath", "", EndpointConnectionError(endpoint_url="https://x"), "Could not connect"),
        ("PutParameter", "allowlist", refusal("ThrottlingException"), "AWS refuses Something: ThrottlingException"),
    ],
)
def test_a_failure_in_one_account_stops_no_other(operation, part, error, why):
    account = "" if operation == "AssumeRole" else B
    with calls((account, operation, part, error)):
        result = run("push", "allowlist.json", *ROLE, "--yes", "--json")
    assert result.exit_code == 1
    assert results(result) == {A: "written", B: "failed", C: "written"}
    assert why in rows(result)[B]["why"]
    assert (rows(result)[B]["documents"], rows(result)[B]["as_wanted"]) == ([], False)
    assert "diego" not in result.output


@pytest.mark.parametrize(
    ("operation", "part", "result_", "mode"),
    [
        ("AssumeRole", f"{B}:role", "failed", None),
        ("PutParameter", '"observe"', "failed", "enforce"),
        ("PutParameter", "policy/team", "stopped midway", "observe"),
        ("PutParameter", '"enforce"', "stopped midway", "observe"),
    ],
)
def test_an_answer_that_cannot_be_read_is_one_accounts_alone(operation, part, result_, mode):
    """As a gateway in between gives it: a success with something else in it."""
    account = "" if operation == "AssumeRole" else B
    with calls((account, operation, part, lambda _: {"ResponseMetadata": {"HTTPStatusCode": 200}})):
        result = run("push", "allowlist.json", "team.json", *ROLE, "--yes", "--json")
    assert (result.exit_code, results(result)) == (1, {A: "written", B: result_, C: "written"})
    assert "the answer cannot be read" in rows(result)[B]["why"]
    assert rows(result)[B]["mode"] == mode


def test_an_account_with_a_policy_that_would_be_invalid_is_refused_alone():
    seed(B, **{"policy/other": document(deny("Join")), "policy/third": document(deny("Join"))})
    result = run("push", "allowlist.json", *ROLE, "--yes", "--json")
    assert (result.exit_code, results(result)) == (1, {A: "written", B: "refused", C: "written"})
    assert "Join is a Sid already" in rows(result)[B]["why"]
    assert rows(result)[B]["why"].endswith("(and 1 more)")
    assert value(B, ALLOWLIST) == document()


def test_a_second_run_writes_only_what_the_first_did_not():
    with calls((B, "PutParameter", "", refusal())):
        assert run("push", "allowlist.json", *ROLE, "--yes").exit_code == 1
    with calls() as seen:
        result = run("push", "allowlist.json", *ROLE, "--yes", "--json")
    assert (result.exit_code, results(result)) == (0, {A: "nothing differs", B: "written", C: "nothing differs"})
    assert {account for account, operation in seen if operation == "PutParameter"} == {B}
    assert len({row["policy_version"] for row in rows(result).values()}) == 1


@pytest.mark.parametrize("failing", ["policy/team", '"enforce"'])
def test_an_account_that_a_push_left_in_observe_does_not_look_finished(failing):
    with calls((B, "PutParameter", failing, refusal())):
        result = run("push", "allowlist.json", "team.json", *ROLE, "--yes", "--json")
    assert (result.exit_code, results(result)) == (1, {A: "written", B: "stopped midway", C: "written"})
    row = rows(result)[B]
    assert (row["mode"], row["policy_version"], row["as_wanted"]) == ("observe", None, False)
    assert row["why"].startswith("AWS refuses Something: AccessDenied: the caller lacks the permission; written: ")
    other = run("push", "other.json", *ROLE, "--yes", "--json")
    assert (other.exit_code, results(other)) == (1, dict.fromkeys(ACCOUNTS, "written"))
    assert (rows(other)[B]["mode"], rows(other)[B]["as_wanted"]) == ("observe", False)
    assert other.stderr.startswith(f"1 account ({B}): the mode is observe since a push or remove that stopped midway")
    for account in ACCOUNTS:
        parameter_store(account).delete_parameter(Name=f"{PREFIX}policy/other")
    result = run("push", "allowlist.json", "team.json", *ROLE, "--yes", "--json")
    assert (result.exit_code, results(result)) == (0, {A: "nothing differs", B: "written", C: "nothing differs"})
    assert (rows(result)[B]["mode"], rows(result)[B]["as_wanted"], value(B, MODE)) == ("enforce", True, "enforce")


@pytest.mark.parametrize("mode", ["observe", None])
def test_an_account_that_its_owner_put_in_observe_is_as_wanted(mode):
    seed(B, mode="observe")
    if mode is None:
        parameter_store(B).delete_parameter(Name=MODE)
    result = run("push", "allowlist.json", "team.json", *ROLE, "--yes", "--json", "--before-deploy")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {account: row["mode"] for account, row in rows(result).items()} == {A: "enforce", B: mode, C: "enforce"}


def test_an_account_that_changed_since_it_was_shown_is_left_alone():
    done = threading.Event()

    def somebody_else(_):
        if not done.is_set():
            done.set()
            seed(C, **{"policy/other": document(deny("Other"))})

    with calls((A, "PutParameter", "allowlist", somebody_else)):
        result = run("push", "allowlist.json", *ROLE, "--parallel", "1", "--yes", "--json")
    assert (result.exit_code, results(result)) == (1, {A: "written", B: "written", C: "failed"})
    assert rows(result)[C]["why"].startswith(f"{MODE}, {PREFIX}policy/other: changed since it was shown; nothing was")
    assert value(C, ALLOWLIST) == document()


@pytest.fixture
def interruptible():
    """SIGINT as in a terminal: a shell's background processes, and so their Python, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(_):
    """Ctrl-C; then time for the main thread to take it, which is what it must be seen to do."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    threading.Event().wait(0.5)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_after_the_accounts_that_are_under_way():
    with calls((A, "PutParameter", "allowlist", interrupt)):
        result = run("push", "allowlist.json", *ROLE, "--parallel", "1", "--yes", "--json")
    assert (result.exit_code, results(result)) == (130, {A: "written", B: "failed", C: "failed"})
    assert rows(result)[C]["why"] == "interrupted before it began"
    assert [value(account, ALLOWLIST) == document(allow()) for account in ACCOUNTS] == [True, False, False]


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_accounts_are_read_writes_nothing():
    with calls((A, "GetParametersByPath", "", interrupt)) as seen:
        result = run("push", "allowlist.json", *ROLE, "--parallel", "1", "--yes")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "PutParameter" not in {operation for _, operation in seen}


# What people see


def test_the_same_difference_is_shown_once_with_the_number_of_accounts():
    seed(B, **{"policy/allowlist": document(deny("Mine"))})
    parameter_store(C).put_parameter(Name=ALLOWLIST, Value=document(), Overwrite=True)  # another version, the same text
    result = run("push", "allowlist.json", *ROLE, input="y\n")
    assert result.exit_code == 0
    assert (
        f"2 accounts ({A}, {C}): would be written, mode enforce\n--- {ALLOWLIST}\n+++ allowlist.json\n" in result.stdout
    )
    assert f"1 account ({B}): would be written, mode enforce\n" in result.stdout
    assert result.stdout.count("+++ allowlist.json") == 2
    assert "Write 1 document in 3 accounts? [y/N]" in result.stderr
    assert [line.split()[:4] for line in result.stdout.splitlines()[-4:-1]] == [
        ["written", account, "allowlist", "enforce"] for account in ACCOUNTS
    ]
    assert result.stdout.splitlines()[-1] == "3 accounts: 3 written"


def test_without_a_yes_nothing_is_written():
    result = run("push", "allowlist.json", *ROLE, input="n\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("nothing was written\n")
    assert {value(account, ALLOWLIST) for account in ACCOUNTS} == {document()}


def test_what_fails_or_is_refused_is_shown_before_the_question():
    seed(A, **{"policy/allowlist": document(allow())})
    seed(B, **{"policy/other": document(deny("Join"))})
    with calls(("", "AssumeRole", C, refusal(operation="AssumeRole"))):
        result = run("push", "allowlist.json", *ROLE)
    assert result.exit_code == 1
    assert "Write" not in result.stderr
    for line in (
        f"1 account ({A}): nothing differs, mode enforce",
        f"1 account ({B}): refused, mode enforce",
        "3 accounts: 1 nothing differs, 1 refused, 1 failed",
    ):
        assert line in result.stdout.splitlines()
    assert f"1 account ({C}): failed: AWS refuses AssumeRole: AccessDenied: arn:aws:iam::{C}:" in result.stdout


def test_a_dry_run_writes_nothing_and_says_what_would_be():
    with calls() as seen:
        result = run("push", "allowlist.json", "team.json", *ROLE, "--dry-run", "--json")
    assert (result.exit_code, set(results(result).values())) == (0, {"would be written"})
    assert rows(result)[A]["documents"] == [ALLOWLIST, f"{PREFIX}policy/team"]
    assert {operation for _, operation in seen} == {
        "GetCallerIdentity",
        "AssumeRole",
        "GetParametersByPath",
        "GetParameterHistory",
        "GetRolePolicy",
    }


def test_the_history_names_who_pushed_and_never_by_an_e_mail_address():
    for arn, by in {"Admin/maria": "maria", "Admin/diego@example.com": "Admin"}.items():
        seed(A)
        identity = {"Arn": f"arn:aws:sts::111111111111:assumed-role/{arn}"}
        with calls(("", "GetCallerIdentity", "", lambda _, identity=identity: identity)):
            result = run("push", "allowlist.json", *ROLE, "--yes", "--reason", "join")
        assert history(A, ALLOWLIST)[-1]["Description"].startswith(f"handshakectl push by {by} at ")
        assert "diego" not in result.output


def test_fifty_accounts_are_written_side_by_side(folder):
    many = [f"5555555555{n:02}" for n in range(50)]
    seed(*many)
    folder.joinpath("accounts").write_text("\n".join(reversed(many)))
    together, first = threading.Barrier(2), threading.Semaphore(2)

    def meet(_):
        """The first two wait for each other, as only those can that are under way at the same time."""
        if first.acquire(blocking=False):
            together.wait(10)

    with calls(("", "PutParameter", "", meet)) as seen:
        result = run(
            "push",
            "allowlist.json",
            "--role",
            "Operator",
            "--accounts-file",
            "accounts",
            "--parallel",
            5,
            "--yes",
            "--json",
        )
    assert result.exit_code == 0
    assert list(results(result)) == many
    assert {value(account, ALLOWLIST) for account in many} == {document(allow())}
    assert [operation for _, operation in seen].count("PutParameter") == 50


# The deploy's own document


@pytest.mark.parametrize("way", [(), ROLE])
@pytest.mark.parametrize("arguments", [("deployed.json",), ("team.json", "--name", "deployed")])
def test_the_document_of_the_deploy_is_not_for_push(folder, way, arguments):
    folder.joinpath("deployed.json").write_text(document())
    with calls() as seen:
        result = run("push", *arguments, *way, "--yes")
    assert (result.exit_code, result.stdout, seen) == (2, "", [])
    assert f"{arguments[0]}: {PREFIX}policy/deployed is the deploy's, which would write over it" in result.stderr
    assert "give --name, or make it the deploy's setting policy" in result.stderr
    assert run("push", "deployed.json", "--name", "team", *ROLE, "--yes").exit_code == 0
