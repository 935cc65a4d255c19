"""Lambda's side of a function: its runtime API on a loopback port, and one process that is started and asks it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

OWN = "222222222222"
"""The account that the function runs in."""
_TIMEOUT = 60.0
_FUNCTION = f"arn:aws:lambda:us-east-1:{OWN}:function:handshake-acceptor"


class StartFailed(Exception):
    """The function did not start, or a run of it failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What the process said, and when (`time.perf_counter`)."""

    kind: str
    """`next`: it asks for an event; else the last part of the path: `response`, `error`."""
    at: float
    body: bytes


class Start:
    """A process that is asking for events."""

    def __init__(self, process: subprocess.Popen[bytes], began: float, events: Queue[Any], said: Queue[Any]) -> None:
        self._process, self._events, self._said = process, events, said
        self.init_seconds = self._wait("next").at - began

    def run(self, event: dict[str, Any]) -> tuple[float, Any]:
        """Seconds from event to answer, and the answer."""
        self._events.put(json.dumps(event).encode())
        sent = time.perf_counter()
        answered = self._wait("response")
        self._wait("next")
        return answered.at - sent, json.loads(answered.body)

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far (Linux only)."""
        # clock_getcpuclockid(3), which Python does not have for processes.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def peak_bytes(self) -> int:
        """The most memory that it has had (Linux only)."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise StartFailed("the system does not say how much memory a process has had")

    def _wait(self, kind: str) -> Happening:
        try:
            happened: Happening = self._said.get(timeout=_TIMEOUT)
        except Empty:
            raise StartFailed(f"nothing heard for {_TIMEOUT} s") from None
        if happened.kind != kind:
            raise StartFailed(f"{happened.kind} instead of {kind}: {happened.body.decode()}")
        return happened


@contextmanager
def started(python: str, runtime: Path, folder: Path, handler: str, endpoint: str) -> Iterator[Start]:
    """Starts a function's code as Lambda does: a fresh interpreter with the runtime interface client, in its folder."""
    events: Queue[bytes] = Queue()
    said: Queue[Happening] = Queue()
    server = _server(events, said)
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(runtime),
        "PYTHONDONTWRITEBYTECODE": "1",  # a folder that is read-only does not stop root
        "LAMBDA_TASK_ROOT": str(folder),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "handshake-acceptor",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": OWN,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_ENDPOINT_URL": endpoint,
        "POLICY_PATH": "/handshake-acceptor/",
        "POWERTOOLS_SERVICE_NAME": "handshake-acceptor",
        "POWERTOOLS_METRICS_NAMESPACE": "HandshakeAcceptor",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    command = [python, "-m", "awslambdaric", handler]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr
    )
    try:
        yield Start(process, began, events, said)
    finally:
        process.kill()
        process.wait()
        events.put(b"")  # for the thread that waits to hand out another
        server.shutdown()
        server.server_close()


def _server(events: Queue[bytes], said: Queue[Happening]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            said.put(Happening("next", time.perf_counter(), b""))
            event = events.get()
            self._answer(
                200,
                event,
                {
                    "Lambda-Runtime-Aws-Request-Id": "52fdfc07-2182-154f-163f-5f0f9a621d72",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 240) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": _FUNCTION,
                },
            )

        def do_POST(self) -> None:
            at = time.perf_counter()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said.put(Happening(self.path.rpartition("/")[2], at, body))
            self._answer(202, b"{}", {})

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            if not body:
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server
