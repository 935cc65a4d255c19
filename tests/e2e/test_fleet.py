"""A fleet: one management account with the relay, twenty members with the acceptor, by one template.

The members' policy is the one that the template keeps; nobody edits anything in twenty accounts. The management account
has a trail, so its calls are recorded, the records wake the relay, and the relay puts hints on the members' own buses,
whose policies decide whether they take them. The members sweep once a day, which is after the tests.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.aws import LOG_GROUP, RELAY_LOG_GROUP, SETTINGS, EmbeddedAws, embedded_aws, wait_for
from local.emulator import ROOT
from tests.support.account import Account, Published, publish
from tests.support.origins import ALLOWED, BEYOND, DENIED, Origin

MANAGEMENT = ALLOWED.management_account_id
MEMBERS = [f"{700_000_000_000 + number}" for number in range(20)]
WITHOUT = "700000000099"
"""An account that has no acceptor."""
BY_EMAIL = MEMBERS[-1]
"""The account that is invited by its e-mail address."""
RELAY = "handshake-relay"
POLICY = {
    "Version": "2026-01-01",
    "Statement": [
        {
            "Sid": "JoinExample",
            "Effect": "Allow",
            "Action": ["INVITE", "ENABLE_ALL_FEATURES"],
            "Origin": {"OrganizationId": ALLOWED.organization_id, "ManagementAccountId": MANAGEMENT},
        },
        {"Sid": "NeverTheSandbox", "Effect": "Deny", "Origin": {"OrganizationId": DENIED.organization_id}},
    ],
}


@dataclass(frozen=True, slots=True)
class Fleet:
    aws: EmbeddedAws
    members: list[Account]
    relay: dict[str, str]
    """The outputs of the relay's stack."""
    published: Published

    def invite(self, origin: Origin, target: str) -> str:
        kind = "EMAIL" if "@" in target else "ACCOUNT"
        organizations = self.aws.client("organizations", origin.management_account_id)
        answer = organizations.invite_account_to_organization(
            Target={"Type": kind, "Id": target}, Notes="A note for mary@example.com"
        )
        handshake_id: str = answer["Handshake"]["Id"]
        return handshake_id

    def states(self) -> dict[str, str]:
        return {each["id"]: each["state"] for each in self.aws.admin.snapshot()}

    def hints(self) -> list[dict[str, Any]]:
        """What the relay says of each hint."""
        return self.aws.log_records(MANAGEMENT, "hint", RELAY_LOG_GROUP)

    def hinted(self, *handshake_ids: str) -> dict[str, str]:
        """The outcome of the hint at each of these, once there is one."""

        def look() -> dict[str, str]:
            said = {each["handshake_id"]: each["outcome"] for each in self.hints()}
            return said if said.keys() >= set(handshake_ids) else {}

        said = wait_for("a hint for each", look, 300)
        return {handshake_id: said[handshake_id] for handshake_id in handshake_ids}

    def accepted(self, *handshake_ids: str) -> None:
        def look() -> bool:
            states = self.states()
            return all(states[each] == "ACCEPTED" for each in handshake_ids)

        wait_for("every acceptance", look, 300)

    def recorded(self, account_id: str, handshake_id: str) -> dict[str, dict[str, Any]]:
        """A member's decisions by handshake, once there is one on this.

        A run's log comes when the run ends, which is four minutes after its begin at the latest.
        """

        def look() -> dict[str, dict[str, Any]]:
            records = {each["handshake_id"]: each for each in self.aws.log_records(account_id)}
            return records if handshake_id in records else {}

        return wait_for("its record", look, 300)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with embedded_aws() as aws:
        for origin in (ALLOWED, DENIED, BEYOND):
            aws.admin.add_organization(
                organization_id=origin.organization_id,
                management_account_id=origin.management_account_id,
                feature_set="CONSOLIDATED_BILLING" if origin == ALLOWED else "ALL",
            )
        aws.admin.start_trail(account_id=MANAGEMENT)
        aws.bootstrap(MANAGEMENT)
        relay = aws.deploy(MANAGEMENT, None, "relay")
        (folder / "hub.json").write_text(json.dumps({"accounts": MEMBERS}))
        sink = aws.deploy(MANAGEMENT, folder / "hub.json", "hub")["SinkArn"]
        ours = {"observabilitySink": sink, "dashboard": False, "sweepMinutes": 1440}
        settings = json.loads(SETTINGS.read_text()) | ours
        (folder / "settings.json").write_text(json.dumps(settings))
        members = [Account(aws, each) for each in MEMBERS]
        for member in members:
            member.register()
        published = publish(Account(aws, MANAGEMENT), [*MEMBERS, WITHOUT], folder / "settings.json")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda member: published.create(member, DeployedPolicy=json.dumps(POLICY)), members))
        yield Fleet(aws, members, relay, published)


