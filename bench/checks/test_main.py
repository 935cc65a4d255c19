"""Benchmarks run in whatever shell."""

from __future__ import annotations

import os
import sys

import pytest

from bench import __main__ as bench


def test_nothing_of_the_callers_aws_reaches_a_benchmark() -> None:
    callers = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "nobody", "AWS_CA_BUNDLE": "/nonexistent"}
    kept = bench.environment({"PATH": "/bin", "HOME": "/home/me", **callers})
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    assert kept == {"PATH": "/bin", "HOME": "/home/me", **nothing}


def test_what_follows_a_name_with_a_dash_is_its_option() -> None:
    assert bench.split(["cost", "--accounts", "300"]) == (["cost"], ["--accounts", "300"])
    assert bench.split(["cost", "sweep"]) == (["cost", "sweep"], [])
    assert bench.split([]) == ([], [])


@pytest.mark.parametrize("arguments", [["--accounts", "3"], ["cost", "sweep", "--accounts", "3"], ["no_such_bench"]])
def test_an_option_without_one_bench_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    assert bench.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
