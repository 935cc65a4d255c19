"""Lambda's client of its runtime API (awslambdaric), installed and compiled as Lambda's image has it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from handshake_acceptor_cdk.asset import bytecode

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def runtime(build: Path, python: str) -> Path:
    """A folder below `build` that holds the client, for that interpreter."""

    def make(folder: Path) -> None:
        install(python, folder, _REQUIREMENTS)
        bytecode.compile_sources(folder, python)

    return made(build, "runtime", (bytecode.release(python), _REQUIREMENTS.read_text()), make)


def install(python: str, folder: Path, requirements: Path) -> None:
    """Lets that interpreter's pip put what a lock file names into a folder."""
    command = [python, "-m", "pip", "install", "-qqq", "--disable-pip-version-check", "--no-compile"]
    paths = ["--require-hashes", "--target", str(folder), "--requirement", str(requirements)]
    subprocess.run(command + paths, check=True)


def made(build: Path, name: str, made_from: tuple[str, ...], make: Callable[[Path], None]) -> Path:
    """A folder below `build` that `make` has filled; again only when what it is `made_from` has changed."""
    folder = build.resolve() / f"{name}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}"
    if not folder.exists():
        new = folder.with_name(f"{name}.new")
        shutil.rmtree(new, ignore_errors=True)
        make(new)
        new.rename(folder)
    return folder
