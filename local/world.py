"""A small world for the reconcile: the real handshake service, a parameter store, and time that only tests move."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Memory, Reconcile
from handshake_acceptor.reporting.record import Record, Report
from handshake_acceptor.state import StateReader
from handshake_acceptor.sweeps.memory import SweepMemory
from handshake_acceptor.sweeps.polite import PoliteSweeps
from handshake_acceptor.trigger import Trigger
from handshake_core.retry import Clock
from local.service.handshake_service import HandshakeService, ServiceError

MEMBER = "222222222222"
MANAGEMENT = "111111111111"
ORGANIZATION = "o-exampleorgid"
OTHER_MANAGEMENT = "333333333333"
OTHER_ORGANIZATION = "o-otherorgan1"
RUN_ID = "52fdfc07-2182-154f-163f-5f0f9a621d72"
"""The request id of every run here."""
PREFIX = "/handshake-acceptor/"
START = datetime(2026, 11, 20, 21, 41, 16, tzinfo=UTC)


def allow(
    sid: str = "Join",
    organization: str | list[str] = ORGANIZATION,
    account: str | list[str] = MANAGEMENT,
    action: str | list[str] = "INVITE",
    **more: Any,
) -> dict[str, Any]:
    origin = {"OrganizationId": organization, "ManagementAccountId": account}
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Origin": origin, **more}


def deny(sid: str = "Never", **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2026-01-01", "Statement": list(statements)})


class Inline(Executor):
    """No threads and no time: one after the other, the same order on every run of a seed."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)
        return future


class SideBySide(Executor):
    """No threads: what is submitted begins at once and takes its time beside what follows, in virtual time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        began, future = self._world.now, _Later(self._world)
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)
        future.ended, self._world.now = self._world.now, began
        return future


class _Later(Future[Any]):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.ended = world.now

    def done(self) -> bool:
        return self._world.now >= self.ended

    def result(self, timeout: float | None = None) -> Any:
        self._world.now = max(self._world.now, self.ended)
        return super().result(timeout)


class Parameters:
    """Parameter Store as GetParametersByPath shows it: ten a page."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.reads = 0
        self.faults: list[Exception] = []

    def get_parameters_by_path(self, **request: Any) -> dict[str, Any]:
        self.reads += 1
        if self.faults:
            raise self.faults.pop(0)
        if request["MaxResults"] > 10:
            raise client_error("ValidationException")
        below = {name: name.removeprefix(request["Path"] + "/") for name in self.values}
        deep = request.get("Recursive") is True
        names = sorted(name for name, rest in below.items() if rest != name and (deep or "/" not in rest))
        start = int(request.get("NextToken", 0))
        page = names[start : start + request["MaxResults"]]
        more = {"NextToken": str(start + len(page))} if start + len(page) < len(names) else {}
        return {"Parameters": [{"Name": n, "Value": self.values[n], "Type": "String"} for n in page]} | more


class OrganizationsClient:
    """botocore's client as the member account sees the service; `before` runs ahead of any call of an operation."""

    def __init__(self, service: HandshakeService, account_id: str) -> None:
        self._service, self._account_id = service, account_id
        self.before: Callable[[str], None] = lambda operation: None
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operation = "".join(part.capitalize() for part in name.split("_"))

        def call(**request: Any) -> dict[str, Any]:
            self.calls.append(operation)
            self.before(operation)
            try:
                return self._service.call(operation, self._account_id, request)
            except ServiceError as error:
                raise client_error(error.code, operation, error.reason, error.status, error.message) from None

        return call


def client_error(
    code: str, operation: str = "AcceptHandshake", reason: str | None = None, status: int = 400, message: str = ""
) -> ClientError:
    answer: dict[str, Any] = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if reason:
        answer["Reason"] = reason
    return ClientError(answer, operation)


@dataclass
class World:
    """One invited account and two organizations that may invite it."""

    now: datetime = START
    slept: list[float] = field(default_factory=list)
    emitted: list[Record] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None
    timeout: float = 240.0
    reader: Executor | None = None
    """Reads one thing while another is read; by default in virtual time."""
    sweeps: SweepMemory | None = None
    """What the process remembers of its looks; None: every run looks, with all its might."""

    def __post_init__(self) -> None:
        self.service = HandshakeService(lambda: self.now)
        self.service.add_organization(ORGANIZATION, MANAGEMENT)
        self.service.add_organization(OTHER_ORGANIZATION, OTHER_MANAGEMENT)
        self.service.register_account(MEMBER, "mary@example.com")
        self.client = OrganizationsClient(self.service, MEMBER)
        self.parameters = Parameters()
        self.parameters.values[f"{PREFIX}mode"] = "enforce"
        self.random = random.Random(1)  # noqa: S311 - the same dice for every run
        self.memory = Memory()

    def policy(self, *statements: dict[str, Any], name: str = "allowlist") -> None:
        self.parameters.values[f"{PREFIX}policy/{name}"] = document(*statements)

    def mode(self, mode: str) -> None:
        self.parameters.values[f"{PREFIX}mode"] = mode

    def invite(self, management: str = MANAGEMENT, target: str = MEMBER) -> str:
        kind = "EMAIL" if "@" in target else "ACCOUNT"
        request = {"Target": {"Type": kind, "Id": target}, "Notes": "for mary@example.com"}
        answer = self.service.call("InviteAccountToOrganization", management, request)
        return str(answer["Handshake"]["Id"])

    def join(self, management: str = MANAGEMENT) -> None:
        """The account becomes a member, by hand."""
        self.service.call("AcceptHandshake", MEMBER, {"HandshakeId": self.invite(management)})

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.on_sleep()

    def run(self, event: object = None) -> Report:
        deadline = self.now + timedelta(seconds=self.timeout)
        clock = Clock(
            now=lambda: self.now,
            remaining=lambda: (deadline - self.now).total_seconds(),
            sleep=self.sleep,
            random=self.random.random,
        )
        self.client.calls.clear()
        client: Any = self.client  # these two stand for botocore's clients
        parameters: Any = self.parameters
        store = PolicyStore(parameters, clock, PREFIX)
        trigger = Trigger.from_event({"source": "aws.scheduler"} if event is None else event)

        def look(organizations: Organizations) -> Report:
            states = StateReader(organizations, store, self.reader or SideBySide(self), clock, MEMBER, "aws")
            return Reconcile(organizations, states, clock, self.emitted.append, self.memory, RUN_ID).run(trigger)

        if self.sweeps is None:
            return look(Organizations(client, clock))
        sweeps = PoliteSweeps(self.sweeps, client, store, clock, MEMBER)
        return sweeps.run(trigger, look, insists=bool(self.memory.unconfirmed))

    def hint(self, handshake_id: str, age: timedelta = timedelta(0)) -> dict[str, Any]:
        """What a rule passes on."""
        time = (self.now - age).isoformat()
        return {"source": "handshake-acceptor.relay", "time": time, "handshake_id": handshake_id}

    def state(self, handshake_id: str) -> str:
        return self.service.handshake(handshake_id).state.value

    def accepts(self) -> int:
        return self.client.calls.count("AcceptHandshake")


def summary(report: Report) -> list[tuple[str, str, str]]:
    """(handshake id, decision, outcome) of every record."""
    return [(r.handshake.id, r.decision.kind.value, r.outcome.value) for r in report.records]


def codes(report: Report) -> set[str]:
    return {reason.code for record in report.records for reason in record.reasons}
