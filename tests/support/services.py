"""What botocore reads of AWS's services, for tests that make many sessions."""

from __future__ import annotations

from functools import cache

import pytest
from botocore import loaders

_kept = cache(loaders.create_loader)


def read_services_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions share what they read: each would look through every service's folder, and read megabytes, for itself."""
    monkeypatch.setattr("botocore.session.create_loader", _kept)
