"""What `bench cost` computes keeps the README's promise."""

from __future__ import annotations

import pytest

from bench.cost import MOST, MOST_OF_ALARMS, IdleRun, monthly, synthesized

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
