"""The function's asset: the same everywhere, nothing but Python, nothing but what is used, and it works."""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from handshake_acceptor.policy.documents import READY_MADE, schema
from handshake_acceptor_cdk.asset import build, bytecode
from handshake_core.json_schema import compile_to_module
from local.aws import run
from tests.support.synthesis import LOCAL, ROOT, Deployed, synthesize

pytestmark = pytest.mark.builds


@pytest.fixture(scope="session")
def built() -> Path:
    return build.build_asset()


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where another machine, with another umask, has built the asset from nothing."""
    folder = tmp_path_factory.mktemp("build")
    before = os.umask(0o077)
    try:
        build.build_asset(folder)
    finally:
        os.umask(before)
    return folder


def files(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]


def isolated(built: Path, code: str) -> str:
    """Runs code that can import the package and the standard library, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, {str(built)!r})\n{code}"],
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "x", "POWERTOOLS_METRICS_NAMESPACE": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_builds_are_the_same_to_the_byte(built: Path, elsewhere: Path) -> None:
    assert build.digest(built) == build.digest(elsewhere / "package")


def test_the_same_asset_has_the_same_key_in_the_bucket(built: Path, elsewhere: Path) -> None:
    """So that a deploy from another machine changes nothing."""
    first, second = (
        Deployed(synthesize(LOCAL, asset=each)).only("AWS::Lambda::Function")["Code"]["S3Key"]
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
        "import pathlib\nfrom handshake_acceptor_cdk.asset.build import build_asset\n"
        f"build_asset(pathlib.Path({str(tmp_path)!r}))",
    ]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert sum("installing" in text for text in said) == 1
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"package", "package.lock", "dependencies"}


@pytest.mark.parametrize(("target", "path"), [("package", "package"), ("sbom", "package.cdx.json")])
def test_a_target_that_builds_says_where_on_the_last_line_whatever_it_has_to_tell(target: str, path: str) -> None:
    environment = os.environ | {"MAKEFLAGS": ""}  # not those of a make that runs the tests
    assert run(["make", "--silent", target], environment).splitlines()[-1] == str(ROOT / "build" / path)


def test_an_asset_that_is_up_to_date_is_left_alone(built: Path) -> None:
    before = built.stat().st_ino
    assert build.build_asset() == built
    assert built.stat().st_ino == before


def test_what_does_not_belong_is_gone_after_the_next_build(elsewhere: Path) -> None:
    package_ = elsewhere / "package"
    expected = build.digest(package_)
    (package_ / "handshake_acceptor" / "handler.py").write_text("")
    (package_ / "left-over.py").write_text("")
    assert build.digest(build.build_asset(elsewhere)) == expected


def test_an_asset_that_cannot_be_built_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("six==1.17.0\n")  # without a hash
    monkeypatch.setattr(build, "_REQUIREMENTS", requirements)
    with pytest.raises(build.BuildFailed, match="hash"):
        build.build_asset(tmp_path / "build")


def test_only_python_gets_in(built: Path) -> None:
    tags = [path.read_text() for path in built.glob("*.dist-info/WHEEL")]
    assert tags
    assert all("Root-Is-Purelib: true" in text for text in tags)
    assert all("-none-any" in line for text in tags for line in text.splitlines() if line.startswith("Tag:"))
    assert not [path for path in files(built) if path.suffix in (".so", ".pyd", ".dll", ".dylib")]


