"""The function's asset: the same everywhere, nothing but Python, nothing but what is used, and it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import package
from tests.infra.synthesis import LOCAL, Deployed, synthesize


@pytest.fixture(scope="session")
def built() -> Path:
    return package.build()


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where another machine, with another umask, has built the asset from nothing."""
    folder = tmp_path_factory.mktemp("build")
    before = os.umask(0o077)
    try:
        package.build(folder)
    finally:
        os.umask(before)
    return folder


def files(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]


def isolated(built: Path, code: str) -> str:
    """Runs code that can import the package and the standard library, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, {str(built)!r}); {code}"],
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "x", "POWERTOOLS_METRICS_NAMESPACE": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_builds_are_the_same_to_the_byte(built: Path, elsewhere: Path) -> None:
    assert package.digest(built) == package.digest(elsewhere / "package")


def test_the_same_asset_has_the_same_key_in_the_bucket(built: Path, elsewhere: Path) -> None:
    """So that a deploy from another machine changes nothing."""
    first, second = (
        Deployed(synthesize(LOCAL, package=each)).only("AWS::Lambda::Function")["Code"]["S3Key"]
        for each in (built, elsewhere / "package")
    )
    assert first == second


def test_files_that_differ_only_in_their_bytes_have_different_times(built: Path) -> None:
    """CDK would take one for the other, in a process that saw an inode used again."""
    seen: dict[tuple[int, int], bytes] = {}
    for path in files(built):
        status, content = (built / path).stat(), (built / path).read_bytes()
        assert seen.setdefault((status.st_size, status.st_mtime_ns), content) == content, path


def test_builds_at_the_same_time_take_turns(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        f"from infra import package; import pathlib; package.build(pathlib.Path({str(tmp_path)!r}))",
    ]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert sum("installing" in text for text in said) == 1
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"package", "package.lock", "dependencies"}


def test_an_asset_that_is_up_to_date_is_left_alone(built: Path) -> None:
    before = built.stat().st_ino
    assert package.build() == built
    assert built.stat().st_ino == before


def test_what_does_not_belong_is_gone_after_the_next_build(elsewhere: Path) -> None:
    package_ = elsewhere / "package"
    expected = package.digest(package_)
    (package_ / "handshake_acceptor" / "handler.py").write_text("")
    (package_ / "left-over.py").write_text("")
    assert package.digest(package.build(elsewhere)) == expected


def test_an_asset_that_cannot_be_built_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("six==1.17.0\n")  # without a hash
    monkeypatch.setattr(package, "_REQUIREMENTS", requirements)
    with pytest.raises(package.BuildFailed, match="hash"):
        package.build(tmp_path / "build")


def test_only_python_gets_in(built: Path) -> None:
    tags = [path.read_text() for path in built.glob("*.dist-info/WHEEL")]
    assert tags
    assert all("Root-Is-Purelib: true" in text for text in tags)
    assert all("-none-any" in line for text in tags for line in text.splitlines() if line.startswith("Tag:"))
    assert not [path for path in files(built) if path.suffix in (".so", ".pyd", ".dll", ".dylib")]


def test_only_what_is_used_gets_in(built: Path) -> None:
    models = {path.name for path in (built / "botocore" / "data").iterdir() if path.is_dir()}
    assert models == {"organizations", "ssm"}
    assert not [path for path in files(built) if {"tests", "bin"} & set(path.parts)]
    assert not [path for path in files(built) if path.name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")]
    assert not (built / "handshake_relay").exists()


def test_every_dependency_keeps_its_licence(built: Path) -> None:
    assert (built / "LICENSE").is_file()
    for notes in built.glob("*.dist-info"):
        names = [path.name.upper() for path in notes.rglob("*")]
        assert "METADATA" in names
        assert any(name.startswith(("LICENSE", "LICENCE", "COPYING")) for name in names), notes.name


def test_the_handler_starts_with_nothing_but_the_asset(built: Path) -> None:
    code = "from handshake_acceptor import handler; print(callable(handler.handler), handler.__file__)"
    assert isolated(built, code).split() == ["True", str(built / "handshake_acceptor" / "handler.py")]


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-northwest-1"])
def test_the_pruned_models_resolve_every_partitions_endpoints(built: Path, region: str) -> None:
    code = (
        "import botocore.session; session = botocore.session.get_session(); session.set_credentials('x', 'x');"
        f"print(*(session.create_client(name, region_name='{region}').generate_presigned_url(operation) for name, "
        "operation in (('organizations', 'list_handshakes_for_account'), ('ssm', 'describe_parameters'))))"
    )
    organizations, ssm = isolated(built, code).split()
    assert organizations.startswith("https://organizations.")
    assert ssm.startswith(f"https://ssm.{region}.amazonaws.com")
