"""A process that tells decision events, in the world of `local.world`, and the bus that it puts them on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from handshake_acceptor.reporting.decision_bus import DecisionBus
from handshake_acceptor.reporting.decision_events import Event
from handshake_acceptor.reporting.record import Report
from handshake_core.retry import Clock
from local.service.handshake_service import Fault
from local.world import MEMBER, RUN_ID, World, allow

BUS = "arn:aws:events:us-east-1:999999999999:event-bus/handshake-acceptor-hub"

REFUSED = Fault(
    operation="AcceptHandshake", code="HandshakeConstraintViolationException", reason="PAYMENT_INSTRUMENT_REQUIRED"
)
MADE_TO_WAIT = replace(REFUSED, reason="WAIT_PERIOD_ACTIVE")


Fails = Callable[[dict[str, Any]], str | Exception]


@dataclass
class Told:
    """A process with a bus, in the world's time.

    `fails` gives an entry's error code, or the error of the whole call.
    """

    world: World = field(default_factory=World)
    fails: Fails = lambda entry: ""
    takes: float = 0.0
    """Seconds that a call takes."""
    calls: list[list[dict[str, Any]]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[Event, str]] = field(default_factory=list)
    clients: int = 0

    def __post_init__(self) -> None:
        self.world.policy(allow())
        self.bus = DecisionBus(BUS, self.client)

    def client(self) -> Any:
        """Stands for botocore's client."""
        self.clients += 1
        return self

    def put_events(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        self.calls.append(entries)
        self.world.now += timedelta(seconds=self.takes)
        faults = [self.fails(entry) for entry in entries]
        for fault in faults:
            if isinstance(fault, Exception):
                raise fault
        self.taken += [entry for entry, fault in zip(entries, faults, strict=True) if not fault]
        said = [{"ErrorCode": fault, "ErrorMessage": "x"} if fault else {"EventId": "x"} for fault in faults]
        return {"FailedEntryCount": sum("ErrorCode" in each for each in said), "Entries": said}

    def clock(self, seconds: float = 240.0) -> Clock:
        deadline = self.world.now + timedelta(seconds=seconds)
        remaining = lambda: (deadline - self.world.now).total_seconds()  # noqa: E731
        return Clock(lambda: self.world.now, remaining, self.world.sleep, lambda: 0.5)

    def tell(self, report: Report, seconds: float = 240.0) -> tuple[str, ...]:
        return self.bus.tell(self.clock(seconds), report, MEMBER, RUN_ID, self.refuse)

    def catch_up(self) -> None:
        self.bus.catch_up(self.clock(), self.refuse)

    def refuse(self, event: Event, code: str) -> None:
        self.refused.append((event, code))

    def run(self, event: object = None) -> list[tuple[str, str]]:
        """What one run puts: decision and outcome of each decision, or the kind of another event."""
        before = len(self.taken)
        self.catch_up()
        self.tell(self.world.run(event))
        return [said(entry) for entry in self.taken[before:]]


def said(entry: dict[str, Any]) -> tuple[str, str]:
    detail = json.loads(entry["Detail"])
    return (detail.get("decision", entry["DetailType"]), detail.get("outcome", ""))


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """The event as EventBridge delivers it."""
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": MEMBER,
        "time": entry["Time"].isoformat(),
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }
