"""What an idle account costs a month at list prices, by item, from the template and a run that finds nothing to do.

The claim to check: at most 1 USD without the dashboard and at most 4 with it. Prices, their date and what is assumed
are in prices.json. Free because AWS says so: rules on AWS's own events, AWS's own metrics, standard parameters, and
Organizations. Free because nothing comes: topic, queue, hint bus.

`--accounts N` says what so many idle accounts cost, without dashboards, by the setting `alarms`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_cdk import App
from aws_cdk.assertions import Template

from bench.shared.figure import figure
from handshake_acceptor.policy.documents import STANDARD_BYTES
from handshake_acceptor_cdk.settings.acceptor import parse
from handshake_acceptor_cdk.stacks.acceptor import AcceptorStack

ROOT = Path(__file__).parents[1]
OWN = "222222222222"
HOURS = 730
"""A month, as AWS reckons it."""
MOST = {False: 1.0, True: 4.0}
"""What an idle account may cost, without and with the dashboard."""
MOST_OF_ALARMS = {"essential": 0.26, "none": 0.06}
"""The same without the dashboard, with fewer alarms."""
FLEET = 1_000
GB = 1e9
ALARMS = ("all", "essential", "none")
MOVES = (1, 30, 300, 3_000)
"""The numbers of accounts in the table of docs/move.md."""
_PRICED = {
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::KMS::Key": "customer key",
    "AWS::SecretsManager::Secret": "secret",
}


@dataclass(frozen=True, slots=True)
class IdleRun:
    """A run that finds nothing to do: what it logs, and how many custom metrics it sends."""

    log_bytes: int
    metrics: int


def monthly(resources: dict[str, Any], idle: IdleRun) -> dict[str, float]:
    """USD a month of an idle account, by item."""
    file = json.loads(Path(__file__).with_name("prices.json").read_text())
    price = {item: each["usd"] for item, each in file["prices"].items()}
    assumed = {name: each["value"] for name, each in file["assumed"].items()}
    function, schedule, log = (
        one(resources, kind) for kind in ("AWS::Lambda::Function", "AWS::Scheduler::Schedule", "AWS::Logs::LogGroup")
    )
    runs = HOURS * 60 / minutes(schedule["ScheduleExpression"])
    logged = runs * (idle.log_bytes + assumed["platform_bytes"]) / GB
    kept_months = log["RetentionInDays"] / (HOURS / 24)
    costs = {
        "function request": runs * price["function request"],
        "function GB-second": runs * assumed["seconds"] * function["MemorySize"] / 1024 * price["function GB-second"],
        "schedule": runs * price["schedule"],
        "log ingestion": logged * price["log ingestion"],
        "log storage": logged * kept_months * price["log storage"],
        "custom metric": idle.metrics * price["custom metric"],
    }
    if "TracingConfig" in function:
        costs["trace"] = runs * price["trace"]
    if large := sum(map(is_advanced, resources.values())):
        costs["advanced parameter"] = large * price["advanced parameter"]
        costs["advanced parameter read"] = large * runs * price["advanced parameter read"]
    for resource in resources.values():
        if item := _PRICED.get(resource["Type"]):
            costs[item] = costs.get(item, 0.0) + price[item]
    return costs


def is_advanced(resource: dict[str, Any]) -> bool:
    """Whether it is a parameter that costs something."""
    return resource["Type"] == "AWS::SSM::Parameter" and len(resource["Properties"]["Value"].encode()) > STANDARD_BYTES


def large_document() -> dict[str, Any]:
    """One that a policy may hold besides, and no standard parameter."""
    return {"Large": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": " " * (STANDARD_BYTES + 1)}}}


def synthesized(**settings: object) -> dict[str, Any]:
    """The stack's resources for some settings, else the defaults."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    raw = {"origins": [], **settings}
    with TemporaryDirectory() as output:
        stack = AcceptorStack(
            App(context=context, outdir=output, builtin_cloud_formation_validation=False),
            "HandshakeAcceptor",
            settings=parse(raw, "us-east-1"),
            asset=Path(__file__).parent / "starts" / "empty",  # a stand-in: no price depends on it
            account=OWN,
        )
        resources: dict[str, Any] = Template.from_stack(stack).to_json()["Resources"]
    return resources


