"""Benchmarks run in whatever shell."""

from __future__ import annotations

import os

from bench import __main__ as bench


def test_nothing_of_the_callers_aws_reaches_a_benchmark() -> None:
    callers = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "nobody", "AWS_CA_BUNDLE": "/nonexistent"}
    kept = bench.environment({"PATH": "/bin", "HOME": "/home/me", **callers})
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    assert kept == {"PATH": "/bin", "HOME": "/home/me", **nothing}
