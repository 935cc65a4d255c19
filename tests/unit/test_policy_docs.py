"""`docs/policy.md` says what is so: its examples decide as it says, and its errors are those that are given."""

from __future__ import annotations

import json
import re
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


def test_the_editor_is_given_the_schema_that_is_used() -> None:
    path = "lambda/handshake_acceptor/policy/policy.schema.json"
    assert path in PAGE
    assert json.loads((ROOT / path).read_text("utf-8")) == schema()
