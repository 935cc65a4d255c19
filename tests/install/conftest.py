"""The project as somebody else installs it: its wheel in an empty environment, with what it declares and nothing else.

What it declares is linked from the environment that runs the tests, so that no test here needs PyPI for it; `pip check`
says whether versions fit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment, and a folder to work in, which is no checkout."""

    python: Path
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment, with nothing of ours in its own environment."""
        kept = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "PYENV_ROOT", "TMPDIR")}
        silent = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", "PYTHONDONTWRITEBYTECODE": "1"}
        program = self.python.with_name(command[0])
        return subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=kept | silent, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy, so that nothing that an earlier build left here gets in."""
    sources, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for root in ("lambda", "infra", "cli"):
        shutil.copytree(ROOT / root, sources / root, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for file in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / file, sources)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "wheel", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", folder, sources], check=True)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, wheel: Path, extra: str = "") -> Installed:
    """An environment with the wheel, and with what it requires, an extra's requirements included."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    pip = [python, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True)
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        stated = re.findall(r"^Requires-Dist: (.+)$", archive.read(metadata).decode(), re.MULTILINE)
    for name in required(stated, extra):
        for file in distribution(name).files or ():
            top = site / file.parts[0]
            if ".." not in file.parts and not top.exists():
                top.symlink_to(Path(str(distribution(name).locate_file(file.parts[0]))))
    work = folder / "work"
    work.mkdir()
    return Installed(python, work)


def required(stated: list[str], extra: str) -> set[str]:
    """The names of all that is required, whatever requires it."""
    found: set[str] = set()
    waiting = [(each, extra) for each in stated]
    while waiting:
        requirement, of = waiting.pop()
        parsed = Requirement(requirement)
        if parsed.marker and not parsed.marker.evaluate({"extra": of}):
            continue
        if parsed.name not in found:
            found.add(parsed.name)
            try:
                waiting += [
                    (each, wanted)
                    for each in distribution(parsed.name).requires or ()
                    for wanted in parsed.extras or {""}
                ]
            except PackageNotFoundError:
                raise AssertionError(f"{parsed.name} is required, and no lock file has it") from None
    return found
