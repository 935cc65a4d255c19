"""`docs/security.md` names tests that exist: a threat without one, or a test that was renamed, fails here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    assert test in defined_in(file)


def test_every_threat_names_its_test() -> None:
    threats = PAGE.partition("## Attacker by asset by lock")[2].partition("\n## ")[0]
    rows = [line for line in threats.splitlines() if line.startswith("|") and not line.startswith("|---")]
    without = [row for row in rows if "::test_" not in row and not row.endswith("| test |")]
    assert without == []
    assert len(rows) > len(NAMED) / 2, "the table was read"


def test_every_attackers_test_has_its_threat() -> None:
    file = "tests/e2e/test_attackers.py"
    assert defined_in(file) == {test for named, test in NAMED if named == file}
