"""The embedded AWS with the real stack in it, deployed by the real CDK CLI."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from local.emulator import ROOT, emulator
from local.service.admin_api import AdminClient

T = TypeVar("T")

REGION = "us-east-1"
FUNCTION = "handshake-acceptor"
LOG_GROUP = f"/aws/lambda/{FUNCTION}"
RELAY_LOG_GROUP = "/aws/lambda/handshake-relay"
SETTINGS = ROOT / "local" / "demo" / "settings.json"

_CDK = ROOT / "node_modules" / ".bin" / "cdk"
_QUIET = ["--no-notices", "--no-version-reporting"]
_APP = f"{ROOT / '.venv' / 'bin' / 'python'} {ROOT / 'app.py'}"


class CommandFailed(Exception):
    """A command ended with an error; the message has the end of what it printed."""


@dataclass(frozen=True, slots=True)
class EmbeddedAws:
    """A running embedded AWS. A 12-digit access key id is the account that calls."""

    endpoint: str

    @property
    def admin(self) -> AdminClient:
        """What arranges and inspects the handshakes."""
        return AdminClient(self.endpoint)

    def client(self, service: str, account_id: str) -> Any:
        """A boto3 client that calls as an account, over HTTP: the same one each time."""
        return _client(self.endpoint, service, account_id)

    def environment(self, account_id: str) -> dict[str, str]:
        """What a command needs to call as an account; nothing of the user's own AWS configuration is left."""
        ours = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account_id,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | ours

    def cdk(self, account_id: str, *arguments: str) -> str:
        """Runs the CDK CLI as an account and gives its standard output. Raises `CommandFailed`.

        Without CDK's own validation of the template, which is half of the time: tests/infra has it for every stack.
        """
        with TemporaryDirectory(prefix="cdk.out-") as output:
            command = [str(_CDK), *arguments, "--app", _APP, "--output", output, *_QUIET]
            return run(command, self.environment(account_id) | {"CDK_VALIDATION": "false"})

    def bootstrap(self, account_id: str) -> None:
        """`cdk bootstrap`, which a real account needs once too; from where no app is, for it would synthesize that."""
        with TemporaryDirectory() as nowhere:
            command = [str(_CDK), "bootstrap", f"aws://{account_id}/{REGION}", *_QUIET]
            run(command, self.environment(account_id), Path(nowhere))

    def deploy(self, account_id: str, settings: Path | None = SETTINGS, stack: str = "acceptor") -> dict[str, str]:
        """`cdk deploy` of a stack, with cdk.json's settings if no file of them is named; gives its outputs."""
        context = [f"stack={stack}", *([f"settings={settings}"] if settings else [])]
        options = [option for each in context for option in ("--context", each)]
        with TemporaryDirectory() as folder:
            outputs = Path(folder, "outputs.json")
            self.cdk(account_id, "deploy", "--require-approval", "never", "--outputs-file", str(outputs), *options)
            [deployed] = json.loads(outputs.read_text()).values()
            return dict(deployed)

    def log_lines(self, account_id: str, group: str = LOG_GROUP) -> list[str]:
        """All that a function has logged, the oldest first."""
        logs = self.client("logs", account_id)
        events = []
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            events += page["events"]
        return [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]

    def log_records(self, account_id: str, message: str = "decision", group: str = LOG_GROUP) -> list[dict[str, Any]]:
        """A function's log lines with this message, the oldest first."""
        lines = self.log_lines(account_id, group)
        parsed = (json.loads(line) for line in lines if line.lstrip().startswith("{"))
        return [record for record in parsed if record.get("message") == message]

    def sweep_now(self, account_id: str) -> None:
        """Brings the next sweep forward: a one-time schedule with the very target of the deployed one."""
        scheduler = self.client("scheduler", account_id)
        deployed = scheduler.get_schedule(Name=f"{FUNCTION}-sweep", GroupName=FUNCTION)
        scheduler.create_schedule(
            Name=f"sweep-now-{time.time_ns()}",
            GroupName=FUNCTION,
            ScheduleExpression=f"at({time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target=deployed["Target"],
        )


@cache
def _client(endpoint: str, service: str, account_id: str) -> Any:
    make: Callable[..., Any] = boto3.client
    return make(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=account_id,
        aws_secret_access_key="test",  # noqa: S106 - the emulator's, worth nothing anywhere
        config=Config(retries={"total_max_attempts": 2}, read_timeout=120),
    )


@contextmanager
def embedded_aws(*, port: int | None = None, **environment: str) -> Iterator[EmbeddedAws]:
    """An embedded AWS that checks signatures and enforces IAM, and is gone afterwards."""
    settings = {"AUTH": "true", "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "1", "LAMBDA_ASYNC_RETRY_MAX_SECONDS": "2"}
    with emulator(port=port, environment=settings | environment) as endpoint:
        yield EmbeddedAws(endpoint)


def run(command: list[str], environment: Mapping[str, str], folder: Path = ROOT) -> str:
    """Runs a command in a folder to its end and gives its standard output. Raises `CommandFailed`.

    What it says on standard error is for people, and never part of an answer.
    """
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(f"{Path(command[0]).name} {command[1]} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Looks until there is something. Raises `TimeoutError` that says what did not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
