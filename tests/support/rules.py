"""Runs a template's rules on recorded events, as EventBridge would."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.events.models import EventPattern

from tests.support.synthesis import ROOT, Deployed

CUSTOM, DEFAULT = "AWS::Events::EventBus.Ref", "default"


def recorded(file: str, /, folder: str = "events", **detail: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "tests" / folder / f"{file}.json").read_text())
    event["detail"] |= detail
    return event


def told(deployed: Deployed, bus: str, event: dict[str, Any]) -> list[dict[str, Any]]:
    """What an event on a bus makes the rules tell the function."""
    return [
        transformed(rule["Targets"][0]["InputTransformer"], event)
        for rule in deployed.wake_up_rules().values()
        if rule.get("EventBusName", DEFAULT) == bus and matches(rule, event)
    ]


def matches(rule: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a rule is for an event."""
    pattern: Any = EventPattern.load(json.dumps(rule["EventPattern"]))
    return bool(pattern.matches_event(event))


def transformed(transformer: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """As EventBridge does it for variables without quotes around them."""

    def value(match: re.Match[str]) -> str:
        found: Any = event
        for key in transformer["InputPathsMap"][match[1]].removeprefix("$.").split("."):
            found = found[key]
        return json.dumps(found)

    passed: dict[str, Any] = json.loads(re.sub("<([^>]+)>", value, transformer["InputTemplate"]))
    return passed
