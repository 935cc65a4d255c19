"""Bytecode for the functions' runtime, made by that very version of Python.

A function's code lies on a read-only disk: what is not compiled in the asset is compiled again at every cold start. The
files are `unchecked-hash` (https://docs.python.org/3/reference/import.html#pyc-invalidation): they name no time, and
Python takes them without a look at the source beside them. The sources stay, for whoever reads a traceback or runs the
asset with another Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from handshake_acceptor_cdk.asset.build_failed import BuildFailed

VARIABLE: Final = "RUNTIME_PYTHON"
"""The environment variable that names an interpreter where none would be found."""

_FOLDER: Final = "/var/task"
"""Where a function's code lies; it stands in the bytecode, in place of the folder that it was made in."""

_RELEASE: Final = "import sys; print(sys.version)"


def interpreter(version: str) -> str | None:
    """An interpreter of just this minor version (`3.13`), if this machine has one that starts."""
    return next((python for python in _candidates(version) if release(python).startswith(f"{version}.")), None)


def release(python: str) -> str:
    """Which Python an interpreter is, in full; empty where it does not start."""
    try:
        done = subprocess.run((python, "-I", "-S", "-c", _RELEASE), capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compile_sources(folder: Path, python: str) -> None:
    """Lays bytecode beside every source below `folder`. The same sources and Python give the same bytes.

    Raises `BuildFailed`.
    """
    command = (python, "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
    paths = ("-s", str(folder), "-p", _FOLDER, str(folder))
    done = subprocess.run((*command, *paths), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"the function's asset cannot be compiled: {(done.stdout + done.stderr).strip()}")


def _candidates(version: str) -> Iterator[str]:
    named = os.environ.get(VARIABLE)
    if named:
        yield named
    yield sys.executable
    if found := shutil.which(f"python{version}"):
        yield found
    if pyenv := os.environ.get("PYENV_ROOT"):
        # Its command on the PATH answers only for the versions that it is set to.
        yield from map(str, sorted(Path(pyenv, "versions").glob(f"{version}.*/bin/python{version}")))
