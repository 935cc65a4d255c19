"""The template for many accounts: parameters instead of settings, and the same stack otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from handshake_acceptor_cdk.asset.build import build_asset
from handshake_acceptor_cdk.partitions import HOME_REGIONS, TRACED
from handshake_acceptor_cdk.settings.acceptor import parse
from handshake_acceptor_cdk.settings.reading import WrongSettings
from handshake_acceptor_cdk.stacks.template import MOST_BYTES, asset_name, build, packed
from tests.support.synthesis import ACCOUNT, LOCAL, ROOT, Deployed, made_before, synthesize, template

pytestmark = pytest.mark.builds

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]
ASSET = {"AssetBucket": "example"}
DOCUMENT = (ROOT / "local" / "demo" / "allowlist.json").read_text()
DEPLOYED = "/handshake-acceptor/policy/deployed"


def deployed(settings: dict[str, Any], region: str = "us-east-1", **parameters: str) -> Deployed:
    return Deployed(template(settings), region=region, parameters=ASSET | parameters)


def whole(stack: Deployed) -> dict[str, Any]:
    """All that is deployed but the function's code and its check, the time of synthesis, and how the order is said."""
    resources = {name: each for name, each in stack.resources().items() if each["Type"] != "AWS::Lambda::Version"}
    for resource in resources.values():
        resource["Properties"].pop("Code", None)
        resource.pop("DependsOn", None)
        resource.get("Metadata", {}).pop("DeletedBefore", None)
        if resource["Properties"].get("Name") == DEPLOYED:
            del resource["Properties"]["Description"]
    return resources


def documents(stack: Deployed) -> dict[str, str]:
    parameters = [each["Properties"] for each in stack.all("AWS::SSM::Parameter").values()]
    return {each["Name"]: each["Value"] for each in parameters if "/policy/" in each["Name"]}


@pytest.mark.parametrize("region", HOME_REGIONS)
@pytest.mark.parametrize(
    "more", [{}, {"policy": "local/demo/allowlist.json", "dashboard": False, "declinable": LOCAL["origins"]}]
)
def test_with_its_defaults_it_is_what_cdk_deploys_with_the_same_settings(more: dict[str, Any], region: str) -> None:
    settings = LOCAL | more | {"tracing": region in TRACED}
    assert whole(deployed(settings, region)) == whole(Deployed(synthesize(settings, region)))


def test_parameters_say_what_settings_would() -> None:
    parameters = {
        "Origins": "111111111111:handshake/o-exampleorgid/enable_all_features,"
        "111111111111:handshake/o-exampleorgid/invite,333333333333:handshake/o-sandbox0001/invite",
        "ManagementAccounts": "111111111111,333333333333",
    }
    assert whole(deployed({}, **parameters)) == whole(Deployed(synthesize(LOCAL)))


def test_accepting_from_anywhere_is_a_setting_alone() -> None:
    settings = {"allowAnyOrigin": True}
    stack = deployed(settings)
    assert "Origins" not in stack.template["Parameters"]
    assert stack.statements("handshake-acceptor") == Deployed(synthesize(settings)).statements("handshake-acceptor")


def test_only_what_no_setting_says_must_be_given() -> None:
    def required(settings: dict[str, Any]) -> set[str]:
        parameters = template_of(settings)["Parameters"]
        return {name for name, parameter in parameters.items() if "Default" not in parameter}

    assert required(LOCAL) == {"AssetBucket"}
    assert required({}) == {"AssetBucket", "Origins"}


