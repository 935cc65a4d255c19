"""The templates as CDK's own validation, cdk-nag and checkov see them: no finding but those exempted.

Nor an exemption without a finding.
cfn-lint runs in test_operation.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, CloudFormationValidatePlugin, Stack, Validations
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from handshake_acceptor_cdk.asset import build, sbom
from tests.support.synthesis import LOCAL, ROOT, hub, relay, synthesize, template

CHECKOV = ROOT / ".venv-checks" / "bin" / "checkov"
SINK = "arn:aws:oam:us-east-1:555555555555:sink/abcdef01-2345-6789-abcd-ef0123456789"
EVERYTHING: dict[str, Any] = {
    "allowAnyOrigin": True,
    "declinable": LOCAL["origins"],
    "tracing": True,
    "alarmEmail": "x@example.com",
    "dashboard": True,
    "observabilitySink": SINK,
    "decisionBus": "arn:aws:events:us-east-1:555555555555:event-bus/handshake-acceptor-hub",
    "policy": "local/demo/allowlist.json",
}
IN_GOVCLOUD = {"observabilitySink": SINK.replace("arn:aws:oam:us-east-1", "arn:aws-us-gov:oam:us-gov-west-1")}
TELLS_GOVCLOUD = {"decisionBus": "arn:aws-us-gov:events:us-gov-west-1:555555555555:event-bus/handshake-acceptor-hub"}
OF_RELAY = {"tracing": True, "alarmEmail": "x@example.com", "observabilitySink": SINK}
OF_HUB = {"accounts": ["222222222222"], "organizations": ["o-exampleorgid"], "alarmEmail": "x@example.com"}
STACKS: dict[str, Callable[[], Stack]] = {
    "example": lambda: synthesize(LOCAL),
    "nothing": lambda: synthesize({}, "cn-northwest-1"),
    "everything": lambda: synthesize(EVERYTHING | IN_GOVCLOUD | TELLS_GOVCLOUD, "us-gov-west-1"),
    "template": lambda: template(LOCAL),
    "template of everything": lambda: template(EVERYTHING),
    "relay": relay,
    "relay with everything": lambda: relay(OF_RELAY | IN_GOVCLOUD, "us-gov-west-1"),
    "hub": lambda: hub(OF_HUB),
}

Finding = tuple[str, str]
"""A check's id, and the path of the resource that it finds fault with."""


@contextmanager
def nothing_exempted() -> Iterator[dict[Finding, str]]:
    """What the code exempts of the stacks that are made meanwhile, and why; the checks are not told."""
    reasons: dict[Finding, str] = {}

    def note(resource: Construct, given: Mapping[str, str]) -> None:
        reasons.update({(check, f"{resource.node.path}/Resource"): reason for check, reason in given.items()})

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("handshake_acceptor_cdk.") and hasattr(module, "suppress"):
                patch.setattr(module, "suppress", note)
        yield reasons


@cache
def of_cdk() -> CloudFormationValidatePlugin:
    """CDK's own validation: each that is made takes seconds, and memory."""
    return CloudFormationValidatePlugin()


def validate(stack: Stack) -> set[Finding]:
    """What cdk-nag and CDK's own validation of the template find."""
    app = stack.node.root
    assert isinstance(app, App)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), of_cdk())
    try:
        app.synth()
    except RuntimeError as failed:  # as which an error in Node arrives here
        assert str(failed).startswith("ValidationFailed"), failed  # noqa: PT017 - the report says what of
    report = json.loads(Path(app.outdir, "validation-report.json").read_text())
    return {
        (violation["ruleName"], construct["constructPath"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }


def checkov(groups: Iterable[Iterable[Stack]], folder: Path) -> list[tuple[set[Finding], dict[Finding, str]]]:
    """What checkov finds in each group of stacks, and what they told it to skip and why. It has no network to ask."""
    assert CHECKOV.exists(), "checkov has an environment of its own: make .venv-checks/.ready"
    paths: list[dict[tuple[str, str], str]] = []
    for group, stacks in enumerate(groups):
        paths.append({})
        for number, stack in enumerate(stacks):
            file = f"{group}-{number}.template.json"
            (folder / file).write_text(json.dumps(Template.from_stack(stack).to_json()))
            resources = [each for each in stack.node.find_all() if CfnResource.is_cfn_resource(each)]
            paths[group] |= {(f"/{file}", stack.resolve(each.logical_id)): each.node.path for each in resources}  # type: ignore[attr-defined]
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        [str(CHECKOV), "--directory", str(folder), "--framework", "cloudformation", "--skip-download", "--output=json"],
        env=os.environ | {"http_proxy": nowhere, "https_proxy": nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    results = json.loads(done.stdout)["results"]
    assert results["passed_checks"], done.stderr
    assert not results["parsing_errors"]

    def findings(kind: str, of: Mapping[tuple[str, str], str]) -> Iterator[tuple[Finding, dict[str, Any]]]:
        for check in results[kind]:
            if path := of.get((check["file_path"], check["resource"].partition(".")[2])):
                yield (check["check_id"], path), check["check_result"]

    return [
        (
            {finding for finding, _ in findings("failed_checks", of)},
            {finding: result["suppress_comment"] for finding, result in findings("skipped_checks", of)},
        )
        for of in paths
    ]


def by_tool(reasons: Mapping[Finding, str], tool: str) -> dict[Finding, str]:
    return {finding: reason for finding, reason in reasons.items() if finding[0].startswith(tool)}


@pytest.mark.parametrize("name", STACKS)
def test_validation_finds_nothing_but_what_is_exempted(name: str) -> None:
    assert validate(STACKS[name]()) == set()


@pytest.mark.parametrize("name", STACKS)
def test_every_exemption_from_cdk_nag_is_needed(name: str) -> None:
    with nothing_exempted() as exempted:
        found = validate(STACKS[name]())
    assert found == by_tool(exempted, "AwsSolutions-").keys()
    assert all(exempted.values()), "each has a reason"


def test_a_template_that_cloudformation_would_refuse_is_found() -> None:
    stack = synthesize(LOCAL)
    CfnResource(stack, "Wrong", type="AWS::Lambda::Function", properties={"Timeout": "a while"})
    assert {path for _, path in validate(stack)} == {"HandshakeAcceptor/Wrong"}


def test_checkov_finds_what_is_exempted_and_nothing_else(tmp_path: Path) -> None:
    told = [make() for make in STACKS.values()]
    with nothing_exempted() as exempted:
        untold = [make() for make in STACKS.values()]
    (found, skipped), (found_untold, skipped_untold) = checkov((told, untold), tmp_path)
    assert found == set()
    assert all(skipped.values()), "each has a reason"
    assert found_untold == by_tool(exempted, "CKV_").keys() == skipped.keys()
    assert skipped_untold == {}


def test_the_bill_of_materials_names_everything_that_the_package_carries() -> None:
    pinned = dict(
        re.findall(
            r"^([a-z0-9-]+)==(\S+)",
            (ROOT / "infra" / "handshake_acceptor_cdk" / "asset" / "requirements.txt").read_text(),
            re.MULTILINE,
        )
    )
    bill = json.loads(sbom.document(build.build_asset()))
    components = bill["components"]
    assert {each["purl"] for each in components} == {f"pkg:pypi/{name}@{version}" for name, version in pinned.items()}
    assert all(each["licenses"] for each in components)
    assert bill["metadata"]["component"]["name"] == "handshake-acceptor"
