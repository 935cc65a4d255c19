"""How long `brake on` takes for 500 accounts, where each call of AWS takes 50 ms: the installed command, over HTTP.

The claim to check: within a minute. The baseline is the same number of calls, side by side, if they took nothing but
those 50 ms each.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.shared.figure import figure

ACCOUNTS = [f"5{number:011}" for number in range(500)]
CALL = 0.05  # seconds
PARALLEL = 8  # what the command does unless it is told otherwise
MODE = "/handshake-acceptor/mode"
POLICY = '{"Version": "2026-01-01", "Statement": []}'

_KEY = re.compile(rb"Credential=(\w+)/")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"x-amz-target: AmazonSSM\.(\w+)", re.IGNORECASE)
_ROLE = re.compile(rb"iam%3A%3A(\d{12})")


_CALLER = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/maria</Arn>"
    b"<Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Aws:
    """Answers STS and Parameter Store after 50 ms, for every account by its access key."""

    def __init__(self) -> None:
        seed = {"Name": MODE, "Type": "String", "Value": "enforce", "Version": 1, "Description": ""}
        self.modes: defaultdict[str, list[dict[str, Any]]] = defaultdict(lambda: [seed])
        self.calls = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which the caller keeps."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await asyncio.sleep(CALL)
                self.calls += 1
                answer = self.answer(head, body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, head: bytes, body: bytes) -> bytes:
        """What AWS would say."""
        key = _KEY.search(head)
        target = _TARGET.search(head)
        if target is None:
            role = _ROLE.search(body)
            return _assumed(role[1]) if role else _CALLER
        versions = self.modes[key[1].decode() if key else ""]
        request = json.loads(body)
        match target[1]:
            case b"GetParametersByPath":
                document = {"Name": "/handshake-acceptor/policy/allowlist", "Type": "String", "Value": POLICY}
                return json.dumps({"Parameters": [versions[-1], document | {"Version": 1}]}).encode()
            case b"GetParameterHistory":
                return json.dumps({"Parameters": versions}).encode()
        wanted = {name: request[name] for name in ("Name", "Type", "Value", "Description")}
        self.modes[key[1].decode() if key else ""] = [*versions, wanted | {"Version": len(versions) + 1}]
        return json.dumps({"Version": len(versions) + 1}).encode()


def _assumed(account: bytes) -> bytes:
    return (
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s"
        b"</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        b"</AssumeRoleResult></AssumeRoleResponse>" % account
    )


def served(aws: Aws) -> int:
    """Serves from a thread of its own until this process ends; the port."""
    ready: list[int] = []
    event = threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(aws.serve, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        event.set()
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
    event.wait()
    return ready[0]


def main() -> None:
    """Measures."""
    aws = Aws()
    environment = os.environ | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{served(aws)}",
        "AWS_ACCESS_KEY_ID": "111111111111",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
    }
    command = [str(Path(sys.executable).with_name("handshakectl")), "brake", "on", "--reason", "drill", "--yes"]
    with TemporaryDirectory() as folder:
        accounts = Path(folder) / "accounts"
        accounts.write_text("\n".join(ACCOUNTS))
        many = ["--role", "Operator", "--accounts-file", str(accounts), "--parallel", str(PARALLEL)]
        begun = time.monotonic()
        done = subprocess.run([*command, *many], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
        took = time.monotonic() - begun
    assert done.returncode == 0, done.stdout[-1000:]
    assert all(aws.modes[account][-1]["Value"] == "observe" for account in ACCOUNTS)
    figure(f"brake on, {len(ACCOUNTS)} accounts, {CALL * 1000:.0f} ms a call", took, "s", aws.calls * CALL / PARALLEL)


if __name__ == "__main__":
    main()
