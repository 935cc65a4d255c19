"""Organizations and Parameter Store on a loopback port, in AWS JSON 1.1: the same for every variant.

`python -m bench.starts.aws` prints its port and serves until it is ended. Organizations is the project's own state
machine. `PUT /world` makes a new one, with an invitation or without; `GET /world` tells which calls it has seen since.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.runtime.api import OWN
from local.service import aws_json
from local.service.handshake_service import HandshakeService

MANAGEMENT = "111111111111"
ORGANIZATION = "o-exampleorgid"
_STATEMENT = {
    "Sid": "JoinProduction",
    "Effect": "Allow",
    "Action": "INVITE",
    "Origin": {"OrganizationId": ORGANIZATION, "ManagementAccountId": MANAGEMENT},
}
_PARAMETERS = {
    "/handshake-acceptor/mode": "enforce",
    "/handshake-acceptor/policy/allowlist": json.dumps({"Version": "2026-01-01", "Statement": [_STATEMENT]}),
    "/plain/allowlist": json.dumps([ORGANIZATION]),
}


class World:
    """One invited account, and what it was asked."""

    def __init__(self, invited: bool = False, finished_pages: int = 0, delay: float = 0.0) -> None:
        """`finished_pages`: of ten finished handshakes each, answered from memory; they are all that is listed then.

        `delay`: seconds that every call takes besides.
        """
        self.delay = delay
        self.calls: list[str] = []
        self.service = HandshakeService(lambda: datetime.now(UTC))
        self.service.add_organization(ORGANIZATION, MANAGEMENT)
        if invited:
            target = {"Target": {"Type": "ACCOUNT", "Id": OWN}}
            self.service.call("InviteAccountToOrganization", MANAGEMENT, target)
        self.pages = self._finished(finished_pages) if finished_pages else []

    def answer(self, target: str, request: dict[str, Any]) -> tuple[int, str]:
        """Status and body of one call; `target` is `service.Operation`."""
        service, _, operation = target.partition(".")
        self.calls.append(operation)
        time.sleep(self.delay)
        if self.pages and operation == "ListHandshakesForAccount":
            return 200, self.pages[int(request.get("NextToken", 0))]
        if service.startswith("AWSOrganizations"):
            status, _, body = aws_json.answer(self.service, operation, OWN, request)
            return status, body
        return 200, json.dumps(getattr(self, operation)(request))

    def GetParameter(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Parameter": _parameter(request["Name"])}

    def GetParametersByPath(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Parameters": [_parameter(name) for name in _PARAMETERS if name.startswith(request["Path"] + "/")]}

    def _finished(self, pages: int) -> list[str]:
        request = {"Target": {"Type": "ACCOUNT", "Id": OWN}, "Notes": "Welcome"}
        handshake = self.service.call("InviteAccountToOrganization", MANAGEMENT, request)["Handshake"]
        self.service.call("DeclineHandshake", OWN, {"HandshakeId": handshake["Id"]})
        _, _, body = aws_json.answer(self.service, "ListHandshakesForAccount", OWN, {})
        numbers = iter(range(pages * 10))
        made = []
        for page in range(pages):
            each = [body.replace(handshake["Id"], f"h-{next(numbers):032d}") for _ in range(10)]
            content = {"Handshakes": [json.loads(one)["Handshakes"][0] for one in each]}
            made.append(json.dumps(content | ({"NextToken": str(page + 1)} if page + 1 < pages else {})))
        return made


def _parameter(name: str) -> dict[str, Any]:
    changed = 1_795_000_000.0
    return {"Name": name, "Type": "String", "Value": _PARAMETERS[name], "Version": 1, "LastModifiedDate": changed}


class Handler(BaseHTTPRequestHandler):
    """One request. Answers go out in one piece: two would wait for each other (Nagle, delayed acknowledgements)."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    world = World()

    def do_POST(self) -> None:
        request = json.loads(self._body())
        self._answer(*self.world.answer(self.headers["X-Amz-Target"], request))

    def do_PUT(self) -> None:
        type(self).world = World(**json.loads(self._body()))
        self._answer(200, "{}")

    def do_GET(self) -> None:
        self._answer(200, json.dumps(self.world.calls))

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
