"""The setting `policy`: a document that code owns, read and judged at synthesis, written by every deploy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from handshake_acceptor_cdk.settings.acceptor import load, parse
from handshake_acceptor_cdk.settings.reading import WrongSettings
from local.world import allow, deny
from tests.support.synthesis import LOCAL, ROOT, Deployed, made_before, synthesize, template, warnings

NOW = datetime(2026, 11, 25, 2, 11, tzinfo=UTC)
NAME = "/handshake-acceptor/policy/deployed"
SETTINGS = LOCAL | {"policy": "policy.json"}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes statements to the file that the settings name; gives its folder."""

    def write(*statements: dict[str, Any]) -> Path:
        text = json.dumps({"Version": "2026-01-01", "Statement": statements})
        (tmp_path / "policy.json").write_text(text)
        return tmp_path

    return write


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(WrongSettings) as wrong:
        parse(SETTINGS, "us-east-1", folder=folder)
    return wrong.value.problems


def test_the_document_is_a_parameter_beside_the_owners(write: Write) -> None:
    folder = write(allow())
    parameters = Deployed(synthesize(SETTINGS, folder=folder)).all("AWS::SSM::Parameter").values()
    found = {each["Properties"]["Name"]: each["Properties"] for each in parameters}
    assert found.keys() == {NAME, "/handshake-acceptor/policy/allowlist", "/handshake-acceptor/mode"}
    assert found[NAME]["Value"] == (folder / "policy.json").read_text()
    assert (found[NAME]["Type"], found[NAME]["Tier"]) == ("String", "Intelligent-Tiering")


def test_what_code_no_longer_states_goes_with_the_setting_and_with_the_stack(write: Write) -> None:
    """It would go on allowing otherwise, and be in the next deploy's way."""
    (resource,) = (
        each
        for each in Deployed(synthesize(SETTINGS, folder=write(allow()))).all("AWS::SSM::Parameter").values()
        if each["Properties"]["Name"] == NAME
    )
    assert resource.get("DeletionPolicy", "Delete") == resource.get("UpdateReplacePolicy", "Delete") == "Delete"


@pytest.mark.parametrize("make", [synthesize, template])
def test_nothing_that_reads_the_policy_outlives_it(write: Write, make: Callable[..., Stack]) -> None:
    """A run between the two deletions would not know of a Deny any more."""
    resources = Template.from_stack(make(SETTINGS, folder=write(allow()))).to_json()["Resources"]
    documents = {name for name, each in resources.items() if each["Type"] == "AWS::SSM::Parameter"}
    assert len(documents) == 3
    runs = {
        name
        for name, each in resources.items()
        if each["Type"] in ("AWS::Lambda::Function", "AWS::Scheduler::Schedule", "AWS::Lambda::EventInvokeConfig")
        or (each["Type"] == "AWS::Events::Rule" and "Targets" in each["Properties"])
    }
    assert len(runs) == 7
    for name in runs:
        assert documents <= made_before(resources, name), name


def test_when_it_was_synthesized_is_in_the_template_only_where_there_is_such_a_document(write: Write) -> None:
    policy = parse(SETTINGS, "us-east-1", folder=write(allow()), now=lambda: NOW).policy
    assert policy
    assert policy.read_at == NOW
    text = json.dumps(Deployed(synthesize(SETTINGS, folder=write(allow()))).template)
    assert "Synthesized at 20" in text
    assert Deployed(synthesize(LOCAL)).template == Deployed(synthesize(LOCAL)).template
    assert "Synthesized" not in json.dumps(Deployed(synthesize(LOCAL)).template)