def template_of(settings: dict[str, Any]) -> dict[str, Any]:
    return Deployed(template(settings), region="us-east-1").template


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("Origins", "111111111111:handshake/o-exampleorgid/invite", True),
        ("Origins", "111111111111:handshake/o-exampleorgid/add_organizations_service_linked_role", True),
        ("Origins", "", False),
        ("Origins", "*", False),
        ("Origins", "*:handshake/o-exampleorgid/invite", False),
        ("Origins", "111111111111:handshake/*/invite", False),
        ("Origins", "111111111111:handshake/o-exampleorgid/*", False),
        ("Origins", "111111111111:handshake/o-exampleorgid/INVITE", False),
        ("Origins", "111111111111:handshake/o-exampleorgid/invite/*", False),
        ("Origins", "arn:aws:organizations::111111111111:handshake/o-exampleorgid/invite", False),
        ("Origins", "111111111111:handshake/o-exampleorgid/invite\n", False),
        ("ManagementAccounts", "111111111111", True),
        ("ManagementAccounts", "", True),
        ("ManagementAccounts", "*", False),
        ("ManagementAccounts", "11111111111", False),
        ("ManagementAccounts", "arn:aws:iam::111111111111:root", False),
        ("AssetBucket", "", False),
        ("AssetFolder", "", True),
        ("AssetFolder", "releases/0.2.0/", True),
        ("AssetFolder", "releases", False),
        ("DeployedPolicyRevision", "2026-11-25T02:11:00Z", True),
        ("DeployedPolicyRevision", "", False),
    ],
)
def test_a_parameter_takes_no_more_than_it_means(name: str, value: str, taken: bool) -> None:
    """CloudFormation holds the pattern against the whole value, or every member of a list."""
    pattern = template_of(LOCAL)["Parameters"][name]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is taken


def test_without_management_accounts_the_bus_admits_nobody_else() -> None:
    bus = deployed(LOCAL, ManagementAccounts="").only("AWS::Events::EventBus")
    assert [each["Principal"] for each in bus["Policy"]["Statement"]] == [{"AWS": [ACCOUNT]}] * 2


def test_a_deployed_policy_is_a_parameter_only_where_one_is_given() -> None:
    assert DEPLOYED not in documents(deployed(LOCAL))
    assert documents(deployed(LOCAL, DeployedPolicy=DOCUMENT))[DEPLOYED] == DOCUMENT


def test_a_document_of_the_setting_stands_in_for_the_one_that_is_not_given() -> None:
    settings = LOCAL | {"policy": "local/demo/allowlist.json"}
    assert documents(deployed(settings))[DEPLOYED] == DOCUMENT
    assert documents(deployed(settings, DeployedPolicy="{}"))[DEPLOYED] == "{}"


@pytest.mark.parametrize("settings", [LOCAL, LOCAL | {"policy": "local/demo/allowlist.json"}])
def test_another_revision_is_another_property_so_that_the_document_is_written_again(settings: dict[str, Any]) -> None:
    def description(revision: str) -> str:
        stack = deployed(settings, DeployedPolicy=DOCUMENT, DeployedPolicyRevision=revision)
        (found,) = (
            each["Properties"]["Description"]
            for each in stack.all("AWS::SSM::Parameter").values()
            if each["Properties"]["Name"] == DEPLOYED
        )
        return str(found)

    assert "Revision 7." in description("7")
    assert "Revision 8." in description("8")


