"""Attackers against the deployed stack, IAM in force: docs/security.md names each of these tests beside its threat."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handshake_relay import hint
from local.aws import FUNCTION, LOG_GROUP, REGION, wait_for
from local.emulator import INTERPRETER
from tests.e2e.conftest import Acceptor
from tests.support.origins import ALLOWED, BEYOND, DENIED, MEMBER, PREFIX, Origin
from tests.support.synthesis import LOCAL, Deployed, synthesize

EVENTS = Path(__file__).parent.parent / "events"
BUS = f"arn:aws:events:{REGION}:{MEMBER}:event-bus/{FUNCTION}"
ROLE = f"arn:aws:iam::{MEMBER}:role/{FUNCTION}"


def accepts_sent(acceptor: Acceptor) -> int:
    """Accept calls that reached Organizations; IAM refuses others before."""
    return len(acceptor.aws.admin.journal(operation="AcceptHandshake"))


def untouched(acceptor: Acceptor, *handshake_ids: str) -> bool:
    found = [acceptor.handshake(each) for each in handshake_ids]
    return all((each["state"], each["accept_effects"]) == ("OPEN", 0) for each in found)


# Origins that look like an allowed one


LOOK_ALIKES = [
    Origin("o-exampleorgi", "444400000001"),  # a prefix of the allowed id
    Origin("o-exampleorgid0", "444400000002"),  # the allowed id is a prefix of it
    Origin("o-examp1eorgid", "444400000003"),
    Origin("o-0exampleorgid", "444400000004"),
    Origin("o-oexampleorgid", "444400000005"),  # o- once more, without its hyphen
    Origin("o-exampleorgidoexampleorgid", "444400000006"),
    Origin("o-111111111111", "444400000007"),  # the allowed management account as an organization
]


def found(acceptor: Acceptor, *origins: Origin) -> None:
    for origin in origins:
        # The allowed ids wherever an organization may write what it likes; the notes say them too, see below.
        acceptor.aws.admin.register_account(
            account_id=origin.management_account_id,
            email=f"{ALLOWED.organization_id}.{origin.management_account_id}@example.com",
            name=f"{ALLOWED.organization_id} {ALLOWED.management_account_id}",
        )
        acceptor.aws.admin.add_organization(
            organization_id=origin.organization_id, management_account_id=origin.management_account_id
        )


def invite_with_notes(acceptor: Acceptor, origin: Origin, notes: str) -> str:
    organizations = acceptor.client("organizations", origin.management_account_id)
    answer = organizations.invite_account_to_organization(Target={"Type": "ACCOUNT", "Id": MEMBER}, Notes=notes)
    handshake_id: str = answer["Handshake"]["Id"]
    return handshake_id


def test_an_origin_that_looks_like_an_allowed_one_is_left_pending(acceptor: Acceptor) -> None:
    found(acceptor, *LOOK_ALIKES)
    acceptor.allow(ALLOWED)
    notes = f"{ALLOWED.organization_id} {ALLOWED.management_account_id} arn:aws:organizations::111111111111:handshake"
    invited = [invite_with_notes(acceptor, origin, notes) for origin in LOOK_ALIKES]
    decisions = acceptor.decisions()
    assert sorted(decisions) == sorted((each, "NO_MATCH", "LEFT_PENDING") for each in invited)
    assert untouched(acceptor, *invited)
    assert accepts_sent(acceptor) == 0


@pytest.mark.parametrize("origin", [LOOK_ALIKES[0], LOOK_ALIKES[1], LOOK_ALIKES[4]], ids=lambda each: str(each))
def test_the_ceiling_knows_a_look_alike_even_where_the_policy_allows_it(acceptor: Acceptor, origin: Origin) -> None:
    found(acceptor, origin)
    acceptor.allow(origin)
    invited = acceptor.invite(origin)
    assert acceptor.decisions() == [(invited, "ACCEPT", "NEEDS_HUMAN")]
    assert untouched(acceptor, invited)
    assert accepts_sent(acceptor) == 0, "IAM refuses before Organizations is asked"


@pytest.mark.parametrize(
    "origin",
    [
        Origin(ALLOWED.organization_id, "444400000001"),
        Origin("o-foreign00002", ALLOWED.management_account_id),
    ],
    ids=["its organization", "its management account"],
)
def test_half_an_allowed_origin_is_none(acceptor: Acceptor, origin: Origin) -> None:
    acceptor.aws.admin.reset()
    found(acceptor, origin)
    acceptor.allow(ALLOWED)
    invited = acceptor.invite(origin)
    assert acceptor.decisions() == [(invited, "NO_MATCH", "LEFT_PENDING")]
    acceptor.allow(origin)  # and the ceiling holds where the policy does not
    assert acceptor.decisions() == [(invited, "ACCEPT", "NEEDS_HUMAN")]
    assert untouched(acceptor, invited)


@pytest.mark.parametrize(
    "organization_id",
    [
        "O-EXAMPLEORGID",
        "o-ex\u0430mpleorgid",
        "o-exampleorgid\n",
        "o-exampleorg*",
        "exampleorgid",
        "o\u2010exampleorgid",
    ],
    ids=["case", "Cyrillic letter", "line break", "wildcard", "without o-", "another hyphen"],
)
def test_no_policy_can_name_an_organization_loosely(acceptor: Acceptor, organization_id: str) -> None:
    acceptor.allow(Origin(organization_id, ALLOWED.management_account_id))
    invited = acceptor.invite(ALLOWED)
    assert acceptor.decisions() == [(invited, "POLICY_INVALID", "LEFT_PENDING")]
    assert untouched(acceptor, invited)


# Handshakes that contradict themselves


def arn_of(origin: Origin, handshake_id: str, action: str = "invite") -> str:
    return (
        f"arn:aws:organizations::{origin.management_account_id}:handshake/{origin.organization_id}"
        f"/{action}/{handshake_id}"
    )


@pytest.mark.parametrize(
    "changes",
    [
        # IAM looks at the Arn too, so that a forged one passes the ceiling: here the soft lock stands alone.
        pytest.param(lambda id_: {"arn": arn_of(ALLOWED, id_)}, id="an allowed Arn, the sender's party and resource"),
        pytest.param(
            lambda id_: {"arn": arn_of(ALLOWED, id_), "organization_id": ALLOWED.organization_id},
            id="an allowed Arn and party, the sender's resource",
        ),
        pytest.param(
            lambda id_: {
                "arn": arn_of(ALLOWED, id_),
                "resources": [{"Type": "ORGANIZATION", "Value": ALLOWED.organization_id}],
            },
            id="an allowed Arn and resource, the sender's party",
        ),
        pytest.param(
            lambda id_: {
                "arn": arn_of(ALLOWED, id_),
                "organization_id": ALLOWED.organization_id,
                "resources": [{"Type": "MANAGEMENT_ACCOUNT", "Value": DENIED.management_account_id}],
            },
            id="an allowed Arn and party, the sender's management account",
        ),
        pytest.param(
            lambda id_: {
                "organization_id": ALLOWED.organization_id,
                "resources": [{"Type": "ORGANIZATION", "Value": ALLOWED.organization_id}],
            },
            id="the sender's Arn, an allowed party and resource",
        ),
        pytest.param(
            lambda id_: {
                "arn": arn_of(ALLOWED, id_, "enable_all_features"),
                "organization_id": ALLOWED.organization_id,
                "resources": [],
            },
            id="another action in the Arn",
        ),
        pytest.param(
            lambda id_: {
                "arn": arn_of(ALLOWED, "h-0123456789abcdef"),
                "organization_id": ALLOWED.organization_id,
                "resources": [],
            },
            id="another handshake in the Arn",
        ),
    ],
)
def test_a_handshake_whose_parts_disagree_is_left_alone(
    acceptor: Acceptor, changes: Callable[[str], dict[str, Any]]
) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite(DENIED)
    acceptor.aws.admin.forge(handshake_id=invited, changes=changes(invited))
    _, answer = acceptor.invoke()
    [decision] = answer["decisions"]
    assert (decision["decision"], decision["outcome"]) == ("INELIGIBLE", "LEFT_PENDING")
    assert {reason["code"] for reason in decision["reasons"]} == {"CONTRADICTION"}
    assert untouched(acceptor, invited)


# The policy's parameters


@pytest.fixture
def elsewhere(acceptor: Acceptor) -> Iterator[Callable[[str, str], None]]:
    """Puts a parameter anywhere, until the test is over."""
    names = []
    ssm = acceptor.client("ssm")

    def put(name: str, value: str) -> None:
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        names.append(name)

    yield put
    for name in names:
        ssm.delete_parameter(Name=name)


def allowing(acceptor: Acceptor) -> str:
    """A valid document that allows ALLOWED; taken out of the store again."""
    acceptor.allow(ALLOWED)
    ssm = acceptor.client("ssm")
    text: str = ssm.get_parameter(Name=f"{PREFIX}policy/allowlist")["Parameter"]["Value"]
    ssm.delete_parameter(Name=f"{PREFIX}policy/allowlist")
    return text


@pytest.mark.parametrize(
    "name",
    [
        "/handshake-acceptor-evil/policy/x",
        "/handshake-acceptor.policy/x",
        "/Handshake-Acceptor/policy/x",
        "/evil/handshake-acceptor/policy/x",
        "/handshake-accepto/policy/x",
    ],
)
def test_a_policy_beside_the_path_counts_for_nothing(
    acceptor: Acceptor, elsewhere: Callable[[str, str], None], name: str
) -> None:
    elsewhere(name, allowing(acceptor))
    invited = acceptor.invite()
    assert acceptor.decisions() == [(invited, "NO_MATCH", "LEFT_PENDING")]


@pytest.mark.parametrize("name", ["../x", "policy", "Policy/x", "policies/x", "Mode"])
def test_what_has_no_business_below_the_path_stops_everything(acceptor: Acceptor, name: str) -> None:
    document = allowing(acceptor)
    acceptor.allow(ALLOWED)
    acceptor.put(name, document)
    invited = acceptor.invite()
    assert acceptor.decisions() == [(invited, "POLICY_INVALID", "LEFT_PENDING")]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 8192,
        '{"a":' * 1638,
        "[" * 4096 + "]" * 4096,
        '{"Version":"2026-01-01","Statement":' + "[" * 4076 + "]" * 4076 + "}",
        '{"Version":"2026-01-01","Statement":[' + '{"Origin":' * 800 + "1" + "}" * 800 + "]}",
        "1" * 8192,
        '"' + "\\" * 8190 + '"',
        '{"Version":"2026-01-01","Statement":[' + "{}," * 2700 + "{}]}",
    ],
    ids=[
        "open lists",
        "open objects",
        "lists",
        "lists as statements",
        "objects as a statement",
        "digits",
        "escapes",
        "mistakes",
    ],
)
def test_eight_kilobytes_of_anything_are_an_invalid_policy_and_no_crash(acceptor: Acceptor, text: str) -> None:
    acceptor.allow(ALLOWED)
    acceptor.client("ssm").put_parameter(Name=f"{PREFIX}policy/deep", Value=text, Type="String", Tier="Advanced")
    invited = acceptor.invite()
    assert acceptor.decisions() == [(invited, "POLICY_INVALID", "LEFT_PENDING")]


def test_a_policy_half_written_under_the_brake_accepts_nothing(acceptor: Acceptor) -> None:
    """Two documents cannot be written at one moment: the brake holds in between, as docs/policy.md tells."""
    invited = acceptor.invite()
    acceptor.put("mode", "observe")
    acceptor.allow(ALLOWED)  # the Deny that belongs to it is not there yet
    assert acceptor.decisions() == [(invited, "ACCEPT", "OBSERVED")]
    acceptor.put("policy/never", deny_all())
    acceptor.put("mode", "enforce")
    assert acceptor.decisions() == [(invited, "DENY", "LEFT_PENDING")]
    assert accepts_sent(acceptor) == 0


def deny_all() -> str:
    return json.dumps({"Version": "2026-01-01", "Statement": [{"Sid": "Stop", "Effect": "Deny"}]})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("policy/stop", deny_all(), ("DENY", "LEFT_PENDING")),
        ("mode", "observe", ("ACCEPT", "OBSERVED")),
        ("policy/broken", "{", ("POLICY_INVALID", "LEFT_PENDING")),
    ],
    ids=["Deny", "brake", "mistake"],
)
def test_what_is_set_while_a_run_backs_off_takes_effect(
    acceptor: Acceptor, name: str, value: str, expected: tuple[str, str]
) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite()
    # A few refusals, then it would be accepted: that attempt must not come.
    acceptor.aws.admin.inject(faults=[{"operation": "AcceptHandshake", "code": "TooManyRequestsException", "times": 6}])
    acceptor.client("lambda").invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=b"{}")
    wait_for("the first attempt", lambda: accepts_sent(acceptor))
    acceptor.put(name, value)
    [record] = wait_for("its record", lambda: acceptor.recorded(invited))
    assert (record["decision"], record["outcome"]) == expected
    assert untouched(acceptor, invited)


# Two organizations at once


def test_of_two_allowed_invitations_none_is_accepted_by_any_number_of_runs(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED, DENIED)
    invited = [acceptor.invite(ALLOWED), acceptor.invite(DENIED)]
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(acceptor.decisions) for _ in range(3)]
    for run in runs:
        assert sorted(run.result()) == sorted((each, "ACCEPT", "NEEDS_HUMAN") for each in invited)
    assert untouched(acceptor, *invited)
    assert accepts_sent(acceptor) == 0


# Events


def waves(ids: list[str]) -> Iterator[list[str]]:
    """Ten at a time: what a new account runs at once, and this machine too."""
    return (ids[first : first + 10] for first in range(0, len(ids), 10))


def test_a_flood_of_hints_with_forged_times_costs_little_and_accepts_nothing(acceptor: Acceptor) -> None:
    """A hint from the future or the past is old: looked at once, never retried, never kept."""
    acceptor.allow(ALLOWED)
    foreign = acceptor.invite(DENIED)
    times = cycle(["2099-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2026-01-01T00:00:00Z", "now", "9" * 400])
    ids = [foreign, *(f"h-flood{uuid.uuid4().hex[:20]}" for _ in range(49))]
    for wave in waves(ids):
        for each in wave:
            # PutEvents takes a time from the sender, but not in this emulator: so here is what the rule would pass on.
            event = {"source": "handshake-acceptor.relay", "handshake_id": each, "time": next(times)}
            acceptor.client("lambda").invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=json.dumps(event))

        def answered(wave: list[str] = wave) -> bool:
            records = acceptor.aws.log_records(MEMBER)
            return {each["handshake_id"] for each in records if each["trigger"] == "hint"} >= set(wave)

        wait_for("an answer to each", answered)
    assert accepts_sent(acceptor) == 0
    assert untouched(acceptor, foreign)
    for operation in ("ListHandshakesForAccount", "DescribeHandshake", "DescribeOrganization"):
        assert len(acceptor.aws.admin.journal(operation=operation)) <= len(ids)
    assert acceptor.failed_messages() == []


def test_a_flood_of_young_hints_is_tried_three_times_each_and_then_kept(acceptor: Acceptor) -> None:
    acceptor.allow(ALLOWED)
    ids = {f"h-young{uuid.uuid4().hex[:20]}" for _ in range(10)}
    entries = [hint.Hint(MEMBER, each, "INVITE", "2099-01-01T00:00:00Z").entry(FUNCTION) for each in ids]
    acceptor.client("events").put_events(Entries=entries)
    kept: set[str] = set()

    def all_kept() -> bool:
        kept.update(json.loads(each)["requestPayload"]["handshake_id"] for each in acceptor.failed_messages())
        return kept == ids

    wait_for("a message for each", all_kept, seconds=120)
    assert len(acceptor.aws.admin.journal(operation="ListHandshakesForAccount")) <= 3 * len(ids)
    assert accepts_sent(acceptor) == 0


def log_lines(acceptor: Acceptor) -> list[str]:
    pages = acceptor.client("logs").get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP)
    return [event["message"] for page in pages for event in page["events"]]


def test_nothing_that_others_write_reaches_the_log(acceptor: Acceptor) -> None:
    mark = uuid.uuid4().hex
    line = json.dumps({"message": "decision", "handshake_id": "h-injected", "outcome": "ACCEPTED", "note": mark})
    forger = Origin("o-foreign00003", "444400000009")
    acceptor.aws.admin.register_account(
        account_id=forger.management_account_id, email=f"{mark}@example.com", name=f"{line} {mark}"
    )
    acceptor.aws.admin.add_organization(
        organization_id=forger.organization_id, management_account_id=forger.management_account_id
    )
    acceptor.allow(ALLOWED)
    invited = invite_with_notes(acceptor, forger, f"\n{line}\r\n\u2028\x1b[2J{mark}")
    acceptor.aws.admin.inject(
        faults=[{"operation": "DescribeOrganization", "code": "TooManyRequestsException", "message": f"{mark}\n{line}"}]
    )
    record = json.loads((EVENTS / "invite-account.json").read_text())
    record["detail"]["responseElements"]["handshake"] |= {"id": f"h-1\n{line}", "resources": [{"value": mark}]}
    for event in (
        record,
        {"source": f"{mark}\n{line}", "time": line, "handshake_id": mark},
        {"source": "handshake-acceptor.relay", "handshake_id": f"{invited}\n{line}"},
        {mark: line},
        f"\n{line}\n",
    ):
        assert acceptor.decisions(event) == [(invited, "NO_MATCH", "LEFT_PENDING")]
    wait_for("all records", lambda: len(acceptor.recorded(invited)) == 5)
    text = "\n".join(log_lines(acceptor))
    assert invited in text, "it is the log that was searched"
    assert "h-injected" not in text
    assert mark not in text
    assert "@example.com" not in text


def test_a_policys_mistake_is_quoted_within_its_own_line_of_the_log(acceptor: Acceptor) -> None:
    """Whoever may write a policy may have it quoted, but writes no record by that."""
    invited = acceptor.invite()
    mark = uuid.uuid4().hex
    line = json.dumps({"message": "decision", "handshake_id": f"h-{mark}", "decision": "ACCEPT"})
    acceptor.put(f"policy/{mark}", json.dumps({"Version": f"\n{line}\n", f"\r\n{line}\n": "\u2028" + line}))
    assert acceptor.decisions() == [(invited, "POLICY_INVALID", "LEFT_PENDING")]
    wait_for("its record", lambda: acceptor.recorded(invited))
    assert acceptor.recorded(f"h-{mark}") == []
    lines = [each.strip() for each in log_lines(acceptor) if mark in each]
    assert lines, "it is quoted"
    assert all(len(each.splitlines()) == 1 and each.isascii() for each in lines)


def test_what_a_raw_record_leaves_in_the_queue_has_no_personal_data(acceptor: Acceptor) -> None:
    """Through the deployed rule's own target: PutEvents takes no `aws.` source, so its pattern takes another here."""
    events = acceptor.client("events")
    [rule] = [
        rule
        for rule in events.list_rules(EventBusName=FUNCTION)["Rules"]
        if "aws.organizations" in rule["EventPattern"]
    ]
    record = json.loads((EVENTS / "invite-account.json").read_text())
    mark = uuid.uuid4().hex
    handshake = record["detail"]["responseElements"]["handshake"]
    handshake["id"] = f"h-{mark}"
    handshake["resources"].append({"type": "NOTES", "value": f"for mary-{mark}@example.com"})
    record["detail"]["requestParameters"]["notes"] = f"for mary-{mark}@example.com"
    acceptor.aws.admin.inject(
        faults=[{"operation": "ListHandshakesForAccount", "code": "AccessDeniedException", "times": 99}]
    )
    identity = {"Name": rule["Name"], "EventBusName": FUNCTION}
    events.put_rule(**identity, EventPattern=rule["EventPattern"].replace("aws.organizations", "raw.organizations"))
    try:
        entry = {
            "Source": "raw.organizations",
            "DetailType": record["detail-type"],
            "Detail": json.dumps(record["detail"]),
            "EventBusName": FUNCTION,
        }
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
        [message] = wait_for("a message in the failure queue", acceptor.failed_messages)
    finally:
        events.put_rule(**identity, EventPattern=rule["EventPattern"])
    kept = json.loads(message)
    assert kept["requestPayload"].keys() == {"source", "time", "event_name", "handshake_id"}
    assert kept["requestPayload"]["handshake_id"] == f"h-{mark}"
    for personal in ("@", "mary", "Mary", "diego", "Management account", "192.0.2.0", "AKIA"):
        assert personal not in message


