"""What is checked of a hub, in a monitoring account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from handshakectl.account.checks.finding import Wrong
from handshakectl.account.checks.stack import StackChecks
from handshakectl.output import plural

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_oam import CloudWatchObservabilityAccessManagerClient


class HubChecks(StackChecks):
    """The checks of what shows and tells many accounts in one place."""

    def all(self) -> dict[str, Callable[[], str]]:
        """Each check by its name, in the order in which they are told."""
        return {
            "stack": self.stack,
            "links": self.links,
            "dashboard": self.dashboard,
            "rules": self.rules,
            "subscribers": self.subscribers,
        }

    def links(self) -> str:
        """Whether accounts have linked themselves to the sink."""
        arn = self._of_stack("SinkArn")
        oam: CloudWatchObservabilityAccessManagerClient = self._deployed.aws.client("oam")
        pages = oam.get_paginator("list_attached_links").paginate(SinkIdentifier=arn)
        count = sum(len(page["Items"]) for page in pages)
        if not count:
            raise Wrong("no account is linked", f"give the acceptors the setting observabilitySink, {arn}")
        return f"{plural(count, 'account')} linked"

    def dashboard(self) -> str:
        """Whether the dashboard is there."""
        name = self._of_stack("DashboardName")
        self._deployed.aws.client("cloudwatch").get_dashboard(DashboardName=name)
        return name

    def rules(self) -> str:
        """Whether rules on the hub's bus tell its topic, and none of them is disabled."""
        bus = self._of_stack("BusArn").rsplit("/", 1)[-1]
        events: EventBridgeClient = self._deployed.aws.client("events")
        rules = [(rule["Name"], rule["State"]) for rule in events.list_rules(EventBusName=bus)["Rules"]]
        return f"enabled: {self._enabled(bus, rules, 'tells anybody')} on {bus}"

    def subscribers(self) -> str:
        """Whether anybody hears what wants a person."""
        return self._heard(self._of_stack("TopicArn"))

    def _of_stack(self, name: str) -> str:
        return self._output(name, f"has no output {name}")
