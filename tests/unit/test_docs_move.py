"""`docs/move.md` says what to do about everything that `status` can say, and its files are what people may use."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy
from handshake_acceptor.policy.documents import Document, load
from handshake_acceptor.reporting.record import Outcome
from tests.support.pages import sections

ROOT = Path(__file__).parents[2]
STUCK = sections((ROOT / "docs" / "move.md").read_text("utf-8"))["What to do with the stuck"]
EXAMPLES = ROOT / "docs" / "examples" / "move"
NEVER = {
    *(Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED, Outcome.DECLINED, Outcome.OBSERVED, Outcome.LEFT_PENDING),
    DecisionKind.ACCEPT,
}
"""What `status` does not repeat: it is over, or `status` says in a word of its own why not."""


def codes() -> set[str]:
    """Every code that `status` gives by its own judgement, and those that it takes from decisions and records."""
    files = [*(ROOT / "cli" / "handshakectl").rglob("*.py")]
    own = {code for file in files for code in re.findall(r"Why\(\s*\"([A-Z_]+)\"", file.read_text("utf-8"))}
    assert len(own) >= 10, "they were read"
    return own | {str(each) for each in (*DecisionKind, *Outcome) if each not in NEVER}


@pytest.mark.parametrize("code", sorted(codes()))
def test_the_page_says_what_to_do(code: str) -> None:
    (table,) = re.findall(r"^\| code \|.*\n((?:\|.*\n)+)", STUCK, re.MULTILINE)
    assert f"`{code}`" in table


def test_the_policy_of_the_page_is_within_its_ceiling() -> None:
    policy = load([Document("policy.json", (EXAMPLES / "policy.json").read_text("utf-8"))])
    assert not isinstance(policy, InvalidPolicy)
    (statement,) = policy.statements
    (origin,) = json.loads((EXAMPLES / "settings.json").read_text("utf-8"))["origins"]
    assert statement.organization_ids == {origin["organizationId"]}
    assert statement.management_account_ids == {origin["managementAccountId"]}
    assert statement.actions == set(origin["actions"])
