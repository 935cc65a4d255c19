"""Every link of a page to another place in this repository leads there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for path, anchor in LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} is not there"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{path}#{anchor} is not there"


def test_the_readme_leads_to_the_architecture_first() -> None:
    where = (ROOT / "README.md").read_text("utf-8").partition("## Where things are\n")[2]
    assert LINK.findall(where)[0][0] == "docs/architecture.md"


def test_the_glossary_has_what_the_layout_needs_in_twelve_lines() -> None:
    glossary = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Glossary")[2]
    words = re.findall(r"^\| \*\*(\w[\w ]*)\*\* \|", glossary, re.MULTILINE)
    assert len(words) == 12
    assert {"ceiling", "brake", "hint", "sweep", "origin", "evidence", "turn"} <= set(words)