@pytest.mark.parametrize("context", [{"handshakeAcceptor": {"policy": "local/demo/allowlist.json"}}, {}])
def test_it_is_looked_for_beside_the_file_that_names_it(
    context: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # where CDK runs the app that cdk.json names
    if not context:
        (tmp_path / "settings.json").write_text(json.dumps({"policy": "deeper/policy.json"}))
        (tmp_path / "deeper").mkdir()
        (tmp_path / "deeper" / "policy.json").write_text((ROOT / "local" / "demo" / "allowlist.json").read_text())
        context = {"settings": str(tmp_path / "settings.json")}
    policy = load(App(context=context).node, "us-east-1").policy
    assert policy
    assert policy.text == (ROOT / "local" / "demo" / "allowlist.json").read_text()


# What is wrong with it


def test_every_mistake_is_said_with_file_and_place(write: Write) -> None:
    folder = write(allow("One", Action="INVIT"), allow("One"), {"Sid": "Two", "Effect": "Alow"})
    assert [problem.partition(":")[0] for problem in problems(folder)] == ["setting /policy"] * 3
    assert {":".join(problem.split(":")[1:3]) for problem in problems(folder)} == {
        " policy.json: /Statement/0/Action",
        " policy.json: /Statement/1/Sid",
        " policy.json: /Statement/2/Effect",
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, 'setting /policy: "policy.json": cannot be read: No such file or directory'),
        (b"{", "setting /policy: policy.json: not JSON, at line 1, column 2"),
        (b"\xff", "setting /policy: \"policy.json\": cannot be read: 'utf-8' codec can't decode byte 0xff"),
        (
            b'{"Version": "2026-01-01", "Statement": []}' + b" " * 8151,
            "setting /policy: policy.json: 8193 bytes; a parameter holds 8192 (8 KB)",
        ),
    ],
)
def test_a_file_that_is_no_document_is_named(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "policy.json").write_bytes(content)
    (problem,) = problems(tmp_path)
    assert problem.startswith(sentence)


def test_its_mistakes_are_said_with_those_of_the_settings(write: Write) -> None:
    folder = write(allow(Action="INVIT"))
    with pytest.raises(WrongSettings) as wrong:
        parse(SETTINGS | {"sweepMinutes": 1}, "eu-west-1", folder=folder)
    assert len(wrong.value.problems) == 3


# What is right and surprises


@pytest.mark.parametrize(
    ("statement", "beyond"),
    [
        (allow(), None),
        (allow(Action=["INVITE", "ENABLE_ALL_FEATURES"]), None),
        (deny(Origin={"OrganizationId": "o-foreign00001"}), None),
        (
            allow(Origin={"OrganizationId": "o-exampleorgid", "ManagementAccountId": "333333333333"}),
            "INVITE from 333333333333, o-exampleorgid",
        ),
        (
            allow(
                Origin={
                    "OrganizationId": ["o-exampleorgid", "o-sandbox0001"],
                    "ManagementAccountId": ["111111111111", "333333333333"],
                }
            ),
            None,
        ),
        (
            allow(
                Origin={
                    "OrganizationId": ["o-exampleorgid", "o-foreign00001"],
                    "ManagementAccountId": ["111111111111", "444444444444"],
                }
            ),
            "INVITE from 444444444444, o-foreign00001",
        ),
        (
            allow(Action="ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"),
            "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE from 111111111111, o-exampleorgid",
        ),
    ],
)
def test_synthesis_warns_of_an_allow_that_iam_will_refuse(
    write: Write, statement: dict[str, Any], beyond: str | None
) -> None:
    found = warnings(synthesize(SETTINGS, folder=write(statement)))
    why = "which the setting origins lacks: IAM will refuse to accept it"
    expected = [f"setting policy: policy.json: Join allows {beyond}, {why}"] if beyond else []
    assert [text.split(" [ack")[0] for text in found] == expected


@pytest.mark.parametrize("more", [0, 1])
def test_synthesis_warns_of_a_document_that_no_standard_parameter_holds(write: Write, more: int) -> None:
    folder = write(allow())
    file = folder / "policy.json"
    file.write_text(file.read_text().ljust(4096 + more))

    found = warnings(synthesize(SETTINGS, folder=folder))

    expected = ["setting policy: policy.json: 4097 bytes; over 4096 (4 KB) it takes an advanced parameter"]
    assert [text.split(", which")[0] for text in found] == expected * more


def test_without_a_ceiling_nothing_is_beyond_it(write: Write) -> None:
    settings = {"allowAnyOrigin": True, "managementAccounts": ["111111111111"], "policy": "policy.json"}
    found = warnings(synthesize(settings, folder=write(allow())))
    assert [text.split(":")[0] for text in found] == ["setting allowAnyOrigin is true"]
