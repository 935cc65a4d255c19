"""What is checked of a hub, in a monitoring account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handshakectl.account.checks.finding import Wrong
from handshakectl.account.checks.stack import StackChecks
from handshakectl.output import plural


class HubChecks(StackChecks):
    """The checks of what shows and tells many accounts in one place."""

    def all(self) -> dict[str, Callable[[], str]]:
        """Each check by its name, in the order in which they are told."""
        return {"stack": self.stack, "links": self.links, "dashboard": self.dashboard}

    def links(self) -> str:
        """Whether accounts have linked themselves to the sink."""
        arn = self._output("SinkArn")
        oam: Any = self._deployed.aws.client("oam")
        pages = oam.get_paginator("list_attached_links").paginate(SinkIdentifier=arn)
        count = sum(len(page["Items"]) for page in pages)
        if not count:
            raise Wrong("no account is linked", f"give the acceptors the setting observabilitySink, {arn}")
        return f"{plural(count, 'account')} linked"

    def dashboard(self) -> str:
        """Whether the dashboard is there."""
        name = self._output("DashboardName")
        self._deployed.aws.client("cloudwatch").get_dashboard(DashboardName=name)
        return name

    def _output(self, name: str) -> str:
        found = self._deployed.outputs.get(name)
        if found is None:
            raise Wrong(f"the stack {self._deployed.stack['StackName']} has no output {name}", "deploy again")
        return found
