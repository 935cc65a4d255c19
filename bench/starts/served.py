"""The AWS of `bench.starts.aws` in a process of its own, and what a bench says to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen


@contextmanager
def aws() -> Iterator[str]:
    """The AWS of all variants, in a process of its own; its URL."""
    command = [sys.executable, "-m", "bench.starts.aws"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def world(endpoint: str, **arguments: Any) -> None:
    """A new `aws.World`."""
    _ask(Request(endpoint, json.dumps(arguments).encode(), method="PUT"))


def asked(endpoint: str) -> list[str]:
    """The calls that the world has seen."""
    calls: list[str] = _ask(Request(endpoint))
    return calls


def _ask(request: Request) -> Any:
    with urlopen(request) as answer:
        return json.load(answer)
