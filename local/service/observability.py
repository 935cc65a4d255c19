"""Sinks and links of CloudWatch's cross-account observability, as far as stacks make them.

Ministack has neither. An account has one sink a region
(https://docs.aws.amazon.com/OAM/latest/APIReference/API_CreateSink.html). A link is made only where the sink is there,
in the same region, and its policy admits the account and the kinds of data
(https://docs.aws.amazon.com/OAM/latest/APIReference/API_CreateLink.html); no data flows over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

Handlers = dict[str, dict[str, Callable[..., Any]]]
Admits = Callable[[Any, str, str, dict[str, Any]], bool]
"""Whether a policy admits the caller: (policy, action, resource, condition keys)."""


@dataclass(slots=True)
class Observability:
    """All sinks and links of one world, by ARN."""

    sinks: dict[str, Any] = field(default_factory=dict)
    """Each one's policy."""
    links: dict[str, dict[str, str]] = field(default_factory=dict)

    def handlers(self, account_id: Callable[[], str], region: Callable[[], str], admits: Admits) -> Handlers:
        """What CloudFormation calls for the two types of resource."""

        def arn(kind: str) -> str:
            return f"arn:aws:oam:{region()}:{account_id()}:{kind}/{uuid4()}"

        def create_sink(properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
            new = arn("sink")
            if any(sink.rpartition("/")[0] == new.rpartition("/")[0] for sink in self.sinks):
                raise ValueError(f"account {account_id()} has a sink in {region()}")
            return put_sink(new, properties)

        def put_sink(sink: str, properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
            self.sinks[sink] = properties.get("Policy")
            return sink, {"Arn": sink}

        def put_link(link: str, properties: dict[str, Any], action: str) -> tuple[str, dict[str, str]]:
            sink, kinds = properties["SinkIdentifier"], properties["ResourceTypes"]
            if sink.split(":")[3] != region():
                raise ValueError(f"{sink} is in another region than {region()}")
            if sink not in self.sinks or not admits(self.sinks[sink], action, sink, {"oam:ResourceTypes": kinds}):
                raise ValueError(f"{sink} does not admit account {account_id()}")
            self.links[link] = {"sink": sink, "account_id": account_id(), "label": properties["LabelTemplate"]}
            return link, {"Arn": link, "Label": properties["LabelTemplate"]}

        return {
            "AWS::Oam::Sink": {
                "create": lambda logical_id, properties, stack: create_sink(properties),
                "update": lambda physical_id, old, new, stack: put_sink(physical_id, new),
                "delete": lambda physical_id, properties: self.sinks.pop(physical_id, None),
            },
            "AWS::Oam::Link": {
                "create": lambda logical_id, properties, stack: put_link(arn("link"), properties, "oam:CreateLink"),
                "update": lambda physical_id, old, new, stack: put_link(physical_id, new, "oam:UpdateLink"),
                "delete": lambda physical_id, properties: self.links.pop(physical_id, None),
            },
        }