def test_it_refuses_a_region_that_organizations_sends_no_events_to() -> None:
    (assertion,) = template_of(LOCAL)["Rules"]["HomeRegion"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Contains": [list(HOME_REGIONS), {"Ref": "AWS::Region"}]}


# The files


def test_it_needs_no_bootstrap_and_its_asset_is_where_the_parameters_say(tmp_path: Path) -> None:
    file, warnings = build(parse(LOCAL, "us-east-1"), CONTEXT, tmp_path)
    text = file.read_text()
    built = json.loads(text)
    assert warnings == []
    assert len(text.encode()) <= MOST_BYTES
    for word in ("BootstrapVersion", "cdk-hnb659fds", "AssetParameters", "aws:cdk", "aws:asset", str(ROOT)):
        assert word not in text
    (function,) = (each for each in built["Resources"].values() if each["Type"] == "AWS::Lambda::Function")
    code = function["Properties"]["Code"]
    assert code["S3Bucket"] == {"Ref": "AssetBucket"}
    (asset,) = tmp_path.glob("*.zip")
    assert code["S3Key"] == {"Fn::Join": ["", [{"Ref": "AssetFolder"}, asset.name]]}


def test_one_that_cloudformation_takes_from_a_bucket_only_is_said_to_be(tmp_path: Path) -> None:
    origins = [LOCAL["origins"][0] | {"organizationId": f"o-{number:010}"} for number in range(30)]
    statements = [
        {"Sid": f"S{number:03}", "Effect": "Deny", "Origin": {"OrganizationId": "o-sandbox0001"}}
        for number in range(90)
    ]
    text = json.dumps({"Version": "2026-01-01", "Statement": statements})
    (tmp_path / "policy.json").write_text(text + " " * (8192 - len(text)))
    settings = {"origins": origins, "managementAccounts": ["111111111111"] * 300, "tracing": True}
    parsed = parse(settings | {"policy": "policy.json"}, "us-east-1", folder=tmp_path)
    file, warnings = build(parsed, CONTEXT, tmp_path / "built")
    assert len(file.read_bytes()) > MOST_BYTES
    assert warnings[-1] == "the template is longer than 51200 bytes: CloudFormation takes it from a bucket only"


def test_more_origins_than_a_parameter_takes_are_refused_here(tmp_path: Path) -> None:
    actions = ["ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"]
    origins = [LOCAL["origins"][0] | {"organizationId": f"o-{n:032}", "actions": actions} for n in range(60)]
    with pytest.raises(WrongSettings) as wrong:
        build(parse({"origins": origins}, "us-east-1"), CONTEXT, tmp_path)
    assert wrong.value.problems == ("parameter Origins: 5759 bytes in the settings; a template's parameter takes 4096",)


def test_an_asset_is_zipped_to_the_same_bytes_under_a_name_that_follows_from_them(tmp_path: Path) -> None:
    asset, unpacked = build_asset(), tmp_path / "unpacked"
    assert packed(asset) == packed(asset)
    with ZipFile(BytesIO(packed(asset))) as archive:
        archive.extractall(unpacked)
        assert {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()} == {0o644}
    assert {path: (unpacked / path).read_bytes() for path in files(unpacked)} == {
        path: (asset / path).read_bytes() for path in files(asset)
    }
    assert asset_name(asset) != asset_name(ROOT / "tests" / "events")


def test_nothing_wakes_a_function_whose_code_is_not_what_the_template_states(tmp_path: Path) -> None:
    file, _ = build(parse(LOCAL, "us-east-1"), CONTEXT, tmp_path)
    resources = json.loads(file.read_text())["Resources"]
    ((name, version),) = ((name, each) for name, each in resources.items() if each["Type"] == "AWS::Lambda::Version")
    (zipped,) = tmp_path.glob("*.zip")
    assert b64decode(version["Properties"]["CodeSha256"]) == hashlib.sha256(zipped.read_bytes()).digest()
    wakes = {
        other
        for other, each in resources.items()
        if each["Type"] == "AWS::Scheduler::Schedule"
        or (each["Type"] == "AWS::Events::Rule" and "Targets" in each["Properties"])
    }
    assert len(wakes) == 5
    assert all(name in made_before(resources, other) for other in wakes)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_command_says_one_line_a_mistake_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"tracing": 1, "policy": "nowhere.json"}')
    done = subprocess.run(
        [sys.executable, "-m", "handshake_acceptor_cdk.stacks.template", str(tmp_path / "settings.json")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "lambda:infra"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert [line for line in done.stderr.splitlines() if not line.startswith("b'")] == [
        "handshake-acceptor: setting /tracing: must be true or false, is a number",
        'handshake-acceptor: setting /policy: "nowhere.json": cannot be read: No such file or directory',
    ]
