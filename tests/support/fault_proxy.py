"""A proxy on loopback between the deployed function and its endpoint: it passes calls on, spoils them, or kills.

The function reaches it by its own `AWS_ENDPOINT_URL`; requests go on byte for byte, so that their signatures hold.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from local.aws import wait_for

LOOPBACK = "127.0.0.1"
ERRORS = {
    "throttled": (400, "TooManyRequestsException"),
    "concurrent modification": (400, "ConcurrentModificationException"),
    "5xx before": (500, "ServiceException"),
    "5xx after": (503, "ServiceUnavailable"),
    "refused": (400, "AccessDeniedException"),
}
OTHERS = ("slow", "reset before", "reset after", "malformed", "not JSON", "cut short")
PAGES = {"ListHandshakesForAccount": "Handshakes", "GetParametersByPath": "Parameters"}
KILLS = ("killed before", "killed after")


class FaultProxy(ThreadingHTTPServer):
    """`plan` has what goes wrong next: (operation, kind); a call takes the first entry of its operation."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.upstream = urlsplit(endpoint).netloc
        self.plan: deque[tuple[str, str]] = deque()
        self.killed: list[int] = []
        self.errors: list[str] = []
        self.calls: list[str] = []
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"

    def next_fault(self, operation: str) -> str:
        with self.lock:
            self.calls.append(operation)
            for entry in self.plan:
                if entry[0] == operation:
                    self.plan.remove(entry)
                    return entry[1]
        return ""

    def handle_error(self, *_: object) -> None:
        """A client that was killed or reset is what this is for; anything else spoils the test that it happened in."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            self.errors.append(repr(error))


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        kind = self.server.next_fault(operation)
        if kind == "slow":
            time.sleep(0.3)
        if kind in ERRORS and kind != "5xx after":
            return self._answer(ERRORS[kind][0], json.dumps({"__type": ERRORS[kind][1], "Message": ""}).encode())
        if kind == "killed before":
            return self._kill()
        if kind == "reset before":
            return self._reset()
        status, answer = self._passed_on(body)
        if kind == "killed after":
            return self._kill()
        if kind == "reset after":
            return self._reset()
        if kind == "5xx after":
            status, answer = 503, json.dumps({"__type": ERRORS[kind][1], "Message": ""}).encode()
        elif kind == "malformed":
            answer = random.choice(
                [b"[1]", b"null", b'{"Handshakes": 5, "Handshake": 7, "Parameters": 3, "Organization": 1}']
            )
        elif kind == "not JSON":
            answer = b"<html>not what you think</html>"
        elif kind == "cut short":
            answer = answer[: len(answer) // 2]
        elif kind == "repeated page" and status == 200:
            answer = json.dumps(json.loads(answer) | {"NextToken": "again"}).encode()
            self.server.plan.appendleft((operation, "the same again"))
        elif kind == "the same again":
            status, answer = 200, json.dumps({PAGES[operation]: [], "NextToken": "again"}).encode()
        return self._answer(status, answer)

    def _passed_on(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self.server.upstream, timeout=30)
        try:
            connection.request("POST", self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _kill(self) -> None:
        """Kills the process at the other end of this connection: the function's, while it waits for this answer."""
        pid = owner(self.client_address[1], self.server.server_port)
        self.server.killed.append(pid)  # before it, for whoever waits for the process learns of its end at once
        os.kill(pid, signal.SIGKILL)
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


def owner(port: int, server_port: int, seconds: float = 5.0) -> int:
    """The id of the process that has the connection from this port to that server's, both on loopback.

    A local port alone does not name it: the kernel gives the same one to connections with different ends. The tables
    under /proc are read in pieces while they change, so that an entry may be missed: it is looked for again.
    Raises `TimeoutError`.
    """

    def look() -> int | None:
        return next(_owners(f"socket:[{_inode(port, server_port)}]"), None)

    return wait_for(f"finding who has the connection from port {port} to {server_port}", look, seconds)


def _inode(port: int, server_port: int) -> str:
    ends = [f"0100007F:{each:04X}" for each in (port, server_port)]
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return next((row[9] for row in rows if row[1:3] == ends), "")


def _owners(link: str) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process ended, or is not ours to look at
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):  # it was closed meanwhile
                    if str(descriptor.readlink()) == link:
                        yield int(process.name)


@contextmanager
def fault_proxy(endpoint: str) -> Iterator[FaultProxy]:
    """A running proxy that is gone afterwards."""
    with FaultProxy(endpoint) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
    assert proxy.errors == []
