"""The proxy kills the process whose connection it is, and no other, on a machine that is busy with connections."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.support.fault_proxy import LOOPBACK, owner

CONNECTED = """
import os, socket, sys
port, server_port = map(int, sys.argv[1:3])
first = os.open(os.devnull, os.O_RDONLY)
connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
connection.bind(("127.0.0.1", port))
connection.connect(("127.0.0.1", server_port))
os.close(first)
while True:  # the descriptor before the connection's comes and goes
    os.close(os.open(os.devnull, os.O_RDONLY))
"""


@contextmanager
def connected(server: socket.socket, port: int = 0) -> Iterator[tuple[int, int]]:
    """(process id, local port) of a process that is connected to the server, and busy with its descriptors."""
    command = [sys.executable, "-c", CONNECTED, str(port), str(server.getsockname()[1])]
    with subprocess.Popen(command) as process:
        try:
            connection, (_, port) = server.accept()
            with connection:
                yield process.pid, port
        finally:
            process.kill()


def test_the_owner_is_found_among_connections_with_the_same_local_port() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(socket.create_server((LOOPBACK, 0)))) for _ in range(2)]
        for server in servers:
            server.settimeout(30)
        first, port = stack.enter_context(connected(servers[0]))
        second, same = stack.enter_context(connected(servers[1], port))
        assert same == port
        for _ in range(50):
            assert [owner(port, server.getsockname()[1]) for server in servers] == [first, second]


def test_a_connection_that_nobody_has_is_an_error() -> None:
    with pytest.raises(TimeoutError, match="from port 1 to 2"):
        owner(1, 2, seconds=0.1)
