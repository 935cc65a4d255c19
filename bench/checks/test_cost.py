"""What `bench cost` computes keeps the README's promise, and is what docs/move.md says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cost import (
    MOST,
    MOST_OF_ALARMS,
    IdleRun,
    is_advanced,
    large_document,
    monthly,
    of_one,
    synthesized,
    table,
)
from handshake_acceptor.policy.documents import STANDARD_BYTES

ROOT = Path(__file__).parents[2]

ALARMS = 8
"""That the README lists."""


@pytest.mark.parametrize("dashboard", [False, True])
def test_an_idle_account_costs_what_the_readme_says_at_most(dashboard: bool) -> None:
    idle = IdleRun(log_bytes=1000, metrics=0)
    resources = synthesized(dashboard=dashboard)
    costs = monthly(resources, idle)
    assert sum(costs.values()) <= MOST[dashboard]
    assert costs["alarm"] == pytest.approx(0.1 * ALARMS)
    assert {"AWS::KMS::Key", "AWS::SecretsManager::Secret"}.isdisjoint(each["Type"] for each in resources.values())


@pytest.mark.parametrize("alarms", MOST_OF_ALARMS)
def test_an_account_with_fewer_alarms_costs_what_its_limit_says_at_most(alarms: str) -> None:
    resources = synthesized(dashboard=False, alarms=alarms)
    assert sum(monthly(resources, IdleRun(log_bytes=1000, metrics=0)).values()) <= MOST_OF_ALARMS[alarms]


def test_a_document_that_no_standard_parameter_holds_costs_by_the_month_and_by_the_read() -> None:
    resources, idle = synthesized(dashboard=False), IdleRun(log_bytes=1000, metrics=0)
    without, with_one = monthly(resources, idle), monthly(resources | large_document(), idle)

    more = {item: cost for item, cost in with_one.items() if item not in without}
    assert more == {"advanced parameter": 0.05, "advanced parameter read": pytest.approx(8_760 * 0.05 / 10_000)}
    assert {item: with_one[item] for item in without} == without


@pytest.mark.parametrize(("text", "advanced"), [("ä" * 2048, False), ("ä" * 2048 + "a", True)])
def test_a_parameter_is_measured_in_bytes(text: str, advanced: bool) -> None:
    assert len(text) < STANDARD_BYTES
    assert is_advanced({"Type": "AWS::SSM::Parameter", "Properties": {"Value": text}}) is advanced


def test_the_table_of_a_move_is_the_one_that_is_computed() -> None:
    assert table() in (ROOT / "docs" / "move.md").read_text("utf-8")


def test_the_command_says_a_figure_for_each_setting_of_the_alarms() -> None:
    command = [sys.executable, "-m", "bench", "cost", "--accounts", "30"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["value"] for each in figures] == [round(30 * usd, 4) for usd in of_one().values()]
    assert {each["unit"] for each in figures} == {"USD/month"}
