"""AWS for a command that works on many accounts: over HTTP, after 50 ms a call, every account by its access key."""

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
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CALL = 0.05  # seconds
PARALLEL = 8  # what the commands do unless they are told otherwise
POLICY = '{"Version": "2026-01-01", "Statement": []}'
PREFIX = "/handshake-acceptor/"

_KEY = re.compile(rb"Credential=(\w+)/")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"x-amz-target: \w+\.(\w+)", re.IGNORECASE)
_ROLE = re.compile(rb"iam%3A%3A(\d{12})")

_CALLER = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/maria</Arn>"
    b"<Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
_STACK = (
    b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>HandshakeAcceptor</StackName>"
    b"<StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime></member></Stacks>"
    b"</DescribeStacksResult></DescribeStacksResponse>"
)
_SCHEDULE = json.dumps({"State": "ENABLED", "ScheduleExpression": "rate(5 minutes)"}).encode()


class Aws:
    """Answers what the commands for many accounts ask. Every account is healthy, and idle."""

    def __init__(self) -> None:
        seed = {"Name": f"{PREFIX}mode", "Type": "String", "Value": "enforce", "Version": 1, "Description": ""}
        self.modes: defaultdict[str, list[dict[str, Any]]] = defaultdict(lambda: [seed])
        self.calls = self.at_once = self.most_at_once = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which the caller keeps."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                await asyncio.sleep(CALL)
                self.at_once -= 1
                self.calls += 1
                answer = self.answer(head, body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, head: bytes, body: bytes) -> bytes:
        """What AWS would say."""
        target = _TARGET.search(head)
        if target is None:
            if head.startswith(b"GET /schedules/"):
                return _SCHEDULE
            if b"Action=DescribeStacks" in body:
                return _STACK
            role = _ROLE.search(body)
            return _assumed(role[1]) if role else _CALLER
        key = _KEY.search(head)
        return json.dumps(self._json(target[1].decode(), key[1].decode() if key else "", json.loads(body))).encode()

    def _json(self, operation: str, account: str, request: dict[str, Any]) -> dict[str, Any]:
        versions = self.modes[account]
        match operation:
            case "GetParametersByPath":
                document = {"Name": f"{PREFIX}policy/allowlist", "Type": "String", "Value": POLICY, "Version": 1}
                return {"Parameters": [versions[-1], document]}
            case "GetParameterHistory":
                return {"Parameters": versions}
            case "PutParameter":
                wanted = {name: request[name] for name in ("Name", "Type", "Value", "Description")}
                self.modes[account] = [*versions, wanted | {"Version": len(versions) + 1}]
                return {"Version": len(versions) + 1}
            case "ListHandshakesForAccount":
                return {"Handshakes": []}
            case "DescribeOrganization":
                arn = "arn:aws:organizations::111111111111:organization/o-exampleorgid"
                return {"Organization": {"Id": "o-exampleorgid", "Arn": arn, "MasterAccountId": "111111111111"}}
            case "FilterLogEvents":
                now = int(datetime.now(UTC).timestamp() * 1000)
                return {"events": [{"timestamp": now, "message": json.dumps({"message": "run", "failures": []})}]}
        raise ValueError(operation)


def _assumed(account: bytes) -> bytes:
    return (
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s"
        b"</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        b"</AssumeRoleResult></AssumeRoleResponse>" % account
    )


def _served(aws: Aws) -> int:
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


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    status: int
    output: str
    seconds: float
    peak_mb: float
    """The most memory that it took."""


def handshakectl(aws: Aws, accounts: Sequence[str], *arguments: str) -> Done:
    """Runs the installed command, in a process of its own, for these accounts."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_served(aws)}",
        "AWS_ACCESS_KEY_ID": "111111111111",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
    }
    command = [str(Path(sys.executable).with_name("handshakectl")), *arguments]
    with TemporaryDirectory() as folder:
        listed = Path(folder) / "accounts"
        listed.write_text("\n".join(accounts))
        many = ["--role", "Operator", "--accounts-file", str(listed), "--parallel", str(PARALLEL)]
        begun = time.monotonic()
        with (Path(folder) / "output").open("w+") as output:
            process = subprocess.Popen([*command, *many], env=environment, cwd=folder, stdout=output)
            _, status, used = os.wait4(process.pid, 0)  # which says how much memory this one process took
            took = time.monotonic() - begun
            output.seek(0)
            return Done(os.waitstatus_to_exitcode(status), output.read(), took, used.ru_maxrss / 1024)