def test_only_what_is_used_gets_in(built: Path) -> None:
    models = {path.name for path in (built / "botocore" / "data").iterdir() if path.is_dir()}
    assert models == {"events", "organizations", "ssm"}
    data = built / "botocore" / "data"
    assert [name for name in models if len(list((data / name).iterdir())) != 1] == [], "of each the newest alone"
    assert not [path for path in files(built) if {"tests", "bin"} & set(path.parts)]
    assert not [path for path in files(built) if path.name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")]
    assert not (built / "handshake_relay").exists()


def test_every_dependency_keeps_its_licence(built: Path) -> None:
    assert (built / "LICENSE").is_file()
    assert [path.parent.name.partition("-")[0] for path in built.rglob("MODIFIED")] == ["botocore"]
    for notes in built.glob("*.dist-info"):
        names = [path.name.upper() for path in notes.rglob("*")]
        assert "METADATA" in names
        assert any(name.startswith(("LICENSE", "LICENCE", "COPYING")) for name in names), notes.name


def test_the_handler_starts_with_nothing_but_the_asset(built: Path) -> None:
    code = "from handshake_acceptor import handler; print(callable(handler.handler), handler.__file__)"
    assert isolated(built, code).split() == ["True", str(built / "handshake_acceptor" / "handler.py")]


@pytest.mark.parametrize(
    ("asset", "package"), [(build.ACCEPTOR, "handshake_acceptor"), (build.RELAY, "handshake_relay")]
)
def test_the_models_have_the_operations_that_the_function_calls_and_no_other(asset: build.Asset, package: str) -> None:
    session = botocore.session.get_session()
    known = {
        xform_name(operation): operation
        for service in ("events", "organizations", "ssm")
        for operation in session.get_service_model(service).operation_names
    }
    trees = [
        ast.parse(path.read_text("utf-8"))
        for folder in (package, "handshake_core")
        for path in (ROOT / "lambda" / folder).rglob("*.py")
    ]
    named = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(asset.operations) == {known[name] for name in named & known.keys()}


SIGNED = """
import json, sys, botocore.session
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

session = botocore.session.get_session()
session.set_credentials("x", "x")
once = Config(retries={"total_max_attempts": 1})
seen = []
def stop(request, **_):
    seen.append((request.url, request.headers["Authorization"].decode().split(",")[0].partition("/")[2][9:]))
    raise EndpointConnectionError(endpoint_url=request.url)
for service, operation, arguments in (
    ("events", "put_events", {"Entries": [{}]}),
    ("organizations", "list_handshakes_for_account", {}),
    ("ssm", "get_parameters_by_path", {"Path": "/x"}),
):
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("ssm", partition):
            client = session.create_client(service, region_name=region, config=once)
            client.meta.events.register("before-send", stop)
            try:
                getattr(client, operation)(**arguments)
            except EndpointConnectionError:
                pass
print(json.dumps(seen))
"""


def test_the_pruned_models_resolve_and_sign_as_the_whole_ones_do_in_every_region_of_every_partition(
    built: Path,
) -> None:
    whole = subprocess.run([sys.executable, "-c", SIGNED], capture_output=True, text=True, check=True).stdout
    seen = json.loads(isolated(built, SIGNED))
    assert seen == json.loads(whole)
    urls = {url for url, _ in seen}
    assert {"https://organizations.us-east-1.amazonaws.com/", "https://ssm.cn-northwest-1.amazonaws.com.cn/"} <= urls


def test_a_pruned_model_says_what_the_whole_one_says(built: Path) -> None:
    """Every operation has the same members, types and errors: nothing in an answer is lost."""

    def said(data: Path | None, service: str, operation: str) -> str:
        session = botocore.session.Session()
        if data:
            session.get_component("data_loader").search_paths[:] = [str(data)]
        model = session.get_service_model(service).operation_model(operation)
        shapes = [model.input_shape, model.output_shape, *model.error_shapes]
        return "\n".join(described(shape) for shape in shapes)

    for service, operation in (
        ("events", "PutEvents"),
        ("organizations", "AcceptHandshake"),
        ("ssm", "GetParametersByPath"),
    ):
        assert said(built / "botocore" / "data", service, operation) == said(None, service, operation)


def described(shape: Any, seen: tuple[str, ...] = ()) -> str:
    """A shape and what is in it, in words."""
    inner = {"structure": lambda: shape.members, "list": lambda: {"": shape.member}}.get(shape.type_name, dict)()
    parts = [described(each, (*seen, shape.name)) for each in inner.values() if each.name not in seen]
    return f"{shape.name} {shape.type_name} {sorted(inner)} {shape.metadata} ({' '.join(parts)})"


def test_an_operation_that_is_not_there_fails_the_build(tmp_path: Path) -> None:
    asset = replace(build.ACCEPTOR, operations=("ListHandshakesForAccount", "AcceptEverything"))
    with pytest.raises(build.BuildFailed, match="AcceptEverything"):
        build.build_asset(tmp_path, asset)


def test_a_module_that_is_missing_fails_the_build(elsewhere: Path) -> None:
    asset = replace(build.ACCEPTOR, name="missing", packages=("handshake_acceptor",))
    with pytest.raises(build.BuildFailed, match=r"No module named 'handshake_core'"):
        build.build_asset(elsewhere, asset)
    assert not (elsewhere / "missing").exists()


@pytest.fixture(scope="session")
def compiled(elsewhere: Path) -> Path:
    """An asset whose bytecode is of the Python that runs the tests."""
    return build.build_asset(elsewhere, replace(build.ACCEPTOR, name="compiled"), sys.executable)


def test_every_source_has_bytecode_that_needs_no_look_at_the_source(compiled: Path) -> None:
    sources = [compiled / path for path in files(compiled) if path.suffix == ".py"]
    assert sources
    for source in sources:
        content = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert content[:8] == importlib.util.MAGIC_NUMBER + b"\1\0\0\0"  # by hash, not to be checked
        assert content[8:16] == importlib.util.source_hash(source.read_bytes())
        assert marshal.loads(content[16:]).co_filename == f"/var/task/{source.relative_to(compiled)}"


def test_no_bytecode_but_the_runtimes(built: Path) -> None:
    versions = {match[1] for path in files(built) if (match := re.search(r"\.cpython-(\d+)\.pyc$", path.name))}
    assert versions <= {build.PYTHON.replace(".", "")}
    assert bool(versions) == bool(bytecode.interpreter(build.PYTHON))


def test_the_bytecode_is_of_the_functions_runtime(built: Path) -> None:
    function = Deployed(synthesize(LOCAL, asset=built)).only("AWS::Lambda::Function")
    assert function["Runtime"] == f"python{build.PYTHON}"


def test_without_the_runtimes_python_the_asset_has_no_bytecode_and_the_build_says_so(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bytecode, "interpreter", lambda version: None)
    without = build.build_asset(elsewhere, replace(build.ACCEPTOR, name="without"))
    assert not [path for path in files(without) if path.suffix == ".pyc"]
    assert f"no Python {build.PYTHON} here" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["3.12", "3.130", ""])
def test_another_version_is_never_taken_for_the_runtimes(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "python3.13"
    fake.write_text(f"#!/bin/sh\necho '{version}.1 (main)'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setenv(bytecode.VARIABLE, str(fake))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    assert bytecode.interpreter("3.13") in (None, sys.executable)


def test_the_interpreter_that_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho '3.13.99 (main)'\n")
    fake.chmod(0o755)
    monkeypatch.setenv(bytecode.VARIABLE, str(fake))
    assert bytecode.interpreter("3.13") == str(fake)


def test_the_validator_that_is_built_ahead_is_the_schemas(built: Path) -> None:
    source = (built / "handshake_acceptor" / "policy" / "policy_validator.py").read_text("utf-8")
    assert source == compile_to_module(schema())


def test_the_asset_takes_the_validator_that_was_built_ahead(built: Path) -> None:
    code = "from handshake_acceptor.policy import documents; print(documents._validator().__module__)"
    assert isolated(built, code).strip() == READY_MADE


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_PROFILE", "unknown"), ("AWS_CA_BUNDLE", "/nowhere")],
)
def test_an_asset_is_tried_whatever_the_builder_has_configured(
    built: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    build._try(built, build.ACCEPTOR, sys.executable)
