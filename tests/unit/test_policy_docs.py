"""`docs/policy.md` says what is so: its examples decide as it says, and its errors are those that are given."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy
from handshake_acceptor.policy.documents import Document, load, schema
from handshake_acceptor.policy.store import snapshot
from handshake_core.handshake import Action
from handshakectl.main import app
from tests.unit.bad_documents import BAD

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples/policy"
PAGE = (ROOT / "docs/policy.md").read_text("utf-8")
CASES: list[dict[str, Any]] = json.loads((EXAMPLES / "decisions.json").read_text("utf-8"))
POLICIES = sorted(path for path in EXAMPLES.glob("*.json") if path.name != "decisions.json")


def simulate(case: dict[str, Any]) -> dict[str, Any]:
    """What `handshakectl simulate` answers for one row of `decisions.json`."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments(case)])
    assert result.exit_code == (0 if case["decision"] == "ACCEPT" else 1), result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def arguments(case: dict[str, Any]) -> list[Any]:
    management = ["--management"] if case["management"] else []
    return [
        *("simulate", "--policy", *(EXAMPLES / name for name in case["policy"])),
        *("--handshake", EXAMPLES / "handshakes" / case["handshake"]),
        *("--organization", case["organization"], *management, "--at", case["at"], "--json"),
    ]


def row(case: dict[str, Any]) -> str:
    """The case as the page's tables show it."""
    where = case["organization"] + (", management account" if case["management"] else "")
    decided = case["decision"] + (f" by {', '.join(case['sids'])}" if case["sids"] else "")
    return f"| {case['handshake']} | {where} | {case['at']} | {decided} |"


def name(case: dict[str, Any]) -> str:
    return f"{'+'.join(case['policy'])}: {row(case)}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_an_example_decides_as_the_page_says(case: dict[str, Any]) -> None:
    answer = simulate(case)
    assert (answer["decision"], answer["sids"]) == (case["decision"], case["sids"])
    assert row(case) in PAGE


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_an_example_stands_in_the_page_as_it_is(path: Path) -> None:
    assert f"```json\n{path.read_text('utf-8')}```" in PAGE
    assert any(path.name in case["policy"] for case in CASES)


def test_the_page_has_no_example_and_no_row_that_is_not_tried() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    policies = [block for block in blocks if '"Version"' in block]
    assert sorted(policies) == sorted(path.read_text("utf-8") for path in POLICIES)
    rows = re.findall(r"^\| \S+\.json \|.*\|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(row(case) for case in CASES)


def test_the_answer_in_the_page_is_the_answer_that_is_given() -> None:
    (case,) = (case for case in CASES if case.get("answer"))
    assert f"```json\n{json.dumps(simulate(case), indent=2)}\n```" in PAGE


def test_every_decision_and_every_action_is_met() -> None:
    assert {case["decision"] for case in CASES} == set(DecisionKind) - {DecisionKind.POLICY_INVALID}
    for word in [*DecisionKind, *Action]:
        assert word in PAGE


def errors_given() -> set[str]:
    """Every message of the corpus with its place, and those of parameters."""
    given = {f"{pointer}: {message}" if pointer else message for _, _, pointer, message in BAD}
    prefix = "/handshake-acceptor/"
    wrong = {
        "mode": ("String", "off"),
        "policy/allowlist": ("SecureString", "AQICAHh=="),
        "allowlist": ("String", "{}"),
    }
    parameters = {prefix + name: {"Type": type_, "Value": value} for name, (type_, value) in wrong.items()}
    policy = snapshot(prefix, parameters).policy
    text = '{"Version": "2026-01-01", "Statement": [{"Sid": "Join", "Effect": "Deny"}]}'
    twice = load([Document(f"/handshake-acceptor/policy/{document}", text) for document in ("billing", "platform")])
    assert isinstance(policy, InvalidPolicy)
    assert isinstance(twice, InvalidPolicy)
    return given | {str(error) for error in (*policy.errors, *twice.errors)}


def test_every_error_in_the_page_is_one_that_is_given() -> None:
    (block,) = re.findall(r"```text\n(/Version: .*?)```", PAGE, re.DOTALL)
    lines = block.splitlines()
    assert len(lines) >= 20
    assert not set(lines) - errors_given()


def console_block(containing: str) -> list[str]:
    (block,) = (block for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) if containing in block)
    return block.splitlines()


def test_the_comparison_in_the_page_is_the_one_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    command, *said = console_block("compare --base 02-lists.json")
    monkeypatch.chdir(EXAMPLES)
    result = CliRunner().invoke(app, command.removeprefix("$ handshakectl ").split())
    assert (result.exit_code, result.stdout.splitlines()) == (1, said)


@pytest.mark.parametrize(
    ("change", "status"), [("nothing", 0), ("less", 0), ("other words", 0), ("more", 1), ("not JSON", 2)]
)
def test_the_check_of_a_pull_request_fails_if_anything_is_newly_accepted(
    tmp_path: Path, change: str, status: int
) -> None:
    def run(command: str, folder: Path) -> int:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        identity = {
            f"GIT_{who}_{what}": "mary@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return subprocess.run(
            ["bash", "-ec", command], cwd=folder, env=os.environ | identity | {"PATH": path}
        ).returncode

    main, branch = tmp_path / "main", tmp_path / "branch"
    main.joinpath("policy").mkdir(parents=True)
    for name in ("02-lists.json", "03-deny.json"):
        main.joinpath("policy", name).write_text(EXAMPLES.joinpath(name).read_text("utf-8"))
    assert run("git init -q -b main && git add . && git commit -qm policy && git clone -q . ../branch", main) == 0
    allowlist, guard = branch / "policy/02-lists.json", branch / "policy/03-deny.json"
    if change == "less":
        allowlist.unlink()
    elif change == "other words":
        allowlist.rename(branch / "policy/platform.json")
    elif change == "more":
        guard.unlink()
    elif change == "not JSON":
        guard.write_text("{")
    commands = " && ".join(line.removeprefix("$ ") for line in console_block("git worktree"))
    assert run(commands, branch) == status


def test_the_editor_is_given_the_schema_that_is_used() -> None:
    path = "lambda/handshake_acceptor/policy/policy.schema.json"
    assert path in PAGE
    assert json.loads((ROOT / path).read_text("utf-8")) == schema()
