"""`make release`: what somebody downloads, and whether somebody else can make the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.install.conftest import ROOT

pytestmark = pytest.mark.builds

COMMITTED_AT = "2026-11-20T21:41:16Z"
TOUCHED_AT = {"here": 1_700_000_000, "somewhere/else": 1_750_000_000}


def checkout(folder: Path, *, touched_at: int) -> Path:
    """The sources as they are now, as a commit: the same in every folder, but for the files' own times."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
            os.utime(folder / name, (touched_at, touched_at))
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in AS_ANYBODY.items()}
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--no-gpg-sign", "-m", "sources"]):
        subprocess.run(["git", *command], cwd=folder, env=os.environ | who, check=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".git" / "info" / "exclude").write_text(".venv\n")
    for fetched in (ROOT / "build").glob("dependencies-*"):
        shutil.copytree(fetched, folder / "build" / fetched.name)
    return folder


AS_ANYBODY = {"NAME": "somebody", "EMAIL": "somebody@example.com", "DATE": COMMITTED_AT}


def make_release(folder: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """`make release` with the environment of this checkout, and the sources of that folder."""
    sources = os.pathsep.join(str(folder / root) for root in ("lambda", "infra", "cli"))
    environment = os.environ | {"PYTHONPATH": sources, "MAKEFLAGS": ""}
    command = ["make", "--silent", "--old-file", ".venv/.ready", "release"]
    return subprocess.run(
        command, cwd=folder, env=environment, umask=umask, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """dist/ of the same commit, made twice: in another folder, with another umask, from files of other times."""
    root = tmp_path_factory.mktemp("releases")
    folders = []
    for name, touched_at in TOUCHED_AT.items():
        (root / name).mkdir(parents=True)
        folders.append(checkout(root / name, touched_at=touched_at))
    with ThreadPoolExecutor() as pool:
        for made in pool.map(make_release, folders, (0o022, 0o077)):
            assert made.returncode == 0, made.stderr
            assert made.stdout == "dist/SHA256SUMS\n"
    return [folder / "dist" for folder in folders]


def test_twice_gives_the_same_bytes(releases: list[Path]) -> None:
    here, elsewhere = ((folder / "SHA256SUMS").read_text() for folder in releases)
    assert here == elsewhere


def test_it_has_wheel_template_asset_and_bill_of_materials_and_a_sum_of_each(releases: list[Path]) -> None:
    dist = releases[0]
    sums = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}
    assert sums == {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in sums}
    (wheel,) = dist.glob("handshake_acceptor-*-py3-none-any.whl")
    (asset,) = dist.glob("handshake-acceptor-*.zip")
    template = dist / "handshake-acceptor.template.json"
    materials = dist / "handshake-acceptor.cdx.json"
    assert set(sums) == {wheel.name, asset.name, template.name, materials.name}
    assert asset.name in template.read_text()
    assert "handshake_acceptor/handler.py" in ZipFile(asset).namelist()
    assert "handshakectl/main.py" in ZipFile(wheel).namelist()
    version = wheel.name.split("-")[1]
    assert json.loads(materials.read_text())["metadata"]["component"]["version"] == version


def test_what_is_not_committed_is_not_released(releases: list[Path]) -> None:
    folder = releases[0].parent
    (folder / "lambda" / "left_lying.py").touch()
    refused = make_release(folder)
    assert refused.returncode != 0
    assert "commit first" in refused.stderr
