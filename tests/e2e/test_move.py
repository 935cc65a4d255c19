"""A move, by `docs/move.md`: each command of the page runs here as it stands there, in its order, for twenty accounts.

Fourteen accounts join. Six get stuck, each in a way of its own, and `status` says of each in which; the cures then
bring them along, and the removal leaves nothing. What only people, other accounts or time can do, the tests do between
the page's days.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from local.aws import EmbeddedAws, embedded_aws
from local.emulator import ROOT
from tests.support.account import Account
from tests.support.origins import Origin
from tests.support.pages import Person, commands, sections

pytestmark = pytest.mark.builds

PAGE = (ROOT / "docs" / "move.md").read_text("utf-8")
SHELL = commands(PAGE.partition("\n## ")[0])
DAYS = {title: commands(text) for title, text in sections(PAGE).items()}

OLD, NEW = Origin("o-oldcompany1", "333333333333"), Origin("o-exampleorgid", "111111111111")
SISTER = Origin("o-sister00001", "444444444444")
ACCOUNTS = [f"{700_000_000_000 + number}" for number in range(20)]
WAVE_1, WAVE_2 = ACCOUNTS[:5], ACCOUNTS[5:18]
WITHOUT_PAYMENT, AMBIGUOUS, BRAKED, OTHER_CEILING = ACCOUNTS[14:18]
EXPIRED, NEVER_INVITED = ACCOUNTS[18:]
JOIN = ACCOUNTS[:14]
ROLE = "OrganizationAccountAccessRole"
DAY = 86_400


def verb(command: str) -> str:
    """Of `handshakectl`; empty for another command."""
    found = re.match(r"\.venv/bin/handshakectl (\w+)", command)
    return found[1] if found else ""


@dataclass
class Team:
    """The people who carry the move out."""

    aws: EmbeddedAws
    person: Person
    carried_out: list[str] = field(default_factory=list)
    """The titles of the page's sections that were."""

    def account(self, account_id: str) -> Account:
        return Account(self.aws, account_id)

    def carry_out(
        self, title: str, ends: dict[str, int] | None = None, before: dict[str, Callable[[], None]] | None = None
    ) -> dict[str, str]:
        """Types a section's commands, and gives what each verb of `handshakectl` said.

        `ends` has the exit statuses of verbs, where they are not 0; `before`, what a person waits for first.
        """
        self.carried_out.append(title)
        said = {}
        for command in DAYS[title]:
            name = verb(command)
            if before and name in before:
                before[name]()
            status, said[name] = self.person.types(command, *SHELL)
            assert status == (ends or {}).get(name, 0), f"{command}\nended with {status}:\n{said[name]}"
        return said

    def list(self, name: str) -> list[str]:
        """The accounts in a file of the move."""
        return (self.person.home / "move" / f"{name}.txt").read_text().split()

    def status(self) -> dict[str, tuple[str, list[tuple[str, str]]]]:
        """Verdict of each account, with codes and sentences, by the page's own `status`, for programs."""
        (command,) = DAYS["What to watch"]
        _, said = self.person.types(command.replace("--problems", "--json"), *SHELL)
        return {
            row["account_id"]: (row["verdict"], [(why["code"], why["message"]) for why in row["why"]])
            for row in json.loads(said)
        }

    def moved(self) -> set[str]:
        """The accounts that are in the new organization, as AWS says."""
        there = self.aws.admin.organization_of
        return {each for each in ACCOUNTS if there(account_id=each) == NEW.organization_id}

    def wait_for(self, what: str, *accounts: str) -> None:
        """Until CloudFormation says so of the stack in these accounts, or in all."""
        for each in accounts or ACCOUNTS:
            self.account(each).wait(what)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with embedded_aws() as aws:
        aws.admin.choose_ids(ids=[OLD.organization_id, NEW.organization_id])
        person = Person(aws, tmp_path_factory.mktemp("home"))
        managers = {"old": OLD.management_account_id, "new": NEW.management_account_id}
        person.has_profiles({**managers, "sandbox": ACCOUNTS[0]})
        yield Team(aws, person)


def test_day_1_two_organizations_and_an_account_between_them(team: Team) -> None:
    team.carry_out("Day 1: a sandbox")
    assert team.aws.admin.organization_of(account_id=ACCOUNTS[0]) == OLD.organization_id


def test_day_2_the_list_and_the_files(team: Team) -> None:
    team.aws.admin.advance(seconds=-60 * DAY)  # that is when they joined
    for other in ACCOUNTS[1:]:
        handshake = team.aws.admin.add_handshake(action="INVITE", organization_id=OLD.organization_id, target=other)
        team.account(other).client("organizations").accept_handshake(HandshakeId=handshake)
    team.aws.admin.advance(seconds=60 * DAY)
    trust = {"Effect": "Allow", "Principal": {"AWS": OLD.management_account_id}, "Action": "sts:AssumeRole"}
    for each in ACCOUNTS:
        iam = team.account(each).client("iam")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=policy)
        iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    team.carry_out("Day 2: the list, the ceiling, the policy")
    assert team.list("accounts") == ACCOUNTS
    assert team.list("wave-1") == WAVE_1
    assert team.list("wave-2") == WAVE_2


def test_day_3_deployed_everywhere_ready_and_braked(team: Team) -> None:
    made = {"run": lambda: team.wait_for("stack_create_complete")}
    said = team.carry_out("Day 3: deploy, look, brake", before=made)
    assert "20 accounts: 20 ok" in said["run"]
    assert "20 accounts: 20 ok" in said["doctor"]
    assert {team.account(each).text("mode") for each in ACCOUNTS} == {"observe"}


