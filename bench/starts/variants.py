"""The functions that are compared, each as a folder that Lambda would have, and the runtime that all of them start in.

All lie below build/bench, and are made again only when what they are made from has changed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from handshake_acceptor_cdk.asset import build, bytecode

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Variant:
    """One function."""

    name: str
    folder: Path
    handler: str


def variants(python: str) -> dict[str, Variant]:
    """All that are compared, by name, as built for one interpreter."""
    ours = build.build_asset(BUILD, build.ACCEPTOR, python)
    return {
        "empty": Variant("empty", _HERE / "empty", "handler.handler"),
        "plain": Variant("plain", _plain(python, compiled=False), "handler.handler"),
        "plain, compiled": Variant("plain, compiled", _plain(python, compiled=True), "handler.handler"),
        "ours": Variant("ours", ours, "handshake_acceptor.handler.handler"),
    }


def runtime(python: str) -> Path:
    """The runtime interface client, compiled, as Lambda's image has it."""

    def make(folder: Path) -> None:
        _install(python, folder, "runtime.txt")
        bytecode.compile_sources(folder, python)

    return _made("runtime", (bytecode.release(python), (_HERE / "runtime.txt").read_text()), make)


def size(folder: Path) -> int:
    """Bytes of the files, unpacked."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def zipped_size(folder: Path) -> int:
    """Bytes of the same as a zip file."""
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return len(zipped.getvalue())


def _plain(python: str, *, compiled: bool) -> Path:
    source = _HERE / "plain" / "handler.py"

    def make(folder: Path) -> None:
        _install(python, folder, "plain.txt")
        shutil.copy(source, folder)
        if compiled:
            bytecode.compile_sources(folder, python)

    made_from = (bytecode.release(python), (_HERE / "plain.txt").read_text(), source.read_text())
    return _made("plain-compiled" if compiled else "plain", made_from, make)


def _install(python: str, folder: Path, requirements: str) -> None:
    command = [python, "-m", "pip", "install", "-qqq", "--disable-pip-version-check", "--no-compile"]
    paths = ["--require-hashes", "--target", str(folder), "--requirement", str(_HERE / requirements)]
    subprocess.run(command + paths, check=True)


def _made(name: str, made_from: tuple[str, ...], make: Callable[[Path], None]) -> Path:
    folder = BUILD / f"{name}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}"
    if not folder.exists():
        new = BUILD / f"{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        make(new)
        new.rename(folder)
    return folder
