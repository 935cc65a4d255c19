"""Runs a template's rules on recorded events, as EventBridge would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
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
    """Whether a rule is for an event.

    A pattern looks into a list of objects as into each of them
    (https://github.com/aws/event-ruler#processing-arrays-within-json-events), which moto does not.
    """
    pattern: Any = EventPattern.load(json.dumps(rule["EventPattern"]))
    return any(pattern.matches_event(each) for each in _one_of_each_list(event))


def _one_of_each_list(value: Any) -> Iterator[Any]:
    """The same with every list of objects replaced by one of them, in every way."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for item in value:
            yield from _one_of_each_list(item)
    elif isinstance(value, dict):
        for chosen in product(*(list(_one_of_each_list(item)) for item in value.values())):
            yield dict(zip(value, chosen, strict=True))
    else:
        yield value


def transformed(transformer: dict[str, Any], event: dict[str, Any]) -> Any:
    """As EventBridge does it: between quotes a value stands as it is, without any escape, and elsewhere as JSON."""
    template: str = transformer["InputTemplate"]

    def value(match: re.Match[str]) -> str:
        found: Any = event
        for key in transformer["InputPathsMap"][match[1]].removeprefix("$.").split("."):
            found = found[key]
        between_quotes = template[: match.start()].count('"') % 2
        return str(found) if between_quotes else json.dumps(found)

    return json.loads(re.sub("<([^>]+)>", value, template))