def test_day_4_what_would_be_accepted(team: Team) -> None:
    said = team.carry_out("Day 4: observe")
    assert said["run"].count("OBSERVED") == len(WAVE_1)
    assert team.moved() == set()


def test_day_5_five_join(team: Team) -> None:
    team.carry_out("Day 5: a wave of five")
    assert team.moved() == set(WAVE_1)


def test_day_6_all_join_but_six(team: Team) -> None:
    """What goes wrong: in the wave a payment, a second organization, a brake, a ceiling; and two are in no wave."""
    admin = team.aws.admin
    admin.configure(without_payment=[WITHOUT_PAYMENT])
    admin.add_organization(organization_id=SISTER.organization_id, management_account_id=SISTER.management_account_id)
    team.account(AMBIGUOUS).put("policy/allowlist", allowing(SISTER))
    team.account(AMBIGUOUS).invite(SISTER)
    team.account(BRAKED).put("mode", "observe")
    template = (team.person.home / "move" / "template" / "handshake-acceptor.template.json").read_text()
    other = f"{SISTER.management_account_id}:handshake/{SISTER.organization_id}/invite"
    team.account(OTHER_CEILING).update(template, Origins=other)
    admin.advance(seconds=-16 * DAY)
    team.account(EXPIRED).invite(NEW)
    admin.advance(seconds=16 * DAY)

    said = team.carry_out("Day 6 and on: waves", {"run": 1, "brake": 1, "status": 1})
    assert said["run"].count("OBSERVED") == len(WAVE_2) - 1
    assert team.moved() == set(JOIN)


def test_status_says_of_each_why(team: Team) -> None:
    said = team.carry_out("What to watch", {"status": 1})
    assert "20 accounts: 14 joined, 1 not-invited, 5 stuck" in said["status"]
    rows = team.status()
    assert {each: rows.pop(each)[0] for each in JOIN} == dict.fromkeys(JOIN, "joined")
    assert {each: (verdict, [code for code, _ in why]) for each, (verdict, why) in rows.items()} == {
        WITHOUT_PAYMENT: ("stuck", ["NEEDS_HUMAN"]),
        AMBIGUOUS: ("stuck", ["AMBIGUOUS"]),
        BRAKED: ("stuck", ["BRAKED"]),
        OTHER_CEILING: ("stuck", ["NEEDS_HUMAN"]),
        EXPIRED: ("stuck", ["INVITATION_EXPIRED"]),
        NEVER_INVITED: ("not-invited", ["NOT_INVITED"]),
    }
    assert "payment method" in rows[WITHOUT_PAYMENT][1][0][1]
    assert "`origins`" in rows[OTHER_CEILING][1][0][1]


def test_the_pages_cures_bring_the_stuck_along(team: Team) -> None:
    team.aws.admin.configure(without_payment=[])  # its owner has given it one
    mended = {"run": lambda: team.wait_for("stack_update_complete", OTHER_CEILING)}
    team.carry_out("What to do with the stuck", before=mended)
    assert team.moved() == set(ACCOUNTS)


def test_removal_leaves_nothing(team: Team) -> None:
    team.account(ACCOUNTS[7]).put("policy/team", allowing(SISTER))
    kinds = {each.partition(" ")[0] for each in left_in(team.account(ACCOUNTS[7]))}
    assert kinds >= {"function", "log", "parameter", "role", "rule", "bus", "schedule", "group", "queue"}
    said = team.carry_out("Removal", before={"status": lambda: team.wait_for("stack_delete_complete")})
    assert said["status"].count("not deployed") == len(ACCOUNTS)
    assert {each: left for each in ACCOUNTS if (left := left_in(team.account(each)))} == {}
    assert team.account(OLD.management_account_id).client("s3").list_buckets()["Buckets"] == []


def test_nothing_of_the_page_was_left_out(team: Team) -> None:
    assert team.carried_out == [title for title, typed in DAYS.items() if typed]


def allowing(origin: Origin) -> str:
    """A document that lets an account leave the old organization for this one."""
    names = {"OrganizationId": origin.organization_id, "ManagementAccountId": origin.management_account_id}
    condition = {"CurrentOrganization": OLD.organization_id}
    statement = {"Sid": "JoinTheSister", "Effect": "Allow", "Action": "INVITE", "Origin": names, "Condition": condition}
    return json.dumps({"Version": "2026-01-01", "Statement": [statement]})


def left_in(account: Account) -> list[str]:
    """What there is of the acceptor in an account, whatever made it."""
    found = {
        "function": [each["FunctionName"] for each in account.client("lambda").list_functions()["Functions"]],
        "log": [each["logGroupName"] for each in account.client("logs").describe_log_groups()["logGroups"]],
        "parameter": [each["Name"] for each in account.client("ssm").describe_parameters()["Parameters"]],
        "role": [each["RoleName"] for each in account.client("iam").list_roles()["Roles"] if each["RoleName"] != ROLE],
        "rule": [each["Name"] for each in account.client("events").list_rules()["Rules"]],
        "bus": [
            each["Name"]
            for each in account.client("events").list_event_buses()["EventBuses"]
            if each["Name"] != "default"
        ],
        "schedule": [each["Name"] for each in account.client("scheduler").list_schedules()["Schedules"]],
        "group": [
            each["Name"]
            for each in account.client("scheduler").list_schedule_groups()["ScheduleGroups"]
            if each["Name"] != "default"
        ],
        "queue": account.client("sqs").list_queues().get("QueueUrls", []),
        "topic": [each["TopicArn"] for each in account.client("sns").list_topics()["Topics"]],
        "alarm": [each["AlarmName"] for each in account.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "dashboard": [
            each["DashboardName"] for each in account.client("cloudwatch").list_dashboards()["DashboardEntries"]
        ],
    }
    return [f"{kind} {name}" for kind, names in found.items() for name in names]
