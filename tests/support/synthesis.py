"""Synthesizes the stack in process, and reads its template as an operator would see it deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from aws_cdk import App, Stack
from aws_cdk.assertions import Annotations, Match, Template

from handshake_acceptor_cdk.partitions import PARTITIONS
from handshake_acceptor_cdk.settings import acceptor as acceptor_settings
from handshake_acceptor_cdk.settings import hub as hub_settings
from handshake_acceptor_cdk.settings import relay as relay_settings
from handshake_acceptor_cdk.stacks.acceptor import AcceptorStack
from handshake_acceptor_cdk.stacks.hub import HubStack
from handshake_acceptor_cdk.stacks.relay import RelayStack
from handshake_acceptor_cdk.stacks.template import TemplateStack

ROOT = Path(__file__).parents[2]
ACCOUNT, MANAGEMENT, MONITORING = "222222222222", "111111111111", "555555555555"

LOCAL = json.loads((ROOT / "local" / "demo" / "settings.json").read_text())
"""The example settings: two organizations, and their management accounts."""

_SCRATCH = TemporaryDirectory()
_NO_VALUE = object()
STAND_IN = ROOT / "tests" / "events"
"""For a package: no template depends on pip."""


def synthesize(
    raw: dict[str, Any], region: str = "us-east-1", asset: Path = STAND_IN, folder: Path = ROOT
) -> AcceptorStack:
    """The stack for settings as JSON gives them, which name files in `folder`."""
    read = acceptor_settings.parse(raw, region, folder=folder)
    return AcceptorStack(app(), "HandshakeAcceptor", settings=read, asset=asset, account=ACCOUNT)


def template(raw: dict[str, Any], folder: Path = ROOT) -> TemplateStack:
    """The same with parameters, for any account and region."""
    read = acceptor_settings.parse(raw, "us-east-1", folder=folder)
    return TemplateStack(app(), "HandshakeAcceptor", settings=read, asset=STAND_IN)


def relay(raw: dict[str, Any] | None = None, region: str = "us-east-1", asset: Path = STAND_IN) -> RelayStack:
    """The stack of the management account."""
    read = relay_settings.parse(raw, region)
    return RelayStack(app(), "HandshakeRelay", settings=read, asset=asset, account=MANAGEMENT)


def hub(raw: dict[str, Any], region: str = "us-east-1") -> HubStack:
    """The stack of the monitoring account."""
    return HubStack(app(), "HandshakeHub", settings=hub_settings.parse(raw, region), account=MONITORING)


def app() -> App:
    """A run of the CDK app, with what cdk.json says."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(context=context, outdir=mkdtemp(dir=_SCRATCH.name))


def made_before(resources: dict[str, Any], name: str) -> set[str]:
    """What CloudFormation makes before a resource, and so deletes after it."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        direct = set(referred_to(resources[waiting.pop()])) & resources.keys()
        waiting += direct - found
        found |= direct
    return found


def referred_to(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, _]}:
            yield name
        case dict():
            if "DependsOn" in value:
                yield from value["DependsOn"]
            for each in value.values():
                yield from referred_to(each)
        case list():
            for each in value:
                yield from referred_to(each)


def warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [str(entry.entry.data) for entry in found]


class Deployed:
    """A template as a deploy sees it: conditions decided, references resolved.

    An attribute of a resource reads `Type.Attribute`.
    """

    def __init__(self, stack: Stack, *, region: str | None = None, parameters: Mapping[str, str] | None = None) -> None:
        """`region` and `parameters` are for a template that leaves them open; a parameter has its default."""
        self.template: dict[str, Any] = dict(Template.from_stack(stack).to_json())
        self._region = region or stack.region
        self._partition = next(each.name for each in PARTITIONS if each.home_region == self._region)
        self._parameters = {
            name: (parameters or {}).get(name, parameter.get("Default"))
            for name, parameter in self.template.get("Parameters", {}).items()
        }

    def all(self, type_: str) -> dict[str, dict[str, Any]]:
        """Every resource of a type, by logical id, its references resolved."""
        return {
            name: self.resolve(resource)
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == type_ and self._is_there(resource)
        }

    def resources(self) -> dict[str, dict[str, Any]]:
        """Every resource, by logical id, its references resolved."""
        return {
            name: self.resolve(resource)
            for name, resource in self.template["Resources"].items()
            if self._is_there(resource)
        }

    def only(self, type_: str) -> dict[str, Any]:
        """The properties of the one resource of a type."""
        (resource,) = self.all(type_).values()
        properties: dict[str, Any] = resource["Properties"]
        return properties

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
        statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
        return statements

    def resolve(self, value: Any) -> Any:
        match value:
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self.resolve(parts))
            case {"Fn::Split": [separator, text]}:
                return self.resolve(text).split(separator)
            case {"Fn::If": [condition, then, otherwise]}:
                return self.resolve(then if self._is_true({"Condition": condition}) else otherwise)
            case {"Fn::FindInMap": [mapping, *keys]}:
                first, second = map(self.resolve, keys)
                return self.template["Mappings"][mapping][first][second]
            case {"Ref": name}:
                return self._ref(name)
            case {"Fn::GetAtt": [name, "Arn"]} if self._type(name) == "AWS::Events::Rule":
                return name
            case {"Fn::GetAtt": [name, attribute]}:
                return f"{self._type(name)}.{attribute}"
            case dict():
                resolved = {key: self.resolve(item) for key, item in value.items()}
                return {key: item for key, item in resolved.items() if item is not _NO_VALUE}
            case list():
                return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
        return value

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Partition": self._partition,
            "AWS::Region": self._region,
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name not in self._parameters:
            return f"{self._type(name)}.Ref"
        value = self._parameters[name]
        assert value is not None, f"parameter {name} has no default"
        is_list = self.template["Parameters"][name]["Type"] == "CommaDelimitedList"
        return value.split(",") if is_list else value

    def _is_there(self, resource: dict[str, Any]) -> bool:
        return "Condition" not in resource or self._is_true({"Condition": resource["Condition"]})

    def _is_true(self, expression: Any) -> bool:
        match expression:
            case {"Condition": name}:
                return self._is_true(self.template["Conditions"][name])
            case {"Fn::Not": [negated]}:
                return not self._is_true(negated)
            case {"Fn::Equals": [left, right]}:
                return bool(self.resolve(left) == self.resolve(right))
        raise AssertionError(f"no condition: {expression}")

    def _type(self, name: str) -> str:
        return str(self.template["Resources"][name]["Type"])
