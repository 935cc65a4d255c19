"""The packaged function, started as Lambda starts it, against an AWS that takes 3 s a call.

People edit the policy while calls are under way. What is right is judged by that AWS's own log alone: when each call
arrived, when it had its effect, and when it was answered. All cases run side by side.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from handshake_acceptor_cdk.asset import build, bytecode
from local.runtime.api import OWN, started
from local.runtime.client import runtime
from local.service import aws_json
from local.service.handshake_service import HandshakeService
from local.world import MANAGEMENT, ORGANIZATION, PREFIX, allow, deny, document

pytestmark = pytest.mark.builds

CALL = 3.0
"""Seconds that every call takes; it has its effect after half of them."""
AGE = 20.0
"""Seconds: the oldest that the beginning of the last reading of the policy may be when something is sent."""
LIST, ACCOUNT, POLICY = "ListHandshakesForAccount", "DescribeOrganization", "GetParametersByPath"
SENDS = ("AcceptHandshake", "DeclineHandshake")

MODE, ALLOWLIST, GUARD, EARLY_GUARD = "mode", "policy/allowlist", "policy/zz-guard", "policy/aa-guard"
ACCEPTS = {MODE: "enforce", ALLOWLIST: document(allow())}
DECLINES = {
    MODE: "enforce",
    GUARD: document(
        deny(
            Action="INVITE",
            Origin={"OrganizationId": ORGANIZATION, "ManagementAccountId": MANAGEMENT},
            Respond="Decline",
        )
    ),
}
DENY = document(deny())
TWO_PAGES = {f"policy/filler-{number}": document() for number in range(9)}


@dataclass(frozen=True)
class Edit:
    """What somebody writes (None: deletes) after a call had its effect, while its answer is on its way."""

    operation: str
    number: int
    """Of the calls of that operation, from 1."""
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Case:
    policy: Mapping[str, str]
    sends: frozenset[tuple[str, ...]]
    """What may be sent, all of it in order; each is right."""
    edit: Edit | None = None
    permits: tuple[bool, bool] = (True, False)
    """Whether the policy permits what is sent: before the edit, and after it."""
    invited: bool = True


ACCEPTED, DECLINED, NOTHING = (frozenset({each}) for each in (("AcceptHandshake",), ("DeclineHandshake",), ()))
BRAKE = {MODE: "observe"}
CASES = {
    "nothing is edited": Case(ACCEPTS, ACCEPTED),
    "nothing is edited, declined": Case(DECLINES, DECLINED),
    "nothing is edited, two pages": Case(ACCEPTS | TWO_PAGES, ACCEPTED),
    "a Deny during the list": Case(ACCEPTS, NOTHING, Edit(LIST, 1, {GUARD: DENY})),
    "a brake during the list, declined": Case(DECLINES, NOTHING, Edit(LIST, 1, BRAKE)),
    "a brake while the organization is asked for": Case(ACCEPTS, NOTHING, Edit(ACCOUNT, 1, BRAKE)),
    "a Deny moved between two pages": Case(
        ACCEPTS | TWO_PAGES | {GUARD: DENY},
        NOTHING,
        Edit(POLICY, 1, {EARLY_GUARD: DENY, GUARD: None}),
        permits=(False, False),
    ),
    "a Deny behind the last reading": Case(ACCEPTS, ACCEPTED | NOTHING, Edit(POLICY, 2, {GUARD: DENY})),
    "nothing is pending": Case(ACCEPTS, NOTHING, invited=False),
}


@dataclass(frozen=True)
class Call:
    """Times are seconds of one clock, that of the AWS."""

    operation: str
    first_page: bool
    began: float
    effect: float
    ended: float


@dataclass
class SlowAws:
    """Organizations and Parameter Store of one account."""

    case: Case
    log: list[Call] = field(default_factory=list)
    edited: float | None = None

    def __post_init__(self) -> None:
        self.service = HandshakeService(lambda: datetime.now(UTC))
        self.service.add_organization(ORGANIZATION, MANAGEMENT)
        if self.case.invited:
            target = {"Target": {"Type": "ACCOUNT", "Id": OWN}}
            self.service.call("InviteAccountToOrganization", MANAGEMENT, target)
        self._parameters = dict(self.case.policy)
        self._versions = dict.fromkeys(self._parameters, 1)
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, str]:
        """Status and body, after the time that a call takes."""
        began = time.monotonic()
        with self._lock:
            number = self._numbers[operation] = self._numbers.get(operation, 0) + 1
        time.sleep(CALL / 2)
        with self._lock:
            effect = time.monotonic()
            status, body = self._effect(operation, request)
        time.sleep(CALL / 4)
        edit = self.case.edit
        if edit and (edit.operation, edit.number) == (operation, number):
            self._write(edit.values)
        time.sleep(CALL / 4)
        with self._lock:
            self.log.append(Call(operation, "NextToken" not in request, began, effect, time.monotonic()))
        return status, body

    def sent(self) -> list[Call]:
        return [call for call in self.log if call.operation in SENDS]

    def _effect(self, operation: str, request: dict[str, Any]) -> tuple[int, str]:
        if operation == POLICY:
            return 200, json.dumps(self._page(int(request.get("NextToken", 0)), request["MaxResults"]))
        status, _, body = aws_json.answer(self.service, operation, OWN, request)
        return status, body

    def _page(self, start: int, size: int) -> dict[str, Any]:
        names = sorted(self._parameters)
        page = [
            {
                "Name": f"{PREFIX}{name}",
                "Type": "String",
                "Value": self._parameters[name],
                "Version": self._versions[name],
                "LastModifiedDate": 1_795_000_000.0,
            }
            for name in names[start : start + size]
        ]
        return {"Parameters": page} | ({"NextToken": str(start + size)} if start + size < len(names) else {})

    def _write(self, values: Mapping[str, str | None]) -> None:
        with self._lock:
            self.edited = time.monotonic()
            for name, value in values.items():
                if value is None:
                    del self._parameters[name]
                else:
                    self._parameters[name] = value
                    self._versions[name] = self._versions.get(name, 0) + 1


@contextmanager
def served(aws: SlowAws) -> Iterator[str]:
    """Its URL, on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = aws.answer(self.headers["X-Amz-Target"].partition(".")[2], request)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # the function keeps its connections open until it is ended

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def observed(asset: Path, python: str) -> dict[str, SlowAws]:
    """One run of the function in every case, all side by side."""
    client = runtime(Path("build"), python)

    def one(case: Case) -> SlowAws:
        aws = SlowAws(case)
        with (
            served(aws) as endpoint,
            started(python, client, asset, "handshake_acceptor.handler.handler", endpoint) as start,
        ):
            start.run({"source": "aws.scheduler"})
        return aws

    with ThreadPoolExecutor(max_workers=len(CASES)) as pool:
        return dict(zip(CASES, pool.map(one, CASES.values()), strict=True))


