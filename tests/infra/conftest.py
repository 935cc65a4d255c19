from __future__ import annotations

import pytest

from tests.support.synthesis import LOCAL, Deployed, synthesize


@pytest.fixture(scope="session")
def deployed() -> Deployed:
    """The stack with the example settings."""
    return Deployed(synthesize(LOCAL))
