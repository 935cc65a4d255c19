"""Somebody else's environment: the command, the constructs, and the snippets of docs/use-as-construct.md."""

from __future__ import annotations

import json
import re
import shutil
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.install.conftest import ROOT, Installed, environment

PAGE = (ROOT / "docs" / "use-as-construct.md").read_text("utf-8")
PACKAGES = {"handshake_acceptor", "handshake_acceptor_cdk", "handshake_core", "handshake_relay", "handshakectl"}


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """`pip install handshake-acceptor`."""
    return environment(tmp_path_factory.mktemp("tool"), wheel)


@pytest.fixture(scope="module")
def constructs(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """`pip install 'handshake-acceptor[cdk]'`, with what an earlier build here has fetched from PyPI."""
    installed = environment(tmp_path_factory.mktemp("constructs"), wheel, "cdk")
    for fetched in (ROOT / "build").glob("dependencies-*"):
        shutil.copytree(fetched, installed.folder / "build" / fetched.name)
    return installed


def test_a_lock_file_pins_a_package_with_the_extras_that_others_ask_for() -> None:
    """Else pip takes its newest release for them, and stops, for that one has no hash."""
    pinned = (ROOT / "requirements-dev.txt").read_text()
    locked = {each.name: each for each in map(Requirement, re.findall(r"^[a-z].*==\S+", pinned, re.MULTILINE))}
    asked = [
        (Requirement(text), installed.name)
        for installed in distributions()
        if canonicalize_name(installed.name) in locked
        for text in installed.requires or ()
    ]
    wanted = [(each, by) for each, by in asked if each.extras and (not each.marker or each.marker.evaluate())]
    assert "pytest-cov" in {by for _, by in wanted}
    assert [(each, by) for each, by in wanted if not each.extras <= locked[canonicalize_name(each.name)].extras] == []


def test_nothing_but_these_packages_is_installed(tool: Installed) -> None:
    (site,) = tool.python.parents[1].glob("lib/python*/site-packages")
    (record,) = site.glob("handshake_acceptor-*.dist-info/RECORD")
    tops = {line.split("/")[0] for line in record.read_text().splitlines()}
    assert {top for top in tops if ".dist-info" not in top and top != ".."} == PACKAGES


def test_what_is_declared_is_all_that_the_command_needs(tool: Installed) -> None:
    assert tool.run("python", "-m", "pip", "check").stdout == "No broken requirements found.\n"
    document = ROOT / "docs" / "examples" / "policy" / "02-lists.json"
    validated = tool.run("handshakectl", "validate", str(document))
    assert (validated.returncode, validated.stderr) == (0, "")
    assert "valid:" in validated.stdout
    for verb in (
        "simulate",
        "compare",
        "pending",
        "push",
        "remove",
        "pull",
        "brake",
        "run",
        "doctor",
        "status",
        "verify",
    ):
        assert tool.run("handshakectl", verb, "--help").returncode == 0


def test_the_constructs_are_an_extra(tool: Installed) -> None:
    tried = tool.run("python", "-c", "import handshake_acceptor_cdk")
    assert "No module named 'constructs'" in tried.stderr


def snippet(language: str, heading: str) -> str:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


def synthesized(constructs: Installed, heading: str) -> dict[str, dict[str, Any]]:
    """The templates of a snippet's app, by their file's name, and the code of the functions, which is whole."""
    output = constructs.folder / "cdk.out"
    shutil.rmtree(output, ignore_errors=True)
    code = snippet("python", heading).replace("App()", 'App(outdir="cdk.out")')
    (constructs.folder / "app.py").write_text(code)
    ran = constructs.run("python", "app.py")
    assert ran.returncode == 0, ran.stderr
    for asset in output.rglob("handshake_core"):
        assert {"LICENSE", "botocore", "handshake_core"} <= {path.name for path in asset.parent.iterdir()}
    return {path.name: json.loads(path.read_text()) for path in output.rglob("*.template.json")}


def types(template: dict[str, Any]) -> list[str]:
    return sorted(each["Type"] for each in template["Resources"].values())


def test_somebody_elses_stack_takes_the_construct(constructs: Installed) -> None:
    templates = synthesized(constructs, "In a stack of yours")
    template = templates["AccountBaseline.template.json"]
    assert {"AWS::Lambda::Function", "AWS::Scheduler::Schedule", "AWS::SNS::Subscription"} <= set(types(template))
    (function,) = (each for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Function")
    assert function["Properties"]["FunctionName"] == "handshake-acceptor"
    assert len(list(constructs.folder.glob("cdk.out/asset.*/handshake_acceptor/handler.py"))) == 1


def test_a_pipeline_takes_the_stacks_and_deploys_them_where_its_stages_are(constructs: Installed) -> None:
    templates = synthesized(constructs, "In a pipeline")
    acceptor, relay = (
        next(each for name, each in templates.items() if stack in name)
        for stack in ("HandshakeAcceptor", "HandshakeRelay")
    )
    assert "arn:aws:ssm:us-east-1:222222222222" in json.dumps(acceptor).replace(
        '", {"Ref": "AWS::Partition"}, "', "aws"
    )
    assert {"AWS::Lambda::Function"} <= set(types(relay))
    assert "AWS::CodePipeline::Pipeline" in types(templates["Pipeline.template.json"])


def test_the_terraform_snippet_names_parameters_that_the_template_has() -> None:
    from tests.support.synthesis import Deployed, template

    text = snippet("hcl", "From Terraform")
    block = text.partition("parameters = {")[2].partition("}")[0]
    named = set(re.findall(r"^\s+(\w+)\s+=", block, re.MULTILINE))
    parameters = Deployed(template({}), region="us-east-1").template["Parameters"]
    required = {name for name, each in parameters.items() if "Default" not in each}
    assert required <= named <= set(parameters)
