"""For all tests."""

from __future__ import annotations

import gc
import os

import pytest

os.environ["CDK_VALIDATION"] = "false"  # half of a synthesis; infra/test_security_checks.py has it for every stack

NOT_MEASURED = {
    "test_cli_fleet.py",
    "test_cli_warnings.py",
    "test_faults.py",
    "test_fuzz.py",
    "test_interleavings.py",
    "test_json_reader.py",
    "test_policy_comparison.py",
    "test_policy_properties.py",
    "test_install.py",
    "test_release.py",
}
"""Files of tests that run one thing many thousand times, or in another process: measuring the coverage would slow them,
and tests beside them reach the same lines."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measures the coverage where that is cheap."""
    for item in items:
        name = item.path.name
        if name in NOT_MEASURED or "e2e" in item.path.parts or "infra" in item.path.parts:
            item.add_marker(pytest.mark.no_cover)


def pytest_collection_finish() -> None:
    """Keeps the collector from what lives as long as the tests do, and from looking every 700 objects at the rest.

    Modules, items and what botocore reads of the services are what it would look at again and again.
    """
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_sessionfinish() -> None:
    """Collects once what the tests left behind: pytest tells of what goes wrong in that, but would look ten times."""
    gc.collect()
    gc.freeze()