# Who may do what


_EVALUATE = """
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
policy, requests = json.load(sys.stdin)
print(json.dumps([
    evaluate_resource_policy(policy, EvalContext(
        principal_arn=principal, principal_type="AssumedRole", principal_account=principal.split(":")[4],
        action=action, resource_arn=resource, region="us-east-1", service_context=keys,
    )).decision
    for principal, action, resource, keys in requests
]))
"""

HINT = {"events:source": ["handshake-acceptor.relay"], "events:detail-type": "Handshake Hint"}
RECORD = {"events:source": ["aws.organizations"], "events:detail-type": "AWS API Call via CloudTrail"}


def role_of(account_id: str) -> str:
    return f"arn:aws:sts::{account_id}:assumed-role/relay/session"


def test_the_bus_admits_only_management_accounts_with_one_of_two_kinds_of_event() -> None:
    """The synthesized policy of the bus, by an IAM evaluator, case by case."""
    policy = Deployed(synthesize(LOCAL)).only("AWS::Events::EventBus")["Policy"]
    bus, put = BUS, "events:PutEvents"
    admitted, stranger = role_of(ALLOWED.management_account_id), role_of(BEYOND.management_account_id)
    cases: list[tuple[str, str, str, dict[str, Any], str]] = [
        (admitted, put, bus, HINT, "Allow"),
        (admitted, put, bus, RECORD, "Allow"),
        (role_of(DENIED.management_account_id), put, bus, HINT, "Allow"),
        (stranger, put, bus, HINT, "ImplicitDeny"),
        (stranger, put, bus, RECORD, "ImplicitDeny"),
        (role_of("111111111112"), put, bus, HINT, "ImplicitDeny"),
        # Each half of a pair with the other's.
        (admitted, put, bus, HINT | {"events:source": ["aws.organizations"]}, "ImplicitDeny"),
        (admitted, put, bus, RECORD | {"events:source": ["handshake-acceptor.relay"]}, "ImplicitDeny"),
        (admitted, put, bus, HINT | {"events:source": ["handshake-acceptor.relay", "aws.ssm"]}, "ImplicitDeny"),
        (admitted, put, bus, HINT | {"events:source": ["Handshake-Acceptor.Relay"]}, "ImplicitDeny"),
        (admitted, put, bus, {"events:detail-type": "Handshake Hint"}, "ImplicitDeny"),
        (admitted, put, bus, {"events:source": ["handshake-acceptor.relay"]}, "ImplicitDeny"),
        (
            admitted,
            put,
            bus,
            {"events:source": ["aws.ssm"], "events:detail-type": "Parameter Store Change"},
            "ImplicitDeny",
        ),
        # Other buses, other actions.
        (admitted, put, bus.replace(FUNCTION, "default"), HINT, "ImplicitDeny"),
        (admitted, "events:PutRule", bus, HINT, "ImplicitDeny"),
        (admitted, "events:PutPermission", bus, HINT, "ImplicitDeny"),
    ]
    done = subprocess.run(
        [str(INTERPRETER), "-c", _EVALUATE],
        input=json.dumps([policy, [case[:4] for case in cases]]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [expected for *_, expected in cases]


STRANGER = "999999999999"
ENTRY = {"Source": "handshake-acceptor.relay", "DetailType": "Handshake Hint"}


@pytest.mark.parametrize(
    ("sender", "bus", "changes"),
    [
        (STRANGER, FUNCTION, {}),
        (BEYOND.management_account_id, FUNCTION, {}),
        (ALLOWED.management_account_id, "default", {}),
        (ALLOWED.management_account_id, FUNCTION, {"Source": "somebody.else"}),
        (ALLOWED.management_account_id, FUNCTION, {"DetailType": "AWS API Call via CloudTrail"}),
        (ALLOWED.management_account_id, FUNCTION, {"Source": "aws.organizations"}),
    ],
    ids=["stranger", "not admitted", "default bus", "another source", "another kind", "a source of AWS"],
)
def test_nobody_else_puts_an_event_on_this_accounts_buses(
    acceptor: Acceptor, sender: str, bus: str, changes: dict[str, str]
) -> None:
    acceptor.allow(ALLOWED)
    invited = acceptor.invite()
    entry = ENTRY | {"Detail": json.dumps({"handshake_id": invited})} | changes
    entry["EventBusName"] = f"arn:aws:events:{REGION}:{MEMBER}:event-bus/{bus}"
    runs = len(acceptor.aws.log_records(MEMBER, "run"))
    answer = acceptor.client("events", sender).put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] in ("AccessDeniedException", "NotAuthorizedForSourceException")
    admitted = ENTRY | {"Detail": json.dumps({"handshake_id": invited}), "EventBusName": BUS}
    assert acceptor.client("events", ALLOWED.management_account_id).put_events(Entries=[admitted]) != answer
    wait_for("the record of the admitted hint", lambda: acceptor.recorded(invited))
    assert acceptor.handshake(invited)["accept_effects"] == 1
    assert len(acceptor.aws.log_records(MEMBER, "run")) == runs + 1, "only the admitted one woke it"


@pytest.fixture
def as_the_function(acceptor: Acceptor) -> Callable[[str], Any]:
    """Clients with the credentials of the function's role.

    Its trust names Lambda alone; this emulator lets an account's root through where a service is named.
    """
    answer = acceptor.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="thief")["Credentials"]

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=acceptor.aws.endpoint,
            region_name=REGION,
            aws_access_key_id=answer["AccessKeyId"],
            aws_secret_access_key=answer["SecretAccessKey"],
            aws_session_token=answer["SessionToken"],
        )

    return client


