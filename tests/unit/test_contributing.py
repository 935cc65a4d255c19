"""`CONTRIBUTING.md` says where to change what: its answers are true, and whole where a reader cannot see that."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from handshake_acceptor.policy.decide import Statement
from tests.support.definitions import defined

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECTION = PAGE.partition("## Where do I change X?")[2].partition("\n## ")[0]
ANSWERS = {text.partition(".")[0]: text for text in SECTION.split("\n### ")[1:]}
ITEM = re.compile(r"^- \[`([^`]+)`\]\(([^)]+)\): (.*?)(?=\n\n|\n- |\Z)", re.MULTILINE | re.DOTALL)
NAMED = [
    (path, name)
    for text in ANSWERS.values()
    for path, _, told in ITEM.findall(text)
    for name in re.findall(r"`([^`]+)`", told.split(". ")[0].split("; ")[0])
]


def files(answer: str) -> set[str]:
    return {path for path, *_ in ITEM.findall(ANSWERS[answer])}


def test_the_six_are_answered() -> None:
    assert sorted(ANSWERS) == list("123456")
    assert all(ITEM.findall(text) for text in ANSWERS.values())
    assert {target for text in ANSWERS.values() for _, target, _ in ITEM.findall(text)} == {path for path, _ in NAMED}


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_file_has_what_is_named(path: str, name: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    if path.endswith(".py"):
        assert name in defined(ast.parse(text))
    else:
        assert name in text


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    assert set(re.findall(r"`make ([a-z0-9-]+)", PAGE)) <= targets
    assert {"lint", "audit"} < set(re.findall(r"run: make ([a-z0-9-]+)", workflow)) <= targets


READS_STATEMENTS = ("policy/decide.py", "policy/documents.py", "policy/comparison.py")


@pytest.mark.parametrize("path", sorted(path for path in files("2") if path.endswith(READS_STATEMENTS)))
def test_whoever_reads_statements_reads_every_field(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    given = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    assert {field.name for field in fields(Statement)} <= read | given


def test_every_condition_is_in_the_independent_reading_and_the_docs() -> None:
    schema = json.loads((ROOT / "lambda/handshake_acceptor/policy/policy.schema.json").read_text("utf-8"))
    condition = schema["definitions"]["Statement"]["properties"]["Condition"]
    assert len(condition["properties"]) >= 3
    for path in ("tests/unit/naive_policy.py", "lambda/handshake_acceptor/policy/documents.py", "docs/policy.md"):
        text = (ROOT / path).read_text("utf-8")
        assert [name for name in condition["properties"] if name not in text] == [], path


def test_home_regions_are_the_same_wherever_they_are_named() -> None:
    literal = re.compile(r'"([a-z]{2}(?:-gov)?-[a-z]+-\d)"')
    sources = [path for top in ("lambda", "infra", "cli", "local") for path in (ROOT / top).rglob("*.py")]
    regions = {str(path.relative_to(ROOT)): set(literal.findall(path.read_text("utf-8"))) for path in sources}
    # What is about one region alone is no list of them.
    lists = {path: found for path, found in regions.items() if len(found) > 1}
    assert set(lists) == {path for path in files("5") if path.endswith(".py")}
    assert len({frozenset(found) for found in lists.values()}) == 1


def test_the_floor_of_the_coverage_never_falls() -> None:
    def floor(text: str) -> float:
        report = tomllib.loads(text).get("tool", {}).get("coverage", {}).get("report", {})
        return float(report.get("fail_under", 0))

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    if not (ROOT / ".git").exists():
        pytest.skip("no history here")
    commits = git("log", "--format=%H", "-G^fail_under", "--", "pyproject.toml").split()
    ever = [floor(git("show", f"{commit}:pyproject.toml")) for commit in commits]
    now = floor((ROOT / "pyproject.toml").read_text("utf-8"))
    assert now > 50
    assert now >= max(ever, default=0)
