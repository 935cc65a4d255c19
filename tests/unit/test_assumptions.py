"""`docs/assumptions.md` is whole: every page of AWS that the code cites has a row, and every row says what it must."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.definitions import defined

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "assumptions.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| assumed |")
]
CITATION = re.compile(
    r"https://(?:docs\.aws\.amazon\.com|docs\.amazonaws\.cn|aws\.amazon\.com|github\.com/(?:aws|aws-cloudformation))/"
    r"[\w./-]*\w/?"
)
CHECKS = {
    name
    for file in (ROOT / "cli" / "handshakectl" / "account" / "verification").glob("*.py")
    for name in re.findall(r'(?<!\w)Check\(\s*"([a-z ]+)"', file.read_text("utf-8"))
}
"""What `handshakectl verify` proves."""
FOLDERS = ("lambda", "infra", "cli", "local", "bench")


def cited(text: str) -> set[str]:
    """The pages of AWS, and of its own repositories, that a text names; a place in a page is left out."""
    return set(CITATION.findall(text))


def sources() -> list[Path]:
    files = [ROOT / "app.py"]
    for folder in FOLDERS:
        files += [file for suffix in ("py", "json") for file in (ROOT / folder).rglob(f"*.{suffix}")]
    return files


def test_every_page_of_aws_that_the_code_cites_has_a_row() -> None:
    found = {page: file for file in sources() for page in cited(file.read_text("utf-8"))}
    assert len(found) > 40
    assert {page: str(file.relative_to(ROOT)) for page, file in found.items() if page not in cited(PAGE)} == {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_row_has_a_place_a_source_a_proof_and_a_consequence(row: list[str]) -> None:
    assumed, where, source, proof, consequence = row
    assert assumed
    assert len(consequence) > 3
    file, name = re.fullmatch(r"`([\w/.]+)`: `([\w.]+)`", where).groups()  # type: ignore[union-attr]
    assert name in defined(ast.parse((ROOT / file).read_text("utf-8")))
    kind, _, check = proof.partition(": ")
    assert (kind in ("documented", "model", "unproven") and not check) or (kind == "verify" and check in CHECKS)
    assert proof != "documented" or cited(source)
    if proof == "model":
        test, function = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", source).groups()  # type: ignore[union-attr]
        assert function in defined(ast.parse((ROOT / test).read_text("utf-8")))
    else:
        assert source


def test_what_verify_proves_is_an_assumption() -> None:
    assert CHECKS - {row[3].removeprefix("verify: ") for row in ROWS} == set()


def test_what_is_cited_is_found_wherever_it_stands() -> None:
    text = "see (https://docs.aws.amazon.com/a/b_c.html#part): it says; https://aws.amazon.com/x/pricing/, and more."
    assert cited(text) == {"https://docs.aws.amazon.com/a/b_c.html", "https://aws.amazon.com/x/pricing/"}