def test_everybody_joins_by_hint_and_nobody_joins_anything_else(fleet: Fleet) -> None:
    addressed = MEMBERS[:-1]
    foreign = [fleet.invite(origin, member) for member in MEMBERS for origin in (DENIED, BEYOND)]
    wanted = {member: fleet.invite(ALLOWED, member) for member in addressed}
    fleet.accepted(*wanted.values())
    assert fleet.hinted(*wanted.values()) == dict.fromkeys(wanted.values(), "SENT")
    states = fleet.states()
    assert {states[each] for each in foreign} == {"OPEN"}
    for member in fleet.members[:-1]:
        assert fleet.aws.admin.organization_of(account_id=member.id) == ALLOWED.organization_id
        records = fleet.recorded(member.id, wanted[member.id])
        assert (records[wanted[member.id]]["trigger"], records[wanted[member.id]]["outcome"]) == ("hint", "ACCEPTED")
        others = sorted(each["decision"] for each in records.values() if each["handshake_id"] in foreign)
        assert others == ["DENY", "NO_MATCH"]
    effects = {each["id"]: each["accept_effects"] for each in fleet.aws.admin.snapshot()}
    assert all(effects[each] == (1 if each in wanted.values() else 0) for each in effects)


def test_an_invitation_by_email_is_recorded_and_found_by_the_sweep(fleet: Fleet) -> None:
    invited = fleet.invite(ALLOWED, f"owner-{BY_EMAIL}@example.com")
    assert fleet.hinted(invited) == {invited: "NOT_ADDRESSABLE"}
    assert fleet.states()[invited] == "OPEN"
    fleet.aws.sweep_now(BY_EMAIL)
    fleet.accepted(invited)
    assert fleet.recorded(BY_EMAIL, invited)[invited]["trigger"] == "sweep"


def test_a_hint_to_an_account_without_the_acceptor_goes_nowhere_and_nothing_fails(fleet: Fleet) -> None:
    """EventBridge takes it: that a hint was sent says nothing of a bus at the other end."""
    invited = fleet.invite(ALLOWED, WITHOUT)
    assert fleet.hinted(invited) == {invited: "SENT"}
    queue = fleet.aws.client("sqs", MANAGEMENT)
    assert not queue.receive_message(QueueUrl=fleet.relay["FailureQueueUrl"]).get("Messages")


def test_a_call_that_asks_every_member_reaches_every_member(fleet: Fleet) -> None:
    fleet.aws.client("organizations", MANAGEMENT).enable_all_features()
    asked = {
        each["id"]: each["target"]
        for each in fleet.aws.admin.snapshot()
        if each["action"] == "ENABLE_ALL_FEATURES" and each["target"] in MEMBERS
    }
    assert sorted(asked.values()) == MEMBERS
    assert fleet.hinted(*asked) == dict.fromkeys(asked, "SENT")
    fleet.accepted(*asked)


