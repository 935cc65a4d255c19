"""Builds the functions' assets: the same bytes for the same sources, wherever they are built.

`python -m handshake_acceptor_cdk.asset.build` builds the acceptor's in build/package and prints its path.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from handshake_acceptor_cdk.asset import bytecode
from handshake_acceptor_cdk.asset.build_failed import BuildFailed as BuildFailed
from handshake_acceptor_cdk.asset.prune import prune
from handshake_core.json_schema import compile_to_module

_HERE: Final = Path(__file__).parent
_REQUIREMENTS: Final = _HERE / "requirements.txt"

PYTHON: Final = "3.13"
"""The functions' runtime."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What one function carries besides its dependencies."""

    name: str
    """Of its folder below build/."""
    packages: tuple[str, ...]
    """Of this project; they are copied from where Python finds them, in a checkout or installed."""
    services: tuple[str, ...]
    """The services it calls: botocore carries the models of over 400, nine tenths of its size."""
    operations: tuple[str, ...] = ()
    """The operations that it calls; all of its services if it names none."""


ACCEPTOR: Final = Asset(
    "package",
    ("handshake_core", "handshake_acceptor"),
    ("events", "organizations", "ssm"),
    (
        *("AcceptHandshake", "DeclineHandshake", "DescribeHandshake", "DescribeOrganization"),
        *("GetParametersByPath", "ListHandshakesForAccount", "PutEvents"),
    ),
)
RELAY: Final = Asset(
    "relay-package",
    ("handshake_core", "handshake_relay"),
    ("events", "organizations"),
    ("ListHandshakesForOrganization", "PutEvents"),
)

# pip may take wheels that hold only Python, which run on arm64, x86_64 and a developer's machine alike.
_ONLY_PURE_PYTHON: Final = (
    "--only-binary=:all:",
    "--platform=any",
    "--implementation=py",
    "--abi=none",
    f"--python-version={PYTHON}",
)

_TIME: Final = 946_684_800
"""2000-01-01: a zip file cannot state a time before 1980."""
_SPREAD: Final = 2**29
"""Seconds, about 17 years: no file is from the future."""


def build_asset(folder: Path = Path("build"), asset: Asset = ACCEPTOR, python: str | None = None) -> Path:
    """Builds an asset in `folder` and gives its path. Leaves one that is up to date alone.

    `python` makes the bytecode; the runtime's own version does unless something else is to run the asset, and where
    this machine does not have it the asset has none. Processes that build at the same time take turns.
    Raises `BuildFailed`.
    """
    python = python or bytecode.interpreter(PYTHON)
    if python is None:
        print(
            f"no Python {PYTHON} here: the asset has no bytecode and starts more slowly; it is the same otherwise."
            f" Put python{PYTHON} on the PATH or name one in {bytecode.VARIABLE}",
            file=sys.stderr,
        )
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / asset.name
    with (folder / "package.lock").open("w") as lock, TemporaryDirectory(dir=folder) as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        new = Path(scratch, "new")
        shutil.copytree(_dependencies(folder, asset), new)
        for name in asset.packages:
            shutil.copytree(_source(name), new / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_HERE / "LICENSE", new)
        _make_validators(new, asset)
        if python:
            bytecode.compile_sources(new, python)
        _settle(new)
        if not package.exists() or digest(package) != digest(new):
            _try(new, asset, python or sys.executable)
            if package.exists():
                # Two renames, so that what stands there is always whole; for a moment in between there is nothing.
                package.rename(Path(scratch, "old"))
            new.rename(package)
    return package


def digest(folder: Path) -> str:
    """A hash over every file's and folder's path, mode, time and bytes."""
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        sha.update(f"{path.relative_to(folder)}\0{status.st_mode:o}\0{status.st_mtime_ns}\0{len(content)}\0".encode())
        sha.update(content)
    return sha.hexdigest()


def _source(package: str) -> Path:
    """The folder that Python imports one of this project's packages from."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise BuildFailed(f"the function's asset cannot be built: the package {package} is not installed")
    return Path(spec.origin).parent


def _dependencies(folder: Path, asset: Asset) -> Path:
    """What pip installs, less what is not used; made again only when what it is made from changed."""
    made_from = (
        *(path.read_text() for path in (_REQUIREMENTS, Path(__file__), _HERE / "prune.py")),
        *(asset.services, asset.operations),
    )
    key = hashlib.sha256(repr(made_from).encode()).hexdigest()
    dependencies = folder / f"dependencies-{key[:16]}"
    if not dependencies.exists():
        print("installing the function's dependencies", file=sys.stderr)
        with TemporaryDirectory(dir=folder) as scratch:
            new = Path(scratch, "new")
            _run(
                *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
                *("--require-hashes", "--no-deps", "--no-compile", *_ONLY_PURE_PYTHON),
                *("--target", str(new), "--requirement", str(_REQUIREMENTS)),
            )
            prune(new, asset.services, asset.operations)
            new.rename(dependencies)
    return dependencies


def _make_validators(package: Path, asset: Asset) -> None:
    """Compiles the schemas among the sources ahead: nobody waits for it at a cold start."""
    for name in asset.packages:
        for schema in (package / name).rglob("*.schema.json"):
            module = schema.with_name(f"{schema.name.removesuffix('.schema.json')}_validator.py")
            module.write_text(compile_to_module(json.loads(schema.read_text("utf-8"))), "utf-8")


def _try(package: Path, asset: Asset, python: str) -> None:
    """Whether nothing is missing in it: nothing but its folder and the standard library can be imported.

    Raises `BuildFailed`.
    """
    modules = (
        ".".join(path.relative_to(package).with_suffix("").parts)
        for name in asset.packages
        for path in (package / name).rglob("*.py")
    )
    check = str(_HERE / "check.py")
    _run("-I", "-S", "-B", check, str(package), ",".join(asset.services), ",".join(modules), python=python)


def _run(*arguments: str, python: str = sys.executable) -> None:
    done = subprocess.run((python, *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"the function's asset cannot be built: {done.stderr.strip()}")


def _settle(folder: Path) -> None:
    """Gives every file a mode and a time that follow from its bytes alone, whoever builds it and when.

    Not one time for all: CDK takes two files of the same inode, time and size for the same bytes
    (aws-cdk-lib, core/lib/fs/fingerprint.js), and inodes are used again.
    """
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        content = path.read_bytes() if path.is_file() else b""
        time = _TIME + int.from_bytes(hashlib.sha256(content).digest()[:4], "big") % _SPREAD
        os.utime(path, (time, time))


if __name__ == "__main__":
    try:
        print(build_asset())
    except BuildFailed as failed:
        sys.exit(f"handshake-acceptor: {failed}")