def idle_run() -> IdleRun:
    """Runs the real handler in an account where nothing is pending, the second time after a cold start."""
    from local.adapters.moto import handshakes_in_moto
    from local.service.handshake_service import HandshakeService

    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "handshake-acceptor"}
    os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "HandshakeAcceptor"
    service = HandshakeService(lambda: datetime.now(UTC))
    with handshakes_in_moto(service, account_id=OWN), redirect_stdout(StringIO()):
        handler = import_module("handshake_acceptor.handler")
        handler.handler({"source": "aws.scheduler"}, Context())
        out = StringIO()
        handler.logger.registered_handler.stream = out
        with redirect_stdout(out):
            handler.handler({"source": "aws.scheduler"}, Context())
    metrics = {name for line in out.getvalue().splitlines() for name in re.findall(r'"Name":\s*"(\w+)"', line)}
    return IdleRun(len(out.getvalue().encode()), len(metrics))


class Context:
    """What Lambda hands to a function."""

    function_name = "handshake-acceptor"
    memory_limit_in_mb = 256
    invoked_function_arn = f"arn:aws:lambda:us-east-1:{OWN}:function:handshake-acceptor"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 240_000


def one(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = (each["Properties"] for each in resources.values() if each["Type"] == kind)
    properties: dict[str, Any] = found
    return properties


def minutes(expression: str) -> int:
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return int(number) * {"minute": 1, "hour": 60, "day": 1440}[unit.removesuffix("s")]


@cache
def of_one() -> dict[str, float]:
    """USD a month of an idle account without a dashboard, by the setting `alarms`.

    A run logs what is assumed, which is more than was measured: the same figures on every machine.
    """
    assumed = json.loads(Path(__file__).with_name("prices.json").read_text())["assumed"]
    idle = IdleRun(assumed["idle_bytes"]["value"], 0)
    return {alarms: sum(monthly(synthesized(dashboard=False, alarms=alarms), idle).values()) for alarms in ALARMS}


def table() -> str:
    """The table of docs/move.md."""
    head = "| accounts | " + " | ".join(f"alarms `{alarms}`" for alarms in ALARMS) + " |\n|---|---|---|---|\n"
    rows = [(accounts, [f"{accounts * usd:,.2f}" for usd in of_one().values()]) for accounts in MOVES]
    return head + "".join(f"| {accounts:,} | {' | '.join(usds)} |\n" for accounts, usds in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, metavar="N", help="what so many idle accounts cost, by their alarms")
    if (accounts := parser.parse_args().accounts) is not None:
        for alarms, usd in of_one().items():
            bench = f"cost: {accounts:,} idle accounts without dashboards, alarms {alarms}, against all of them"
            figure(bench, accounts * usd, "USD/month", accounts * of_one()["all"])
        return
    idle = idle_run()
    figure("cost: log of an idle run, without Lambda's own lines", idle.log_bytes, "bytes", 1000)
    totals = {}
    for dashboard, most in MOST.items():
        costs = monthly(synthesized(dashboard=dashboard), idle)
        totals[dashboard] = sum(costs.values())
        named = "with the dashboard" if dashboard else "without the dashboard"
        figure(f"cost: idle account {named}, against its limit", totals[dashboard], "USD/month", most)
    for alarms, most in MOST_OF_ALARMS.items():
        fewer = sum(monthly(synthesized(dashboard=False, alarms=alarms), idle).values())
        figure(f"cost: idle account, alarms {alarms}, no dashboard, against its limit", fewer, "USD/month", most)
    with_document = sum(monthly(synthesized(dashboard=False) | large_document(), idle).values())
    bench = "cost: idle account with a document over 4,096 bytes, no dashboard, against one without it"
    figure(bench, with_document, "USD/month", totals[False])
    for item, cost in costs.items():
        figure(f"cost: idle account, {item}, against the whole", cost, "USD/month", totals[True])
    bench = f"cost: fleet of {FLEET:,} idle accounts without dashboards, against one in each"
    figure(bench, FLEET * totals[False], "USD/month", FLEET * totals[True])


if __name__ == "__main__":
    main()