def test_a_hint_that_cannot_be_sent_is_tried_again_and_kept(fleet: Fleet) -> None:
    fault = {"operation": "ListHandshakesForOrganization", "code": "AccessDeniedException", "times": 3}
    fleet.aws.admin.inject(faults=[fault])
    event = {"event_name": "EnableAllFeatures", "handshake_id": "h-examplehandshakeid111", "action": "x"}
    client = fleet.aws.client("lambda", MANAGEMENT)
    client.invoke(FunctionName=RELAY, InvocationType="Event", Payload=json.dumps(event))
    sqs = fleet.aws.client("sqs", MANAGEMENT)

    def kept() -> list[dict[str, Any]]:
        return sqs.receive_message(QueueUrl=fleet.relay["FailureQueueUrl"]).get("Messages", [])

    [message] = wait_for("the failed call in the queue", kept, 120)
    body = json.loads(message["Body"])
    assert body["requestPayload"] == event
    assert "MEMBERS_UNREADABLE AccessDeniedException" in message["Body"]
    sqs.delete_message(QueueUrl=fleet.relay["FailureQueueUrl"], ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture(scope="module")
def command(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, Any]]:
    """Runs `handshakectl … --json` as somebody who has a profile for each account: its exit status and its answer."""
    config = tmp_path_factory.mktemp("operator") / "config"
    config.write_text(
        "\n".join(
            f"[profile member-{account}]\naws_access_key_id={account}\naws_secret_access_key=test"
            for account in [*MEMBERS, WITHOUT]
        )
    )
    environment = fleet.aws.environment(MANAGEMENT) | {"AWS_CONFIG_FILE": str(config)}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]  # they would win over a profile

    def run(*arguments: str) -> tuple[int, Any]:
        done = subprocess.run(
            [str(ROOT / ".venv/bin/handshakectl"), *arguments, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


PROFILES = [f"member-{account}" for account in [*MEMBERS, WITHOUT]]


def test_the_operator_pushes_to_all_and_sees_all_in_one_table(
    fleet: Fleet, command: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    profiles = PROFILES
    statement = {"Sid": "NeverBeyond", "Effect": "Deny", "Origin": {"OrganizationId": BEYOND.organization_id}}
    (tmp_path / "deny.json").write_text(json.dumps({"Version": "2026-01-01", "Statement": [statement]}))
    expect = ("--expect", ALLOWED.organization_id)
    code, before = command("status", *expect, "--profiles", *profiles)
    seen = {row["account_id"]: (row["verdict"], row["deployed"], row["organization"]) for row in before}
    joined = ("joined", "CREATE_COMPLETE", ALLOWED.organization_id)
    assert seen == dict.fromkeys(MEMBERS, joined) | {WITHOUT: ("wrong", "not deployed", "NONE")}
    assert code == 1
    code, written = command("push", str(tmp_path / "deny.json"), "--yes", "--profiles", *profiles[:-1])
    assert {row["account_id"]: row["result"] for row in written} == dict.fromkeys(MEMBERS, "written")
    assert code == 0
    code, again = command("push", str(tmp_path / "deny.json"), "--yes", "--profiles", *profiles[:-1])
    assert {row["result"] for row in again} == {"nothing differs"}
    code, after = command("status", *expect, "--wait", "1", "--profiles", *profiles[:-1])
    assert {(row["verdict"], row["mode"], row["pending"]) for row in after} == {("joined", "enforce", 2)}, after
    assert len({row["policy_version"] for row in after}) == 1
    assert code == 0
    code, after = command("status", "--profiles", *profiles[:-1])
    assert {row["verdict"] for row in after} == {"ok"}, after  # what strangers sent is nobody's trouble
    assert code == 0


def test_the_operator_brakes_all_at_once_and_takes_a_document_out_of_all(
    fleet: Fleet, command: Callable[..., tuple[int, Any]]
) -> None:
    """The account without the acceptor fails by itself, is named, and keeps none of the others."""

    def modes() -> set[str]:
        named = {"Name": "/handshake-acceptor/mode"}
        return {each.client("ssm").get_parameter(**named)["Parameter"]["Value"] for each in fleet.members}

    def results(rows: list[dict[str, Any]]) -> dict[str, str]:
        return {row["account_id"]: row["result"] for row in rows}

    many = ("--yes", "--reason", "an exercise", "--profiles", *PROFILES)
    written = dict.fromkeys(MEMBERS, "written") | {WITHOUT: "refused"}
    code, rows = command("brake", "on", *many)
    assert (code, results(rows), modes()) == (1, written, {"observe"})
    code, rows = command("remove", "deny", *many)
    assert (code, results(rows), modes()) == (1, written, {"observe"})
    code, rows = command("remove", "deny", *many)
    assert (code, results(rows)) == (1, dict.fromkeys(MEMBERS, "nothing differs") | {WITHOUT: "refused"})
    code, rows = command("brake", "off", *many)
    assert (code, results(rows), modes()) == (1, written, {"enforce"})


def test_every_member_is_linked_to_the_hub_and_nobody_else_can_be(fleet: Fleet) -> None:
    links = fleet.aws.admin.links()
    assert sorted(link["account_id"] for link in links) == MEMBERS
    assert all(link["label"] == link["account_id"] for link in links)
    why = Account(fleet.aws, WITHOUT).why_not_created(fleet.published.template, **fleet.published.asset)
    assert f"does not admit account {WITHOUT}" in why
    dashboards = fleet.aws.client("cloudwatch", MANAGEMENT).list_dashboards()["DashboardEntries"]
    assert [each["DashboardName"] for each in dashboards] == ["handshake-acceptor-fleet"]
    assert not fleet.members[0].client("cloudwatch").list_dashboards()["DashboardEntries"]


def test_no_personal_data_is_written_or_travels(fleet: Fleet) -> None:
    assert fleet.hints(), "the tests before this one have sent some"
    for account, group in [(MANAGEMENT, RELAY_LOG_GROUP), *((each, LOG_GROUP) for each in MEMBERS)]:
        written = json.dumps(fleet.aws.log_lines(account, group))
        assert "hint" in written
        for personal in ("@", "A note", "Example account", "Management account"):
            assert personal not in written
