"""Synthesizes the stack in process, and reads its template as an operator would see it deployed."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from aws_cdk import App, Stack
from aws_cdk.assertions import Annotations, Match, Template

from infra import hub_settings, relay_settings, settings
from infra.acceptor_stack import AcceptorStack
from infra.hub_stack import HubStack
from infra.relay_stack import RelayStack

ROOT = Path(__file__).parents[2]
ACCOUNT, MANAGEMENT, MONITORING = "222222222222", "111111111111", "555555555555"

LOCAL = json.loads((ROOT / "local" / "settings.json").read_text())
"""The example settings: two organizations, and their management accounts."""

_SCRATCH = TemporaryDirectory()


STAND_IN = ROOT / "tests" / "events"
"""For a package: no template depends on pip."""


def synthesize(raw: dict[str, Any], region: str = "us-east-1", package: Path = STAND_IN) -> AcceptorStack:
    """The stack for settings as JSON gives them."""
    read = settings.parse(raw, region)
    return AcceptorStack(app(), "HandshakeAcceptor", settings=read, package=package, account=ACCOUNT)


def relay(raw: dict[str, Any] | None = None, region: str = "us-east-1", package: Path = STAND_IN) -> RelayStack:
    """The stack of the management account."""
    read = relay_settings.parse(raw, region)
    return RelayStack(app(), "HandshakeRelay", settings=read, package=package, account=MANAGEMENT)


def hub(raw: dict[str, Any], region: str = "us-east-1") -> HubStack:
    """The stack of the monitoring account."""
    return HubStack(app(), "HandshakeHub", settings=hub_settings.parse(raw, region), account=MONITORING)


def app() -> App:
    """A run of the CDK app, with what cdk.json says."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(context=context, outdir=mkdtemp(dir=_SCRATCH.name))


def warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [str(entry.entry.data) for entry in found]


class Deployed:
    """A template with its references resolved: an attribute of a resource reads `Type.Attribute`."""

    def __init__(self, stack: Stack) -> None:
        self.template: dict[str, Any] = Template.from_stack(stack).to_json()
        self._region = stack.region
        self._partition = {"us-gov-west-1": "aws-us-gov", "cn-northwest-1": "aws-cn"}.get(stack.region, "aws")

    def all(self, type_: str) -> dict[str, dict[str, Any]]:
        """Every resource of a type, by logical id, its references resolved."""
        return {
            name: self.resolve(resource)
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == type_
        }

    def only(self, type_: str) -> dict[str, Any]:
        """The properties of the one resource of a type."""
        (resource,) = self.all(type_).values()
        return resource["Properties"]

    def wake_up_rules(self) -> dict[str, dict[str, Any]]:
        """The rules that have a target, by logical id; the one that only counts its matches has none."""
        rules = {name: rule["Properties"] for name, rule in self.all("AWS::Events::Rule").items()}
        return {name: rule for name, rule in rules.items() if "Targets" in rule}

    def role(self, name: str) -> dict[str, Any]:
        return next(
            role["Properties"] for role in self.all("AWS::IAM::Role").values() if role["Properties"]["RoleName"] == name
        )

    def statements(self, role: str) -> list[dict[str, Any]]:
        """All that a role may do."""
        (policy,) = self.role(role)["Policies"]
        return policy["PolicyDocument"]["Statement"]

    def resolve(self, value: Any) -> Any:
        match value:
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self.resolve(part) for part in parts)
            case {"Ref": "AWS::Partition"}:
                return self._partition
            case {"Ref": "AWS::Region"}:
                return self._region
            case {"Ref": name}:
                return f"{self._type(name)}.Ref"
            case {"Fn::GetAtt": [name, "Arn"]} if self._type(name) == "AWS::Events::Rule":
                return name
            case {"Fn::GetAtt": [name, attribute]}:
                return f"{self._type(name)}.{attribute}"
            case dict():
                return {key: self.resolve(item) for key, item in value.items()}
            case list():
                return [self.resolve(item) for item in value]
        return value

    def _type(self, name: str) -> str:
        return self.template["Resources"][name]["Type"]