def test_a_thief_of_the_role_can_do_what_its_statements_say(
    acceptor: Acceptor, as_the_function: Callable[[str], Any]
) -> None:
    """So that what is refused below is refused for the right reason."""
    invited = acceptor.invite(ALLOWED)
    organizations = as_the_function("organizations")
    assert [each["Id"] for each in organizations.list_handshakes_for_account()["Handshakes"]] == [invited]
    assert organizations.describe_handshake(HandshakeId=invited)["Handshake"]["Id"] == invited
    read = as_the_function("ssm").get_parameters_by_path(Path=PREFIX.rstrip("/"), Recursive=True)
    assert [each["Name"] for each in read["Parameters"]] == [f"{PREFIX}mode"]


def test_a_thief_of_the_role_can_do_nothing_else(acceptor: Acceptor, as_the_function: Callable[[str], Any]) -> None:
    allowed, beyond = acceptor.invite(ALLOWED), acceptor.invite(BEYOND)
    other_action = acceptor.aws.admin.add_handshake(
        action="ENABLE_ALL_FEATURES", organization_id=DENIED.organization_id, target=MEMBER
    )
    acceptor.allow(ALLOWED)
    queue, bus = acceptor.outputs["FailureQueueUrl"], acceptor.outputs["HintBusArn"]
    role = {"RoleName": FUNCTION}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        # The policy
        ("ssm", "put_parameter", {"Name": f"{PREFIX}policy/x", "Value": "{}", "Type": "String"}),
        ("ssm", "put_parameter", {"Name": f"{PREFIX}mode", "Value": "enforce", "Type": "String", "Overwrite": True}),
        ("ssm", "delete_parameter", {"Name": f"{PREFIX}policy/allowlist"}),
        ("ssm", "get_parameters_by_path", {"Path": "/", "Recursive": True}),
        ("ssm", "get_parameters_by_path", {"Path": "/handshake-acceptor-evil"}),
        ("ssm", "get_parameter", {"Name": f"{PREFIX}mode"}),
        # Organizations
        ("organizations", "accept_handshake", {"HandshakeId": beyond}),
        ("organizations", "accept_handshake", {"HandshakeId": other_action}),
        ("organizations", "describe_handshake", {"HandshakeId": beyond}),
        ("organizations", "decline_handshake", {"HandshakeId": allowed}),
        ("organizations", "cancel_handshake", {"HandshakeId": allowed}),
        ("organizations", "leave_organization", {}),
        ("organizations", "create_organization", {}),
        ("organizations", "list_accounts", {}),
        # More rights
        ("iam", "create_user", {"UserName": "thief"}),
        ("iam", "put_role_policy", {**role, "PolicyName": "more", "PolicyDocument": document}),
        ("iam", "attach_role_policy", {**role, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("iam", "update_assume_role_policy", {**role, "PolicyDocument": document}),
        ("iam", "create_service_linked_role", {"AWSServiceName": "ecs.amazonaws.com"}),
        ("sts", "assume_role", {"RoleArn": f"{ROLE}-sweep", "RoleSessionName": "thief"}),
        # The function and what wakes it
        ("lambda", "invoke", {"FunctionName": FUNCTION}),
        ("lambda", "update_function_code", {"FunctionName": FUNCTION, "ZipFile": b"x"}),
        ("lambda", "update_function_configuration", {"FunctionName": FUNCTION, "Environment": {"Variables": {}}}),
        (
            "events",
            "put_events",
            {"Entries": [{"Source": "x", "DetailType": "y", "Detail": "{}", "EventBusName": bus}]},
        ),
        ("events", "put_permission", {"EventBusName": FUNCTION, "StatementId": "x", "Principal": "*"}),
        ("scheduler", "delete_schedule", {"Name": f"{FUNCTION}-sweep", "GroupName": FUNCTION}),
        # What was recorded
        ("sqs", "receive_message", {"QueueUrl": queue}),
        ("sqs", "purge_queue", {"QueueUrl": queue}),
        ("logs", "delete_log_group", {"logGroupName": LOG_GROUP}),
        ("logs", "filter_log_events", {"logGroupName": LOG_GROUP}),
        ("logs", "create_log_group", {"logGroupName": "/elsewhere"}),
        ("s3", "list_buckets", {}),
        ("cloudformation", "delete_stack", {"StackName": "HandshakeAcceptor"}),
        ("secretsmanager", "list_secrets", {}),
    ]
    done = []
    for service, operation, arguments in attempts:
        try:
            getattr(as_the_function(service), operation)(**arguments)
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            if code not in ("AccessDenied", "AccessDeniedException", "NotAuthorized"):
                done.append(f"{service}.{operation} {arguments}: {code}")
        else:
            done.append(f"{service}.{operation} {arguments}: succeeded")
    assert done == []
    assert untouched(acceptor, allowed, beyond)
