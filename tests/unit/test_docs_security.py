"""`docs/security.md` and the README's table of claims name code and tests that exist.

A threat or a claim without a test fails here, and so does a test or a line of code that was renamed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.definitions import defined

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
CLAIMS = README.partition("| claim | in the code | the test |\n")[2].partition("\n\n")[0]
HOLDS = PAGE.partition("## What holds how fast")[2].partition("\n## ")[0]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED = sorted(set(TEST.findall(PAGE + CLAIMS)))
CODE = sorted(
    {(path, name) for name, path in re.findall(r"\[`([\w.]+)`\]\(([\w/]+\.py)\)", CLAIMS)}
    | {
        (path, name)
        for path, names in re.findall(r"`((?:lambda|infra)/[\w/]+\.py)`: ((?:`[\w.]+`(?:, )?)+)", PAGE)
        for name in re.findall(r"`([\w.]+)`", names)
    }
)


def rows(text: str) -> list[str]:
    """The rows of tables, without the lines between head and body."""
    return [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]


def named_in(file: str) -> set[str]:
    return {name for name in defined(ast.parse((ROOT / file).read_text("utf-8"))) if name.startswith("test_")}


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    assert test in named_in(file)


@pytest.mark.parametrize(("file", "name"), CODE)
def test_every_line_of_code_that_is_named_exists(file: str, name: str) -> None:
    assert name in defined(ast.parse((ROOT / file).read_text("utf-8")))


def test_every_claim_names_its_code_and_its_test() -> None:
    claims = rows(CLAIMS)
    assert len(claims) >= 8, "the table was read"
    assert [row for row in claims if not TEST.search(row) or not re.search(r"\]\([\w/]+\.py\)", row)] == []
    told = [row for row in rows(HOLDS) if not row.endswith("| test |")]
    assert len(told) >= 5, "the table was read"
    assert [row for row in told if not TEST.search(row) or not re.search(r"`[\w/]+\.py`", row)] == []


def test_the_promise_is_in_the_same_words_everywhere() -> None:
    promise = "for every call that is sent more than 20 s after it was written, as a rule within a second"
    for path in ("README.md", "CHANGELOG.md", "docs/security.md", "docs/policy.md", "docs/runbook.md"):
        assert promise in " ".join((ROOT / path).read_text("utf-8").replace("\n  ", " ").split()), path


def test_every_threat_names_its_test() -> None:
    threats = rows(PAGE.partition("## Attacker by asset by lock")[2].partition("\n## ")[0])
    without = [row for row in threats if "::test_" not in row and not row.endswith("| test |")]
    assert without == []
    assert len(threats) > len(set(TEST.findall(PAGE))) / 2, "the table was read"


def test_every_attackers_test_has_its_threat() -> None:
    file = "tests/e2e/test_attackers.py"
    assert named_in(file) == {test for named, test in NAMED if named == file}
