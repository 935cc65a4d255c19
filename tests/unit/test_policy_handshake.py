"""What `handshake.parse` believes, and what it refuses."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from handshake_core.handshake import (
    MAY_ACCEPT,
    Action,
    Handshake,
    InvalidHandshake,
    Reason,
    Role,
    State,
    invalid_handshake,
    is_over,
    showable,
    timestamp,
)

SAMPLES = Path(__file__).parent.parent / "handshakes"
ID = "h-examplehandshakeid111"
ORGANIZATION = "o-exampleorgid"
MANAGEMENT = "111111111111"
OWN = "222222222222"
REMOVED = object()


def sample(name: str = "invite-by-account") -> dict[str, Any]:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def raw_handshake(**changes: Any) -> dict[str, Any]:
    """An invitation of `OWN`, as DescribeHandshake gives it; `Arn` follows `Id`, `Action` and the origin given."""
    action, identifier = changes.get("Action", "INVITE"), changes.get("Id", ID)
    organization, management = changes.pop("organization", ORGANIZATION), changes.pop("management", MANAGEMENT)
    partition, addressee = changes.pop("partition", "aws"), changes.pop("addressee", OWN)
    raw = {
        "Id": identifier,
        "Arn": f"arn:{partition}:organizations::{management}:handshake"
        f"/{organization}/{str(action).lower()}/{identifier}",
        "Parties": [{"Id": organization, "Type": "ORGANIZATION"}, {"Id": addressee, "Type": "ACCOUNT"}],
        "State": "OPEN",
        "RequestedTimestamp": "2026-11-20T21:41:16+00:00",
        "ExpirationTimestamp": "2026-12-05T21:41:16+00:00",
        "Action": action,
        "Resources": [{"Type": "ORGANIZATION", "Value": organization}],
    } | changes
    return {name: value for name, value in raw.items() if value is not REMOVED}


def reason(code: str, message: str, seen: str) -> Reason:
    return Reason(code, message, (("seen", seen),))


def contradiction(part: str, stated: str, seen: str) -> Reason:
    return reason("CONTRADICTION", f"its {part} does not agree with its Arn, which says {stated}", seen)


# -- what is believed


@pytest.mark.parametrize(
    ("name", "action", "state", "addressees"),
    [
        ("invite-by-account", Action.INVITE, State.OPEN, {OWN}),
        ("invite-by-email", Action.INVITE, State.OPEN, set()),
        ("invite-party-without-prefix", Action.INVITE, State.OPEN, set()),
        ("enable-all-features", Action.ENABLE_ALL_FEATURES, State.REQUESTED, {OWN}),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_recorded_handshake_is_read_whole(
    name: str, action: Action, state: State, addressees: set[str], listed: bool
) -> None:
    assert Handshake.from_api(sample(name), listed=listed) == Handshake(
        id=ID,
        arn=f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/{action.lower()}/{ID}",
        action=action,
        state=state,
        partition="aws",
        organization_id=ORGANIZATION,
        management_account_id=MANAGEMENT,
        addressees=frozenset(addressees),
        expires_at=datetime(2026, 12, 5, 21, 41, 16, tzinfo=UTC),
        listed=listed,
        requested_at=datetime(2026, 11, 20, 21, 41, 16, tzinfo=UTC),
    )


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_known_in_the_arn_too(action: Action) -> None:
    assert Handshake.from_api(raw_handshake(Action=action.value), listed=False).action is action


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_known(state: State) -> None:
    assert Handshake.from_api(raw_handshake(State=state.value), listed=False).state is state


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"])
def test_other_partitions_are_read(partition: str) -> None:
    assert Handshake.from_api(raw_handshake(partition=partition), listed=False).partition == partition


@pytest.mark.parametrize("identifier", ["h-" + "a" * 8, "h-" + "9z" * 16])
@pytest.mark.parametrize("organization", ["o-" + "a" * 10, "o-" + "9z" * 16])
def test_the_shortest_and_the_longest_ids_are_read(identifier: str, organization: str) -> None:
    handshake = Handshake.from_api(raw_handshake(Id=identifier, organization=organization), listed=False)
    assert (handshake.id, handshake.organization_id) == (identifier, organization)


@pytest.mark.parametrize(
    "parts",
    [
        {"Parties": REMOVED, "Resources": REMOVED},
        {"Parties": None, "Resources": None},
        {"Parties": [], "Resources": ()},
        {"Parties": ({"Type": "ORGANIZATION", "Id": "exampleorgid"},)},
        {"Parties": [{"Type": "SOMETHING_NEW", "Id": 5}, {}]},
        {"Resources": [{"Type": "MANAGEMENT_ACCOUNT", "Value": MANAGEMENT}]},
        {"Resources": [{"Type": "ORGANIZATION", "Value": "exampleorgid", "Resources": [{"Type": "NOTES"}]}]},
    ],
)
def test_parts_that_are_absent_or_agree_are_no_fault(parts: dict[str, Any]) -> None:
    assert isinstance(Handshake.from_api(raw_handshake(**parts), listed=False), Handshake)


@pytest.mark.parametrize(
    ("parties", "resources", "addressees"),
    [
        ([], [], set()),
        ([{"Type": "ACCOUNT", "Id": OWN}], [], {OWN}),
        ([], [{"Type": "ACCOUNT", "Value": OWN}], {OWN}),
        ([{"Type": "ACCOUNT", "Id": OWN}], [{"Type": "ACCOUNT", "Value": "333333333333"}], {OWN, "333333333333"}),
        ([], [{"Type": "X", "Resources": [{"Resources": [{"Type": "ACCOUNT", "Value": OWN}]}]}], {OWN}),
        ([{"Type": "ACCOUNT", "Id": MANAGEMENT}, {"Type": "ACCOUNT", "Id": OWN}], [], {OWN}),
        ([{"Type": "ACCOUNT", "Id": MANAGEMENT}], [{"Type": "ACCOUNT", "Value": OWN}], {OWN}),
        ([{"Type": "ACCOUNT", "Id": MANAGEMENT}], [{"Type": "ACCOUNT", "Value": MANAGEMENT}], {MANAGEMENT}),
        ([{"Type": "EMAIL", "Id": "mary@example.com"}], [{"Type": "EMAIL", "Value": "mary@example.com"}], set()),
    ],
)
def test_addressees_are_the_accounts_that_parties_and_nested_resources_name(
    parties: list[Any], resources: list[Any], addressees: set[str]
) -> None:
    raw = raw_handshake(Parties=parties, Resources=resources, Action="TRANSFER_RESPONSIBILITY")
    assert Handshake.from_api(raw, listed=False).addressees == addressees


def named(action: Action, *accounts: str) -> frozenset[str]:
    """Whom a handshake is addressed to whose parties are these accounts."""
    parties = [{"Type": "ACCOUNT", "Id": account} for account in accounts]
    handshake = Handshake.from_api(raw_handshake(Action=action.value, Parties=parties), listed=True)
    assert isinstance(handshake, Handshake)
    return handshake.addressees


@pytest.mark.parametrize("action", list(Action))
def test_the_origins_management_account_is_the_sender_where_another_account_is_named_too(action: Action) -> None:
    third = "999999999999"
    assert named(action, MANAGEMENT, OWN) == {OWN}
    assert named(action, OWN, third, MANAGEMENT) == {OWN, third}


@pytest.mark.parametrize("action", list(Action))
def test_named_alone_it_is_the_addressee_of_everything_but_an_invitation(action: Action) -> None:
    assert named(action, MANAGEMENT) == (set() if action is Action.INVITE else {MANAGEMENT})


@pytest.mark.parametrize(
    ("name", "addressees"), [("05-inviter-is-a-party-too", {OWN}), ("05b-inviter-and-email", set())]
)
def test_the_inviter_among_the_parties_as_the_field_shows_it_is_the_sender(name: str, addressees: set[str]) -> None:
    raw = json.loads((SAMPLES.parent / "field" / f"{name}.json").read_text("utf-8"))["Handshake"]
    assert Handshake.from_api(raw, listed=True).addressees == addressees


def test_a_deep_nest_of_resources_is_searched_to_its_bottom() -> None:
    nest = {"Type": "ORGANIZATION", "Value": "o-sandbox0001"}
    for _ in range(5_000):
        nest = {"Type": "PARENT_HANDSHAKE", "Value": ID, "Resources": [nest]}
    assert isinstance(Handshake.from_api(raw_handshake(Resources=[nest]), listed=True), InvalidHandshake)


# -- what is refused


@pytest.mark.parametrize(
    ("raw", "seen"),
    [(None, "(NoneType)"), ([], "(list)"), (5, "(int)"), (ID, ID), ("a b", "(text of 3 characters, not shown)")],
)
def test_what_is_no_object_is_no_handshake(raw: object, seen: str) -> None:
    expected = InvalidHandshake("", (reason("NOT_A_HANDSHAKE", "this is not a handshake", seen),), finished=False)
    assert Handshake.from_api(raw, listed=False) == expected
    assert Handshake.from_api(raw, listed=True) == replace(expected, listed=True)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("fault", [{"Arn": None}, {"State": "NEW"}])
def test_what_cannot_be_believed_says_whether_our_list_showed_it(fault: dict[str, Any], listed: bool) -> None:
    result = Handshake.from_api(raw_handshake() | fault, listed=listed)
    assert isinstance(result, InvalidHandshake)
    assert result.listed is listed


@pytest.mark.parametrize(
    ("changes", "code", "message", "seen"),
    [
        ({"Id": REMOVED}, "MALFORMED_ID", "its Id is not a handshake id", "(NoneType)"),
        ({"Id": 5}, "MALFORMED_ID", "its Id is not a handshake id", "(int)"),
        ({"Id": "h-1234567"}, "MALFORMED_ID", "its Id is not a handshake id", "h-1234567"),
        ({"Id": "h-" + "a" * 33}, "MALFORMED_ID", "its Id is not a handshake id", "h-" + "a" * 33),
        ({"Id": ID + "\n"}, "MALFORMED_ID", "its Id is not a handshake id", "(text of 24 characters, not shown)"),
        ({"Id": ID.upper()}, "MALFORMED_ID", "its Id is not a handshake id", ID.upper()),
        ({"Arn": REMOVED}, "MALFORMED_ARN", "its Arn is not the ARN of a handshake", "(NoneType)"),
        ({"Arn": {}}, "MALFORMED_ARN", "its Arn is not the ARN of a handshake", "(dict)"),
        ({"Arn": ""}, "MALFORMED_ARN", "its Arn is not the ARN of a handshake", "(text of 0 characters, not shown)"),
        ({"Action": REMOVED}, "UNKNOWN_ACTION", "its Action is none that this version knows", "(NoneType)"),
        ({"Action": "invite"}, "UNKNOWN_ACTION", "its Action is none that this version knows", "invite"),
        ({"Action": ["INVITE"]}, "UNKNOWN_ACTION", "its Action is none that this version knows", "(list)"),
        ({"State": REMOVED}, "UNKNOWN_STATE", "its State is none that this version knows", "(NoneType)"),
        ({"State": "open"}, "UNKNOWN_STATE", "its State is none that this version knows", "open"),
        ({"State": {"OPEN": 1}}, "UNKNOWN_STATE", "its State is none that this version knows", "(dict)"),
        (
            {"ExpirationTimestamp": REMOVED},
            "MALFORMED_EXPIRY",
            "its ExpirationTimestamp is not a time with a zone",
            "(NoneType)",
        ),
        (
            {"ExpirationTimestamp": "2026-12-05T21:41:16"},
            "MALFORMED_EXPIRY",
            "its ExpirationTimestamp is not a time with a zone",
            "2026-12-05T21:41:16",
        ),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_read_is_named_with_what_was_seen(
    changes: dict[str, Any], code: str, message: str, seen: str
) -> None:
    raw = raw_handshake() | changes
    raw = {name: value for name, value in raw.items() if value is not REMOVED}
    result = Handshake.from_api(raw, listed=True)
    assert result.reasons == (reason(code, message, seen),)
    assert result.id == ("" if "Id" in changes else ID)
    assert result.finished is False


def arn(
    partition: str = "aws",
    service: str = "organizations",
    region: str = "",
    account: str = MANAGEMENT,
    kind: str = "handshake",
    **parts: str,
) -> str:
    organization, action = parts.get("organization", ORGANIZATION), parts.get("action", "invite")
    return f"arn:{partition}:{service}:{region}:{account}:{kind}/{organization}/{action}/{parts.get('id', ID)}"


@pytest.mark.parametrize(
    "text",
    [
        arn() + "\n",
        " " + arn(),
        arn() + " ",
        arn() + "/",
        "x" + arn(),
        arn() + "\0",
        arn().upper(),
        arn().replace("arn", "ARN"),
        arn(partition=""),
        arn(partition="AWS"),
        arn(partition="aws-"),
        arn(partition="aws-us-gov1"),
        arn(partition="awsx"),
        arn(partition="aws--cn"),
        arn(service="iam"),
        arn(region="us-east-1"),
        arn(account="11111111111"),
        arn(account="1111111111111"),
        arn(account="11111111111x"),
        arn(account=""),
        arn(account="\uff11" * 12),
        arn(account="\u0661" * 12),
        arn(kind="account"),
        arn(kind="Handshake"),
        arn(organization="exampleorgid"),
        arn(organization="o-shortorgi"),
        arn(organization="o-" + "a" * 33),
        arn(organization="o-exampleOrgid"),
        arn(organization="\u043e-exampleorgid"),
        arn(organization="o-examp\u217ceorgid"),
        arn(organization="o\u2010exampleorgid"),
        arn(organization="o-exampleorgid/o-exampleorgid"),
        arn(organization=""),
        arn(action=""),
        arn(action="INVITE"),
        arn(action="invite-me"),
        arn(action="i" * 65),
        arn(id="h-1234567"),
        arn(id="h-" + "a" * 33),
        arn(id="examplehandshakeid111"),
        arn().replace(":", "\uff1a"),
        arn().replace("/", "\u2044"),
        f"{arn()}\n{arn()}",
    ],
)
def test_an_arn_is_matched_whole_and_in_ascii(text: str) -> None:
    result = Handshake.from_api(raw_handshake(Arn=text), listed=True)
    assert [found.code for found in result.reasons] == ["MALFORMED_ARN"]


def test_an_action_of_64_letters_in_the_arn_is_still_an_arn() -> None:
    result = Handshake.from_api(raw_handshake(Arn=arn(action="i" * 64)), listed=True)
    assert result.reasons == (contradiction("Action", "I" * 64, "INVITE"),)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Id": "h-otherhandshake"}, contradiction("Id", ID, "h-otherhandshake")),
        ({"Action": "APPROVE_ALL_FEATURES"}, contradiction("Action", "INVITE", "APPROVE_ALL_FEATURES")),
        (
            {"Parties": [{"Type": "ORGANIZATION", "Id": "o-sandbox0001"}]},
            contradiction("ORGANIZATION party", ORGANIZATION, "o-sandbox0001"),
        ),
        (
            {"Parties": [{"Type": "ORGANIZATION", "Id": "sandbox0001"}]},
            contradiction("ORGANIZATION party", ORGANIZATION, "o-sandbox0001"),
        ),
        ({"Parties": [{"Type": "ORGANIZATION"}]}, contradiction("ORGANIZATION party", ORGANIZATION, "(NoneType)")),
        (
            {"Parties": [{"Type": "ORGANIZATION", "Id": "o-o-exampleorgid"}]},
            contradiction("ORGANIZATION party", ORGANIZATION, "o-o-exampleorgid"),
        ),
        (
            {"Parties": [{"Type": "ORGANIZATION", "Id": ""}]},
            contradiction("ORGANIZATION party", ORGANIZATION, "o-"),
        ),
        (
            {"Resources": [{"Type": "ORGANIZATION", "Value": "o-sandbox0001"}]},
            contradiction("ORGANIZATION resource", ORGANIZATION, "o-sandbox0001"),
        ),
        (
            {"Resources": [{"Resources": [{"Type": "ORGANIZATION", "Value": ["o-exampleorgid"]}]}]},
            contradiction("ORGANIZATION resource", ORGANIZATION, "(list)"),
        ),
        (
            {"Resources": [{"Type": "MANAGEMENT_ACCOUNT", "Value": "333333333333"}]},
            contradiction("MANAGEMENT_ACCOUNT resource", MANAGEMENT, "333333333333"),
        ),
        (
            {"Parties": [{"Type": "MANAGEMENT_ACCOUNT", "Id": 111111111111}]},
            contradiction("MANAGEMENT_ACCOUNT party", MANAGEMENT, "(int)"),
        ),
        (
            {"Parties": [{"Type": "ACCOUNT", "Id": "22222222222"}]},
            reason("MALFORMED_ACCOUNT", "its ACCOUNT party is not an account id", "22222222222"),
        ),
        (
            {"Resources": [{"Type": "ACCOUNT", "Value": 222222222222}]},
            reason("MALFORMED_ACCOUNT", "its ACCOUNT resource is not an account id", "(int)"),
        ),
        (
            {"Parties": [{"Type": "ACCOUNT", "Id": "mary@example.com"}]},
            reason("MALFORMED_ACCOUNT", "its ACCOUNT party is not an account id", "(text of 16 characters, not shown)"),
        ),
        ({"Parties": {}}, reason("MALFORMED", "its Parties are not a list", "(dict)")),
        ({"Resources": "x"}, reason("MALFORMED", "its Resources are not a list", "x")),
        ({"Parties": ["x"]}, reason("MALFORMED", "one of its Parties is not an object", "x")),
        ({"Resources": [None]}, reason("MALFORMED", "one of its Resources is not an object", "(NoneType)")),
        ({"Resources": [{"Resources": 5}]}, reason("MALFORMED", "its Resources are not a list", "(int)")),
    ],
)
def test_a_part_that_contradicts_the_arn_makes_the_whole_handshake_invalid(
    changes: dict[str, Any], expected: Reason
) -> None:
    result = Handshake.from_api(raw_handshake() | changes, listed=True)
    assert result.reasons == (expected,)
    assert result.id == changes.get("Id", ID)
    assert result.finished is False


def test_every_fault_is_reported_not_only_the_first() -> None:
    assert [found.code for found in Handshake.from_api({}, listed=True).reasons] == [
        "MALFORMED_ID",
        "MALFORMED_ARN",
        "UNKNOWN_ACTION",
        "UNKNOWN_STATE",
        "MALFORMED_EXPIRY",
    ]
    raw = raw_handshake(
        Parties=[None, {"Type": "ORGANIZATION", "Id": "o-sandbox0001"}, {"Type": "ACCOUNT", "Id": "x"}],
        Resources=[5, {"Type": "MANAGEMENT_ACCOUNT", "Value": OWN}, {"Type": "ACCOUNT", "Value": "y"}],
    )
    assert [found.code for found in Handshake.from_api(raw, listed=True).reasons] == [
        "MALFORMED",
        "CONTRADICTION",
        "MALFORMED_ACCOUNT",
        "MALFORMED",
        "CONTRADICTION",
        "MALFORMED_ACCOUNT",
    ]


@pytest.mark.parametrize("fault", [{"State": "x"}, {"ExpirationTimestamp": "x"}, {"Id": ""}, {"Action": "x"}])
def test_an_unreadable_part_does_not_hide_a_contradiction(fault: dict[str, Any]) -> None:
    raw = raw_handshake(Parties=[{"Type": "ORGANIZATION", "Id": "o-sandbox0001"}]) | fault
    reasons = Handshake.from_api(raw, listed=True).reasons
    assert len(reasons) == 2
    assert reasons[1] == contradiction("ORGANIZATION party", ORGANIZATION, "o-sandbox0001")


@pytest.mark.parametrize("missing", ["Id", "Arn", "Action", "State", "ExpirationTimestamp"])
def test_each_of_the_five_parts_is_needed(missing: str) -> None:
    raw = raw_handshake()
    del raw[missing]
    result = Handshake.from_api(raw, listed=True)
    assert isinstance(result, InvalidHandshake)
    assert len(result.reasons) == 1


@pytest.mark.parametrize(
    ("state", "finished"),
    [
        ("REQUESTED", False),
        ("OPEN", False),
        ("CANCELED", True),
        ("ACCEPTED", True),
        ("DECLINED", True),
        ("EXPIRED", True),
        ("SOMETHING_NEW", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("fault", [{"Arn": "x"}, {"Parties": "x"}])
def test_an_unusable_handshake_says_whether_it_is_over(
    state: str | None, finished: bool, fault: dict[str, Any]
) -> None:
    assert Handshake.from_api(raw_handshake(State=state, **fault), listed=True).finished is finished


def test_nothing_is_changed_in_what_is_read() -> None:
    raw = raw_handshake()
    before = copy.deepcopy(raw)
    Handshake.from_api(raw, listed=True)
    assert raw == before


def test_one_reason_can_be_given_from_outside() -> None:
    assert invalid_handshake(ID, "NOT_FOUND", "it is not there", "a@b", finished=True) == InvalidHandshake(
        ID, (reason("NOT_FOUND", "it is not there", "(text of 3 characters, not shown)"),), finished=True
    )
    assert invalid_handshake(ID, "NOT_FOUND", "it is not there", ID).finished is False


# -- the small parts


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("azAZ09:/_.,+-", "azAZ09:/_.,+-"),
        ("a" * 200, "a" * 200),
        ("a" * 201, "(text of 201 characters, not shown)"),
        ("", "(text of 0 characters, not shown)"),
        ("mary@example.com", "(text of 16 characters, not shown)"),
        ("a\n", "(text of 2 characters, not shown)"),
        ("\u00e9", "(text of 1 characters, not shown)"),
        (None, "(NoneType)"),
        (1.5, "(float)"),
        (True, "(bool)"),
    ],
)
def test_only_what_is_plainly_an_identifier_is_shown(value: object, shown: str) -> None:
    assert showable(value) == shown


NOON = datetime(2026, 12, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (NOON, NOON),
        (NOON.astimezone(timezone(timedelta(hours=2))), NOON),
        ("2026-12-05T12:00:00Z", NOON),
        ("2026-12-05T12:00:00.000000+00:00", NOON),
        ("2026-12-05T14:00:00+02:00", NOON),
        ("2026-12-05t09:30:00.000000999-02:30", NOON),
        ("2026-12-06T11:59:00+23:59", NOON),
        ("2026-12-05t12:00:00z", NOON),
        ("2026-12-05T12:00:00-00:00", NOON),
        ("2026-12-05T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        (" 2026-12-05T12:00:00Z\n", NOON),
        (NOON.timestamp(), NOON),
        (int(NOON.timestamp()), NOON),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1.5, datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_from_what_botocore_and_both_versions_of_the_aws_cli_give(
    value: object, moment: datetime
) -> None:
    read = timestamp(value)
    assert read == moment
    assert read.utcoffset() == timedelta(0)
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        "soon",
        "2026-12-05T12:00:00",
        "2026-02-30T12:00:00Z",
        # What Python's own reading takes besides, or another version's does.
        "2026-12-05T12:00:00-00:90",
        "2026-12-05T12:00:00+01:60",
        "2026-12-05T12:00:00+24:00",
        "2026-12-05T12:00:00+01:00:30",
        "2026-12-05T24:00:00Z",
        "2026-12-05T12:00:60Z",
        "2026-12-05T12:00Z",
        "2026-12-05T12Z",
        "2026-12-05 12:00:00Z",
        "2026-12-05T12:00:00,5Z",
        "2026-12-05T12:00:00+0100",
        "2026-12-05T12:00:00 Z",
        "20261205T120000Z",
        "2026-W49-6T12:00:00Z",
        "2026-12-0\u0665T12:00:00Z",
        "\ud800",
        NOON.replace(tzinfo=None),
        float("nan"),
        float("inf"),
        10**400,
        1e300,
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        [],
        {},
    ],
)
def test_anything_else_is_no_time(value: object) -> None:
    assert timestamp(value) is None


def test_only_requested_and_open_are_pending() -> None:
    assert [state for state in State if state.pending] == [State.REQUESTED, State.OPEN]


@pytest.mark.parametrize(
    ("action", "named", "agrees"),
    [
        ("TRANSFER_RESPONSIBILITY", MANAGEMENT, True),
        ("TRANSFER_RESPONSIBILITY", OWN, True),
        ("TRANSFER_RESPONSIBILITY", "333333333333", False),
        ("INVITE", OWN, False),
        ("APPROVE_ALL_FEATURES", OWN, False),
    ],
)
def test_the_management_account_of_a_transfer_is_of_either_side(action: str, named: str, agrees: bool) -> None:
    raw = raw_handshake(Action=action, Resources=[{"Type": "MANAGEMENT_ACCOUNT", "Value": named}])
    parsed = Handshake.from_api(raw, listed=True)
    if agrees:
        assert isinstance(parsed, Handshake)
        assert (parsed.management_account_id, parsed.addressees) == (MANAGEMENT, {OWN})
    else:
        assert isinstance(parsed, InvalidHandshake)
        assert parsed.reasons == (contradiction("MANAGEMENT_ACCOUNT resource", MANAGEMENT, named),)


def test_the_role_table_is_that_of_the_api() -> None:
    assert {action.value: {role.value for role in roles} for action, roles in MAY_ACCEPT.items()} == {
        "INVITE": {"STANDALONE", "MEMBER"},
        "ENABLE_ALL_FEATURES": {"MEMBER"},
        "APPROVE_ALL_FEATURES": {"MANAGEMENT", "MEMBER"},
        "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE": {"MEMBER"},
        "TRANSFER_RESPONSIBILITY": {"MANAGEMENT"},
    }
    assert Role("UNKNOWN") is Role.UNKNOWN


def test_a_reason_reads_as_one_flat_object() -> None:
    shown = Reason("CODE", "text", (("seen", "x"), ("allowed", ("a", "b")))).as_dict()
    assert shown == {"code": "CODE", "message": "text", "seen": "x", "allowed": ["a", "b"]}
    assert Reason("CODE", "text").as_dict() == {"code": "CODE", "message": "text"}


OVER = [State.CANCELED, State.ACCEPTED, State.DECLINED, State.EXPIRED]


@pytest.mark.parametrize("state", OVER)
@pytest.mark.parametrize("changes", [{}, {"Arn": "nonsense"}, {"Parties": 1}, {"Action": "UNKNOWN"}], ids=str)
def test_one_that_is_over_is_over_whatever_else_it_says(state: State, changes: dict[str, Any]) -> None:
    raw = raw_handshake(State=state.value) | changes
    assert is_over(raw)
    parsed = Handshake.from_api(raw, listed=True)
    assert parsed.id == ID
    assert parsed.finished if isinstance(parsed, InvalidHandshake) else not parsed.state.pending


@pytest.mark.parametrize("state", ["REQUESTED", "OPEN", "open", "accepted", "SUSPENDED", None, ["ACCEPTED"], {}])
def test_one_of_any_other_state_is_read_whole(state: object) -> None:
    assert not is_over(raw_handshake() | {"State": state})


@pytest.mark.parametrize("identifier", ["", f"{ID}\n", "h-UPPERCASE", [ID], None])
def test_one_without_a_name_is_read_whole_whatever_its_state(identifier: object) -> None:
    assert not is_over(raw_handshake(State="ACCEPTED") | {"Id": identifier})


@pytest.mark.parametrize("raw", [{}, {"State": "ACCEPTED"}, {"Id": ID}, ["ACCEPTED"], "ACCEPTED", None])
def test_what_is_no_handshake_is_not_over(raw: object) -> None:
    assert not is_over(raw)
