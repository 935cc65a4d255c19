"""Starts and stops the embedded AWS as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.service.admin_api import LOOPBACK

ROOT = Path(__file__).parent.parent
INTERPRETER = ROOT / ".venv-aws" / "bin" / "python"
_READY_WITHIN_SECONDS = 60.0
_STOP_WITHIN_SECONDS = 10.0


class NotStarted(Exception):
    """The embedded AWS could not be started; the message says why."""


@contextmanager
def emulator(
    *,
    port: int | None = None,
    world: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[str]:
    """The endpoint of a running emulator that is gone afterwards; a free port unless one is given.

    Raises `NotStarted`.
    """
    with _held_port(port) as port, TemporaryDirectory(prefix="handshakes-", ignore_cleanup_errors=True) as folder:
        world_file, log = Path(folder, "world.json"), log or Path(folder, "log")
        world_file.write_text(json.dumps(list(world)))
        # TMPDIR is the folder, too: what it leaves behind, its functions' code above all, goes with it.
        command = [str(INTERPRETER), "-m", "local.adapters.ministack", "--port", str(port), "--with-parent"]
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, "--world", str(world_file)],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": folder, **(environment or {})},
                stdin=subprocess.PIPE,  # closes with this process, however it ends, and the emulator with it
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that the processes of its functions can be ended with it
            )
        try:
            _wait(process, port, log)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_healthy(port):
            return
        time.sleep(0.05)
    raise NotStarted(f"the embedded AWS did not start:\n{log.read_text()[-2000:]}")


def _is_healthy(port: int) -> bool:
    with closing(HTTPConnection(LOOPBACK, port, timeout=2)) as connection:
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        print("the embedded AWS did not end when told to, and was killed", file=sys.stderr)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what functions it still ran, and itself if need be
        process.wait()


@contextmanager
def _held_port(port: int | None) -> Iterator[int]:
    """A port of loopback that nobody else is given from now on: it stays bound here, and the emulator listens on it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((LOOPBACK, port or 0))
        except OSError as error:
            raise NotStarted(f"the embedded AWS did not start: port {port}: {error.strerror}") from error
        yield int(holder.getsockname()[1])
