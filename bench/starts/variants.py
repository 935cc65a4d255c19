"""The functions that are compared, each as a folder that Lambda would have.

All lie below build/bench, and are made again only when what they are made from has changed.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from handshake_acceptor_cdk.asset import build, bytecode
from local.runtime.client import install, made

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
        install(python, folder, _HERE / "plain.txt")
        shutil.copy(source, folder)
        if compiled:
            bytecode.compile_sources(folder, python)

    made_from = (bytecode.release(python), (_HERE / "plain.txt").read_text(), source.read_text())
    return made(BUILD, "plain-compiled" if compiled else "plain", made_from, make)
