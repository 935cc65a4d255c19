"""Every template in every partition: its ARNs, region, service principals and links are that partition's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from aws_cdk.region_info import RegionInfo

from handshake_acceptor_cdk.partitions import COMMERCIAL, PARTITIONS, Partition
from tests.support.synthesis import ACCOUNT, LOCAL, Deployed, hub, relay, synthesize, template

EVERYTHING = LOCAL | {
    "declinable": LOCAL["origins"],
    "tracing": True,
    "alarmEmail": "x@example.com",
    "policy": "local/demo/allowlist.json",
}
ASSET = {"AssetBucket": "example"}
TEMPLATES: dict[str, Callable[[str], Deployed]] = {
    "acceptor": lambda region: Deployed(synthesize(EVERYTHING, region)),
    "acceptor without bootstrap": lambda region: Deployed(template(EVERYTHING), region=region, parameters=ASSET),
    "relay": lambda region: Deployed(relay({"tracing": True, "alarmEmail": "x@example.com"}, region)),
    "hub": lambda region: Deployed(hub({"accounts": [ACCOUNT], "organizations": ["o-exampleorgid"]}, region)),
}
"""Each as it is deployed in a region."""

SERVICES = {f"{name}.amazonaws.com" for name in ("cloudwatch", "events", "lambda", "organizations", "scheduler")}
"""By these names the services are known in every partition, as principals and in CloudTrail's records."""

in_every_partition = pytest.mark.parametrize("partition", PARTITIONS, ids=lambda partition: partition.name)
every_template = pytest.mark.parametrize("name", TEMPLATES)


def deployed_text(name: str, partition: Partition) -> str:
    deployed = TEMPLATES[name](partition.home_region)
    outputs = [output["Value"] for output in deployed.template["Outputs"].values()]
    return json.dumps([deployed.resources(), deployed.resolve(outputs)])


@in_every_partition
@every_template
def test_every_arn_is_the_partitions_own(name: str, partition: Partition) -> None:
    assert set(re.findall(r"\barn:([^:]*):", deployed_text(name, partition))) <= {partition.name}


@in_every_partition
@every_template
def test_no_other_region_is_named(name: str, partition: Partition) -> None:
    named = set(re.findall(r"\b[a-z]{2}(?:-[a-z]+)+-\d\b", deployed_text(name, partition)))
    assert named == {partition.home_region}


@in_every_partition
@every_template
def test_every_host_is_a_service_principal_or_the_partitions_console(name: str, partition: Partition) -> None:
    hosts = set(
        re.findall(r"[\w.-]*\bamazon(?:aws)?\b[\w.-]*|[\w.-]*\.amazon\.com[\w.-]*", deployed_text(name, partition))
    )
    assert hosts <= SERVICES | {partition.console}


@in_every_partition
@pytest.mark.parametrize("name", ["acceptor", "acceptor without bootstrap"])
def test_the_dashboard_points_to_the_partitions_console(name: str, partition: Partition) -> None:
    body = TEMPLATES[name](partition.home_region).only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    for parameter in ("mode", "policy/allowlist"):
        address = f"https://{partition.console}/systems-manager/parameters/handshake-acceptor/{parameter}/description"
        assert f"({address}?region={partition.home_region})" in body


@pytest.mark.parametrize("service", sorted(SERVICES))
@in_every_partition
def test_cdk_knows_these_service_principals_by_no_other_name(service: str, partition: Partition) -> None:
    known = RegionInfo.get(partition.home_region).service_principal(service)
    assert known in (None, service)


@in_every_partition
def test_a_ceiling_and_a_bus_are_written_with_the_partitions_arns(partition: Partition) -> None:
    for name in ("acceptor", "acceptor without bootstrap"):
        deployed = TEMPLATES[name](partition.home_region)
        accept, *_ = deployed.statements("handshake-acceptor")
        handshake = f"arn:{partition.name}:organizations::111111111111:handshake/o-exampleorgid"
        assert accept["Resource"][1] == f"{handshake}/invite/*"
        bus = deployed.only("AWS::Events::EventBus")["Policy"]["Statement"][0]
        assert bus["Resource"] == (
            f"arn:{partition.name}:events:{partition.home_region}:{ACCOUNT}:event-bus/handshake-acceptor"
        )


def test_the_checks_notice_a_partition_that_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ceiling as if nobody had thought of partitions."""
    monkeypatch.setitem(
        TEMPLATES, "careless", lambda region: careless(Deployed(synthesize(LOCAL, region)), "arn:aws:", "cn-north-1")
    )
    china = PARTITIONS[-1]
    assert china is not COMMERCIAL
    for check in (test_every_arn_is_the_partitions_own, test_no_other_region_is_named):
        with pytest.raises(AssertionError):
            check("careless", china)


def careless(deployed: Deployed, *written: str) -> Deployed:
    deployed.template["Outputs"]["Careless"] = {"Value": " ".join(written)}
    return deployed