@pytest.fixture(scope="module")
def worlds() -> dict[str, SlowAws]:
    return observed(build.build_asset(), bytecode.interpreter(build.PYTHON) or sys.executable)


@pytest.mark.parametrize("name", CASES)
def test_what_is_sent_is_permitted_by_what_stands(worlds: dict[str, SlowAws], name: str) -> None:
    aws = worlds[name]
    assert all(call.ended - call.began >= CALL for call in aws.log)
    assert (aws.edited is not None) == (aws.case.edit is not None)
    assert tuple(call.operation for call in aws.sent()) in aws.case.sends
    for sent in aws.sent():
        before = [call for call in aws.log if call.ended <= sent.began]
        reading = max(call.began for call in before if call.operation == POLICY and call.first_page)
        assert all(call.ended <= reading for call in before if call.operation in (LIST, ACCOUNT))
        assert sent.began - reading <= AGE
        assert permitted(aws, reading, sent.began), "a policy that was replaced before its last reading began"


def permitted(aws: SlowAws, since: float, until: float) -> bool:
    """Whether the policy permitted it at some instant of that time."""
    first, then = aws.case.permits
    edited = until if aws.edited is None else aws.edited
    return (first and since < edited) or (then and edited < until)


def test_an_idle_run_makes_two_calls_side_by_side(worlds: dict[str, SlowAws]) -> None:
    first, second = sorted(worlds["nothing is pending"].log, key=lambda call: call.began)
    assert {first.operation, second.operation} == {LIST, POLICY}
    assert second.began < first.ended
