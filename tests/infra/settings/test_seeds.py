"""What people edit: CloudFormation writes a seed over their edits as soon as any property of a parameter changes.

So no property of `mode` and `allowlist` may ever change, in any stack, whatever the settings are. What stands here is
what every release so far has deployed; a test that fails here is never mended by changing what stands here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Template

from tests.support.synthesis import LOCAL, synthesize, template

RELEASES = sorted((Path(__file__).parents[2] / "e2e" / "releases").glob("*.template.json"))
KEPT = {"UpdateReplacePolicy": "Retain", "DeletionPolicy": "RetainExceptOnCreate"}
SEEDS: dict[str, dict[str, Any]] = {
    "PolicyMode8E166E4A": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {
            "Name": "/handshake-acceptor/mode",
            "Type": "String",
            "Tier": "Intelligent-Tiering",
            "Value": "enforce",
            "Description": "enforce, or observe: decide and record, but call nothing",
        },
        **KEPT,
    },
    "PolicyAllowlistAA2EB143": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {
            "Name": "/handshake-acceptor/policy/allowlist",
            "Type": "String",
            "Tier": "Intelligent-Tiering",
            "Value": '{\n  "Version": "2026-01-01",\n  "Statement": []\n}',
            "Description": "Which handshakes may be accepted. Counts together with every other document below policy/",
        },
        **KEPT,
    },
}


def seeds(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The two parameters by logical id, which must not change either: another id is another parameter."""
    return {
        name: {key: value for key, value in each.items() if key != "Metadata"}
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::SSM::Parameter" and not each["Properties"]["Name"].endswith("/deployed")
    }


@pytest.mark.parametrize("make", [synthesize, template])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        LOCAL,
        LOCAL | {"policy": "local/demo/allowlist.json", "tracing": True, "dashboard": False, "sweepMinutes": 30},
    ],
    ids=["defaults", "the example", "other settings"],
)
def test_no_property_of_a_parameter_that_people_edit_ever_changes(
    make: Callable[[dict[str, Any]], Stack], settings: dict[str, Any]
) -> None:
    assert seeds(Template.from_stack(make(settings)).to_json()) == SEEDS


@pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.name)
def test_every_release_had_the_same(release: Path) -> None:
    assert seeds(json.loads(release.read_text())) == SEEDS


def test_the_first_release_is_among_them() -> None:
    assert "0.1.0.template.json" in {release.name for release in RELEASES}
