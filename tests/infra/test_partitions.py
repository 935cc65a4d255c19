"""Every template in every partition: its ARNs, region, service principals and links are that partition's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk.region_info import RegionInfo

from handshake_acceptor_cdk.partitions import COMMERCIAL, OTHERS, PARTITIONS, TRACED, Partition
from handshake_acceptor_cdk.settings.reading import WrongSettings
from tests.support.synthesis import ACCOUNT, LOCAL, ROOT, Deployed, hub, relay, synthesize, template

EVERYTHING = LOCAL | {
    "declinable": LOCAL["origins"],
    "alarmEmail": "x@example.com",
    "policy": "local/demo/allowlist.json",
}
ASSET = {"AssetBucket": "example"}
TEMPLATES: dict[str, Callable[[str], Deployed]] = {
    "acceptor": lambda region: Deployed(synthesize(EVERYTHING | traced(region), region)),
    "acceptor without bootstrap": lambda region: Deployed(
        template(EVERYTHING | traced(region)), region=region, parameters=ASSET
    ),
    "relay": lambda region: Deployed(relay({"alarmEmail": "x@example.com"} | traced(region), region)),
    "hub": lambda region: Deployed(hub({"accounts": [ACCOUNT], "organizations": ["o-exampleorgid"]}, region)),
}
"""Each as it is deployed in a region."""


def traced(region: str) -> dict[str, bool]:
    return {"tracing": region in TRACED}


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


DIFFERENT = {
    "acceptor": {"AWS::Lambda::Function/Properties/LoggingConfig"},
    "acceptor without bootstrap": {"AWS::Lambda::Function/Properties/LoggingConfig"},
    "relay": {"AWS::Lambda::Function/Properties/LoggingConfig"},
    "hub": set[str](),
}
"""What another partition's template has otherwise, or lacks, beside names of partition, region and console."""


@pytest.mark.parametrize("partition", OTHERS, ids=lambda partition: partition.name)
@every_template
def test_what_differs_between_partitions_is_this_and_no_more(
    name: str, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "traced", lambda region: {"tracing": False})
    assert set(differences(impartial(name, COMMERCIAL), impartial(name, partition))) == DIFFERENT[name]


def impartial(name: str, partition: Partition) -> Any:
    text = deployed_text(name, partition)
    for own, general in (
        (partition.console, "CONSOLE"),
        (partition.home_region, "REGION"),
        (f"arn:{partition.name}:", "arn:PARTITION:"),
    ):
        text = text.replace(own, general)
    return json.loads(re.sub(r"Synthesized at [\w:+-]*", "", text))


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Where the two differ: the type of the resource, and the way to the property."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            resource = one.get(key) if isinstance(one.get(key), dict) else {}
            step = resource.get("Type", key) if place == "" else f"{place}/{key}"
            yield from differences(one.get(key), other.get(key), step)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for left, right in zip(one, other, strict=True):
            yield from differences(left, right, place)
    elif one != other:
        yield place


def documented() -> dict[str, list[str]]:
    """The table of docs/fleet.md: each row's cells, in the order of `PARTITIONS`."""
    _, section = (ROOT / "docs" / "fleet.md").read_text().split("## Partitions", 1)
    rows = [re.split(r" *\| *", row.strip("| ")) for row in re.findall(r"^\|.*\|$", section, re.MULTILINE)]
    return {row[0]: [cell.strip("`") for cell in row[1:]] for row in rows if len(row) == len(PARTITIONS) + 1}


def test_the_documents_name_these_differences() -> None:
    told = documented()
    assert told["partition"] == [each.name for each in PARTITIONS]
    assert told["home region"] == [each.home_region for each in PARTITIONS]
    assert told["console"] == [each.console for each in PARTITIONS]
    for name in ("acceptor", "acceptor without bootstrap", "relay"):
        functions = [TEMPLATES[name](each.home_region).only("AWS::Lambda::Function") for each in PARTITIONS]
        assert told["log format"] == [each.get("LoggingConfig", {}).get("LogFormat", "text") for each in functions]
        assert told["`tracing`"] == ["taken" if "TracingConfig" in each else "refused" for each in functions]


@pytest.mark.parametrize("stack", [synthesize, relay])
def test_tracing_is_refused_where_there_is_none(stack: Callable[..., Any]) -> None:
    with pytest.raises(WrongSettings) as wrong:
        stack({"tracing": True}, "cn-northwest-1")
    assert wrong.value.problems == ("setting /tracing: AWS has no X-Ray for functions in cn-northwest-1; leave it out",)


def test_a_template_for_every_partition_that_traces_is_refused_where_there_is_none() -> None:
    rules = Deployed(template({"tracing": True}), region="us-east-1").template["Rules"]
    (assertion,) = rules["Traced"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Contains": [["us-east-1", "us-gov-west-1"], {"Ref": "AWS::Region"}]}
    assert "Traced" not in Deployed(template({}), region="us-east-1").template["Rules"]


def test_a_template_for_every_partition_is_refused_elsewhere_than_its_sink() -> None:
    sink = "arn:aws:oam:us-east-1:111111111111:sink/1"
    rules = Deployed(template({"observabilitySink": sink}), region="us-east-1").template["Rules"]
    (assertion,) = rules["Linked"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Contains": [["us-east-1"], {"Ref": "AWS::Region"}]}
    assert "Linked" not in Deployed(template({}), region="us-east-1").template["Rules"]


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
