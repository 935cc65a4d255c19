"""What `decide` answers, as tables: every decision, every boundary, every reason."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from handshake_acceptor.policy.decide import Decision, DecisionKind, InvalidPolicy, Policy, PolicyError, decide
from handshake_acceptor.policy.documents import Document, load, version
from handshake_core.handshake import MAY_ACCEPT, Account, Action, Handshake, InvalidHandshake, Reason, Role
from tests.unit.bad_documents import document
from tests.unit.test_policy_handshake import MANAGEMENT, ORGANIZATION, OWN, raw_handshake, sample

SANDBOX, SANDBOX_MANAGEMENT = "o-sandbox0001", "333333333333"
THIRD, THIRD_MANAGEMENT = "o-third000001", "444444444444"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EXPIRES = datetime(2026, 12, 5, 21, 41, 16, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)

STANDALONE = Account(OWN, "aws", Role.STANDALONE, "NONE")
MEMBER = Account(OWN, "aws", Role.MEMBER, ORGANIZATION)
MANAGER = Account(OWN, "aws", Role.MANAGEMENT, ORGANIZATION)
UNKNOWN = Account(OWN, "aws", Role.UNKNOWN, "UNKNOWN")
OF_ROLE = {account.role: account for account in (STANDALONE, MEMBER, MANAGER, UNKNOWN)}

ORIGIN = {"OrganizationId": ORGANIZATION, "ManagementAccountId": MANAGEMENT}
ACTIONS = [action.value for action in Action]


def allow(sid: str = "Join", **changes: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": "INVITE", "Origin": ORIGIN} | changes


def deny(sid: str = "Never", **changes: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny"} | changes


def decline(sid: str = "Refuse", **changes: Any) -> dict[str, Any]:
    return deny(sid, Respond="Decline", Action=ACTIONS, Origin=ORIGIN) | changes


def policy(*statements: dict[str, Any]) -> Policy:
    loaded = load([Document("policy/allowlist", document(*statements))])
    assert isinstance(loaded, Policy), loaded
    return loaded


def handshake(*, listed: bool = True, **changes: Any) -> Handshake:
    parsed = Handshake.from_api(raw_handshake(**changes), listed=listed)
    assert isinstance(parsed, Handshake), parsed
    return parsed


def decided(
    *statements: dict[str, Any], account: Account = STANDALONE, now: datetime = NOW, listed: bool = True, **changes: Any
) -> Decision:
    return decide(handshake(listed=listed, **changes), policy(*statements), account, now)


def kind(*statements: dict[str, Any], **rest: Any) -> str:
    return decided(*statements, **rest).kind.value


def no_match(sid: str, field: str, seen: str, *allowed: str) -> Reason:
    return Reason(
        "FIELD_DOES_NOT_MATCH",
        f"{sid}: {field} is {seen}, the statement has {', '.join(allowed)}",
        (("sid", sid), ("field", field), ("seen", seen), ("allowed", allowed)),
    )


def allowed_by(sid: str) -> Reason:
    return Reason("ALLOWED", f"{sid} allows it", (("sid", sid),))


def denied_by(sid: str, respond: str = "LeavePending") -> Reason:
    return Reason("DENIED", f"{sid} denies it ({respond})", (("sid", sid), ("respond", respond)))


# -- every decision, whole


def test_an_allow_accepts() -> None:
    expected = Decision(DecisionKind.ACCEPT, (allowed_by("Join"),), version([document(allow())]), ("Join",))
    assert decided(allow()) == expected


def test_a_deny_beats_an_allow() -> None:
    result = decided(allow(), deny())
    assert result == Decision(
        DecisionKind.DENY, (denied_by("Never"),), version([document(allow(), deny())]), ("Never",)
    )


def test_a_deny_that_declines_declines() -> None:
    result = decided(allow(), decline())
    expected = version([document(allow(), decline())])
    assert result == Decision(DecisionKind.DECLINE, (denied_by("Refuse", "Decline"),), expected, ("Refuse",))


def test_what_nothing_matches_is_not_allowed() -> None:
    result = decided(allow(Action="ENABLE_ALL_FEATURES"))
    # The Action does not match, and the default current organization is that of the handshake's own action.
    reasons = (no_match("Join", "Action", "INVITE", "ENABLE_ALL_FEATURES"),)
    texts = version([document(allow(Action="ENABLE_ALL_FEATURES"))])
    assert result == Decision(DecisionKind.NO_MATCH, reasons, texts, near_miss=True)


@pytest.mark.parametrize(
    ("statements", "near"),
    [
        ((), False),
        ((allow(Origin={"OrganizationId": SANDBOX, "ManagementAccountId": SANDBOX_MANAGEMENT}),), False),
        ((allow(Origin={"OrganizationId": SANDBOX, "ManagementAccountId": MANAGEMENT}),), True),
        ((allow(Origin={"OrganizationId": ORGANIZATION, "ManagementAccountId": SANDBOX_MANAGEMENT}),), True),
        ((allow(Condition={"CurrentOrganization": SANDBOX}),), True),
        ((deny(Condition={"NotAfter": "2020-01-01T00:00:00Z"}, Origin=ORIGIN),), False),
    ],
)
def test_what_an_allow_names_in_part_is_a_near_miss(statements: tuple[dict[str, Any], ...], near: bool) -> None:
    result = decided(*statements)
    assert (result.kind, result.near_miss) == (DecisionKind.NO_MATCH, near)


def test_what_the_role_may_not_accept_is_a_near_miss_only_if_an_allow_names_its_origin() -> None:
    assert decided(allow(), account=MANAGER).near_miss
    assert not decided(account=MANAGER).near_miss


def test_what_is_decided_is_no_near_miss() -> None:
    assert not decided(allow()).near_miss
    assert not decided(allow(), deny()).near_miss


def test_what_cannot_be_answered_is_ineligible() -> None:
    reasons = (Reason("NOT_PENDING", "it is ACCEPTED already", (("state", "ACCEPTED"),)),)
    assert decided(allow(), State="ACCEPTED") == Decision(
        DecisionKind.INELIGIBLE, reasons, version([document(allow())])
    )


def test_a_policy_with_a_mistake_allows_nothing() -> None:
    invalid = InvalidPolicy((PolicyError("policy/a", "/Statement/0", "is wrong"), PolicyError("policy/b", "", "empty")))
    reasons = (
        Reason(
            "POLICY_INVALID",
            "policy/a: /Statement/0: is wrong",
            (("document", "policy/a"), ("pointer", "/Statement/0")),
        ),
        Reason("POLICY_INVALID", "policy/b: empty", (("document", "policy/b"), ("pointer", ""))),
    )
    assert decide(handshake(), invalid, STANDALONE, NOW) == Decision(DecisionKind.POLICY_INVALID, reasons, "")


@pytest.mark.parametrize(("count", "more"), [(1, ""), (10, ""), (11, "1 more mistake"), (25, "15 more mistakes")])
def test_ten_mistakes_are_spelt_out_and_the_rest_counted(count: int, more: str) -> None:
    parts = [InvalidPolicy((PolicyError("a", f"/{number}", "is wrong"),)) for number in range(count)]
    invalid = InvalidPolicy.together(*parts)
    assert invalid.count == count
    reasons = decide(handshake(), invalid, STANDALONE, NOW).reasons
    spelt = [dict(reason.facts)["pointer"] for reason in reasons if reason.facts]
    assert spelt == [f"/{number}" for number in range(min(count, 10))]
    rest = [reason for reason in reasons if not reason.facts]
    assert rest == ([Reason("POLICY_INVALID", f"and {more}")] if more else [])


def test_a_decision_has_no_sid_unless_a_statement_decided() -> None:
    assert decided(allow(), State="EXPIRED").sids == ()
    assert decided().sids == ()
    assert decided(deny(Action="TRANSFER_RESPONSIBILITY")).sids == ()


def test_every_statement_that_decides_is_named_by_sid() -> None:
    result = decided(allow("C"), allow("A"), allow("B"), allow("D", Origin=ORIGIN | {"OrganizationId": SANDBOX}))
    assert result.sids == ("A", "B", "C")
    assert result.reasons == (allowed_by("A"), allowed_by("B"), allowed_by("C"))
    result = decided(deny("D"), deny("B", Origin=ORIGIN), deny("C", Action="INVITE"), allow("A"))
    assert result.sids == ("B", "C", "D")
    assert set(result.reasons) == {denied_by("B"), denied_by("C"), denied_by("D")}


# -- what comes first


def invalid_handshake() -> InvalidHandshake:
    parsed = Handshake.from_api({}, listed=True)
    assert isinstance(parsed, InvalidHandshake)
    return parsed


def test_an_unusable_handshake_is_ineligible_with_its_own_reasons() -> None:
    result = decide(invalid_handshake(), policy(allow()), STANDALONE, NOW)
    assert result == Decision(DecisionKind.INELIGIBLE, invalid_handshake().reasons, version([document(allow())]))
    assert decide(invalid_handshake(), InvalidPolicy(()), STANDALONE, NOW).kind is DecisionKind.INELIGIBLE


def test_what_nobody_can_answer_is_ineligible_whatever_the_policy() -> None:
    expired = handshake(State="EXPIRED")
    result = decide(expired, InvalidPolicy((PolicyError("a", "", "is wrong"),)), UNKNOWN, NOW)
    assert (result.kind, result.policy_version) == (DecisionKind.INELIGIBLE, "")


def test_an_invalid_policy_is_said_before_the_role_is_looked_at() -> None:
    # The account is looked up only when something is pending and the policy could allow it.
    result = decide(handshake(), InvalidPolicy((PolicyError("a", "", "is wrong"),)), UNKNOWN, NOW)
    assert result.kind is DecisionKind.POLICY_INVALID


def test_a_role_that_may_not_accept_is_said_before_any_statement() -> None:
    assert kind(deny(), decline(), account=MANAGER) == "INELIGIBLE"


# -- ineligible


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"State": state}, Reason("NOT_PENDING", f"it is {state} already", (("state", state),)))
        for state in ("CANCELED", "ACCEPTED", "DECLINED", "EXPIRED")
    ]
    + [
        (
            {"ExpirationTimestamp": "2026-11-21T12:00:00+00:00"},
            Reason("EXPIRED", "it has expired", (("expires_at", "2026-11-21T12:00:00+00:00"),)),
        ),
        (
            {"partition": "aws-cn"},
            Reason(
                "OTHER_PARTITION", "its Arn is of another partition", (("seen", "aws-cn"), ("own", "aws"))
            ),
        ),
        (
            {"addressee": "999999999999"},
            Reason("OTHER_ADDRESSEE", "it is addressed to another account", (("seen", ("999999999999",)),)),
        ),
        (
            {"Resources": [{"Type": "ACCOUNT", "Value": "000000000000"}]},
            Reason("OTHER_ADDRESSEE", "it is addressed to another account", (("seen", ("000000000000", OWN)),)),
        ),
        (
            {"listed": False, "Parties": [{"Type": "EMAIL", "Id": "mary@example.com"}]},
            Reason("NOT_LISTED", "it is addressed to no account, and this account's own list does not show it"),
        ),
        (
            {"listed": False, "Parties": []},
            Reason("NOT_LISTED", "it is addressed to no account, and this account's own list does not show it"),
        ),
    ],
)  # fmt: skip
def test_a_handshake_that_is_not_ours_to_answer_is_ineligible(changes: dict[str, Any], reason: Reason) -> None:
    result = decided(allow(), decline(), **changes)
    assert (result.kind, result.reasons, result.sids) == (DecisionKind.INELIGIBLE, (reason,), ())


def test_all_that_makes_it_ineligible_is_said() -> None:
    result = decided(
        State="DECLINED", ExpirationTimestamp=0, partition="aws-us-gov", addressee="999999999999", listed=False
    )
    assert [reason.code for reason in result.reasons] == [
        "NOT_PENDING",
        "EXPIRED",
        "OTHER_PARTITION",
        "OTHER_ADDRESSEE",
    ]


def test_at_most_ten_other_addressees_are_spelt_out() -> None:
    accounts = [f"9999999999{number:02}" for number in range(12)]
    reasons = decided(Resources=[{"Type": "ACCOUNT", "Value": account} for account in accounts]).reasons
    assert dict(reasons[0].facts)["seen"] == (OWN, *accounts[:9])


@pytest.mark.parametrize("state", ["REQUESTED", "OPEN"])
@pytest.mark.parametrize("listed", [True, False])
def test_what_is_addressed_to_this_account_need_not_be_listed(state: str, listed: bool) -> None:
    assert kind(allow(), State=state, listed=listed) == "ACCEPT"


@pytest.mark.parametrize("parties", [[], [{"Type": "EMAIL", "Id": "mary@example.com"}]])
def test_what_our_own_list_shows_is_ours(parties: list[Any]) -> None:
    assert kind(allow(), Parties=parties, listed=True) == "ACCEPT"


def test_another_partition_is_fine_where_it_is_our_own() -> None:
    account = Account(OWN, "aws-us-gov", Role.STANDALONE, "NONE")
    assert kind(allow(), partition="aws-us-gov", account=account) == "ACCEPT"
    assert kind(allow(), account=account) == "INELIGIBLE"


@pytest.mark.parametrize(
    ("now", "expected"), [(EXPIRES - INSTANT, "ACCEPT"), (EXPIRES, "INELIGIBLE"), (EXPIRES + INSTANT, "INELIGIBLE")]
)
def test_it_expires_at_the_very_instant(now: datetime, expected: str) -> None:
    assert kind(allow(), now=now) == expected


def test_the_zone_of_now_does_not_matter() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert kind(allow(), now=(EXPIRES - INSTANT).astimezone(tokyo)) == "ACCEPT"
    assert kind(allow(), now=EXPIRES.astimezone(tokyo)) == "INELIGIBLE"


def test_a_transfer_may_name_both_management_accounts() -> None:
    transfer = allow(Action="TRANSFER_RESPONSIBILITY", Condition={"CurrentOrganization": "ANY"})
    parties = [{"Type": "ACCOUNT", "Id": MANAGEMENT}, {"Type": "ACCOUNT", "Id": OWN}]
    changes = {"Action": "TRANSFER_RESPONSIBILITY", "Parties": parties, "account": MANAGER, "listed": False}
    assert kind(transfer, **changes) == "ACCEPT"


def test_an_invitation_of_somebody_else_is_not_ours_because_it_is_listed() -> None:
    assert kind(allow(), addressee="999999999999", listed=True) == "INELIGIBLE"


def test_an_invitation_that_names_only_its_sender_is_ours_only_where_our_own_list_shows_it() -> None:
    assert kind(allow(), addressee=MANAGEMENT, listed=True) == "ACCEPT"
    assert kind(allow(), addressee=MANAGEMENT, listed=False) == "INELIGIBLE"


def test_an_approval_is_addressed_to_the_management_account_itself() -> None:
    account = Account(MANAGEMENT, "aws", Role.MANAGEMENT, ORGANIZATION)
    statement = allow(Action="APPROVE_ALL_FEATURES")
    changes = {"Action": "APPROVE_ALL_FEATURES", "addressee": MANAGEMENT}
    assert kind(statement, account=account, listed=True, **changes) == "ACCEPT"
    assert kind(statement, account=account, listed=False, **changes) == "ACCEPT"


# -- roles


def everything(action: str) -> dict[str, Any]:
    """An Allow of this action in whichever organization the accounts of this file are."""
    transfer = action == "TRANSFER_RESPONSIBILITY"
    return allow(Action=action, Condition={"CurrentOrganization": "ANY" if transfer else ["NONE", ORGANIZATION]})


ACCEPTED_BY = {
    ("INVITE", "STANDALONE"),
    ("INVITE", "MEMBER"),
    ("ENABLE_ALL_FEATURES", "MEMBER"),
    ("APPROVE_ALL_FEATURES", "MANAGEMENT"),
    ("APPROVE_ALL_FEATURES", "MEMBER"),
    ("ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE", "MEMBER"),
    ("TRANSFER_RESPONSIBILITY", "MANAGEMENT"),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", list(Role))
def test_who_may_accept_what(action: str, role: Role) -> None:
    result = decided(everything(action), Action=action, account=OF_ROLE[role])
    if (action, role.value) in ACCEPTED_BY:
        assert (result.kind, result.reasons) == (DecisionKind.ACCEPT, (allowed_by("Join"),))
    elif role is Role.UNKNOWN:
        text = "which organization this account is in could not be found out"
        assert result.reasons == (Reason("CURRENT_ORGANIZATION_UNKNOWN", text),)
        assert result.kind is DecisionKind.INELIGIBLE
    else:
        roles = tuple(sorted(allowed.value for allowed in MAY_ACCEPT[Action(action)]))
        text = f"{action} cannot be accepted by a {role} account"
        assert result.reasons == (Reason("ROLE", text, (("seen", role.value), ("allowed", roles))),)
        assert result.kind is DecisionKind.INELIGIBLE


def test_roles_are_named_in_order() -> None:
    assert dict(decided(account=MANAGER).reasons[0].facts) == {
        "seen": "MANAGEMENT",
        "allowed": ("MEMBER", "STANDALONE"),
    }


@pytest.mark.parametrize("statement", [deny(), decline(), everything("INVITE")])
def test_where_the_current_organization_is_unknown_nothing_is_done(statement: dict[str, Any]) -> None:
    assert kind(statement, account=UNKNOWN) == "INELIGIBLE"


@pytest.mark.parametrize("role", [Role.MEMBER, Role.MANAGEMENT])
def test_an_unknown_organization_of_a_known_role_does_nothing_either(role: Role) -> None:
    action = "INVITE" if role is Role.MEMBER else "TRANSFER_RESPONSIBILITY"
    account = Account(OWN, "aws", role, "UNKNOWN")
    statement = decline() if role is Role.MEMBER else everything(action)
    assert kind(statement, Action=action, account=account) == "INELIGIBLE"


# -- the current organization


def in_organization(organization: str, role: Role | None = None) -> Account:
    if organization == "NONE":
        return STANDALONE
    return Account(OWN, "aws", role or Role.MEMBER, organization)


OWN_ONE = ["ENABLE_ALL_FEATURES", "APPROVE_ALL_FEATURES", "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"]


def role_for(action: str) -> Role:
    return Role.MANAGEMENT if Role.MANAGEMENT in MAY_ACCEPT[Action(action)] else Role.MEMBER


@pytest.mark.parametrize(
    ("organization", "expected"), [("NONE", "ACCEPT"), (ORGANIZATION, "NO_MATCH"), (SANDBOX, "NO_MATCH")]
)
def test_an_invitation_is_for_a_standalone_account_unless_said(organization: str, expected: str) -> None:
    result = decided(allow(), account=in_organization(organization))
    assert result.kind.value == expected
    if expected == "NO_MATCH":
        assert result.reasons == (no_match("Join", "Condition.CurrentOrganization", organization, "NONE"),)


@pytest.mark.parametrize("action", OWN_ONE)
@pytest.mark.parametrize(("organization", "expected"), [(ORGANIZATION, "ACCEPT"), (SANDBOX, "NO_MATCH")])
def test_the_features_are_for_the_origins_own_organization_unless_said(
    action: str, organization: str, expected: str
) -> None:
    account = in_organization(organization, role_for(action))
    result = decided(allow(Action=action), Action=action, account=account)
    assert result.kind.value == expected
    if expected == "NO_MATCH":
        assert result.reasons == (no_match("Join", "Condition.CurrentOrganization", organization, ORGANIZATION),)


@pytest.mark.parametrize("action", OWN_ONE)
def test_the_default_is_that_of_the_handshakes_action_not_of_the_statements(action: str) -> None:
    both = allow(Action=["INVITE", action])
    assert kind(both) == "ACCEPT"
    assert kind(both, account=MEMBER) == "NO_MATCH"
    assert kind(both, Action=action, account=in_organization(ORGANIZATION, role_for(action))) == "ACCEPT"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("said", [SANDBOX, [SANDBOX], ["NONE", SANDBOX]])
def test_what_is_said_replaces_the_default(action: str, said: str | list[str]) -> None:
    statement = allow(Action=action, Condition={"CurrentOrganization": said})
    role = role_for(action)
    assert kind(statement, Action=action, account=in_organization(SANDBOX, role)) == "ACCEPT"
    assert kind(statement, Action=action, account=in_organization(THIRD, role)) == "NO_MATCH"
    assert kind(statement, Action=action, account=in_organization(ORGANIZATION, role)) == "NO_MATCH"


def test_standalone_is_said_as_none() -> None:
    assert kind(allow(Condition={"CurrentOrganization": "NONE"})) == "ACCEPT"
    assert kind(allow(Condition={"CurrentOrganization": SANDBOX})) == "NO_MATCH"
    assert kind(allow(Condition={"CurrentOrganization": "NONE"}), account=MEMBER) == "NO_MATCH"


@pytest.mark.parametrize("organization", [ORGANIZATION, SANDBOX, THIRD])
def test_a_transfer_can_be_allowed_anywhere(organization: str) -> None:
    account = in_organization(organization, Role.MANAGEMENT)
    statement = allow(Action="TRANSFER_RESPONSIBILITY", Condition={"CurrentOrganization": "ANY"})
    assert kind(statement, Action="TRANSFER_RESPONSIBILITY", account=account) == "ACCEPT"


def test_an_allow_of_a_transfer_that_states_nothing_matches_nowhere() -> None:
    # Documents cannot say this; whoever builds statements otherwise is not believed either.
    (stated,) = policy(everything("TRANSFER_RESPONSIBILITY")).statements
    bare = Policy([dataclasses.replace(stated, current_organizations=frozenset())], "v")
    result = decide(handshake(Action="TRANSFER_RESPONSIBILITY"), bare, MANAGER, NOW)
    assert result.kind is DecisionKind.NO_MATCH
    (reason,) = result.reasons
    assert reason.message == f"Join: Condition.CurrentOrganization is {ORGANIZATION}, the statement has nothing"


@pytest.mark.parametrize("organization", ["NONE", ORGANIZATION, SANDBOX])
def test_a_deny_matches_in_every_organization_unless_said(organization: str) -> None:
    account = in_organization(organization)
    allowed = allow(Condition={"CurrentOrganization": ["NONE", ORGANIZATION, SANDBOX]})
    assert kind(allowed, deny(), account=account) == "DENY"
    said = deny(Condition={"CurrentOrganization": SANDBOX})
    assert kind(allowed, said, account=account) == ("DENY" if organization == SANDBOX else "ACCEPT")


def test_a_deny_of_a_transfer_may_say_any() -> None:
    said = deny(Action="TRANSFER_RESPONSIBILITY", Condition={"CurrentOrganization": "ANY"})
    assert (
        kind(everything("TRANSFER_RESPONSIBILITY"), said, Action="TRANSFER_RESPONSIBILITY", account=MANAGER) == "DENY"
    )


# -- time


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-11))])
@pytest.mark.parametrize(
    ("condition", "now", "matches"),
    [
        ({"NotBefore": "2026-11-21T12:00:00Z"}, NOW - INSTANT, False),
        ({"NotBefore": "2026-11-21T12:00:00Z"}, NOW, True),
        ({"NotBefore": "2026-11-21T12:00:00Z"}, NOW + INSTANT, True),
        ({"NotAfter": "2026-11-21T12:00:00Z"}, NOW - INSTANT, True),
        ({"NotAfter": "2026-11-21T12:00:00Z"}, NOW, True),
        ({"NotAfter": "2026-11-21T12:00:00Z"}, NOW + INSTANT, False),
        ({"NotBefore": "2026-11-21T13:00:00+01:00", "NotAfter": "2026-11-21T12:00:00Z"}, NOW - INSTANT, False),
        ({"NotBefore": "2026-11-21T13:00:00+01:00", "NotAfter": "2026-11-21T12:00:00Z"}, NOW, True),
        ({"NotBefore": "2026-11-21T13:00:00+01:00", "NotAfter": "2026-11-21T12:00:00Z"}, NOW + INSTANT, False),
    ],
)
def test_both_bounds_belong_to_the_window(
    effect: str, zone: timezone, condition: dict[str, str], now: datetime, matches: bool
) -> None:
    statements = [allow(Condition=condition)] if effect == "Allow" else [allow(), deny(Condition=condition)]
    result = decided(*statements, now=now.astimezone(zone))
    assert (result.kind.value in ("ACCEPT", "DENY")) == (matches or effect == "Deny")
    assert (
        result.kind.value
        == {
            ("Allow", True): "ACCEPT",
            ("Allow", False): "NO_MATCH",
            ("Deny", True): "DENY",
            ("Deny", False): "ACCEPT",
        }[effect, matches]
    )


def test_a_window_that_is_shut_is_explained() -> None:
    early = decided(allow(Condition={"NotBefore": "2026-12-01T01:00:00+01:00", "NotAfter": "2026-12-02T00:00:00Z"}))
    seen = "2026-11-21T12:00:00+00:00"
    assert early.reasons == (no_match("Join", "Condition.NotBefore", seen, "2026-12-01T00:00:00+00:00"),)
    late = decided(allow(Condition={"NotBefore": "2026-11-01T00:00:00Z", "NotAfter": "2026-11-02T00:00:00.5Z"}))
    assert late.reasons == (no_match("Join", "Condition.NotAfter", seen, "2026-11-02T00:00:00.500000+00:00"),)


# -- fields


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({}, True),
        ({"Action": ["ENABLE_ALL_FEATURES", "INVITE"]}, True),
        ({"Action": "ENABLE_ALL_FEATURES"}, False),
        ({"Origin": ORIGIN | {"OrganizationId": [SANDBOX, ORGANIZATION]}}, True),
        ({"Origin": ORIGIN | {"OrganizationId": SANDBOX}}, False),
        ({"Origin": ORIGIN | {"OrganizationId": ORGANIZATION + "x"}}, False),
        ({"Origin": ORIGIN | {"OrganizationId": ORGANIZATION[:-1]}}, False),
        ({"Origin": ORIGIN | {"ManagementAccountId": [SANDBOX_MANAGEMENT, MANAGEMENT]}}, True),
        ({"Origin": ORIGIN | {"ManagementAccountId": SANDBOX_MANAGEMENT}}, False),
        ({"Origin": {"OrganizationId": SANDBOX, "ManagementAccountId": SANDBOX_MANAGEMENT}}, False),
    ],
)
def test_all_fields_of_an_allow_must_match(changes: dict[str, Any], matches: bool) -> None:
    assert kind(allow(**changes)) == ("ACCEPT" if matches else "NO_MATCH")


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({}, True),
        ({"Origin": {}}, True),
        ({"Condition": {}}, True),
        ({"Action": "INVITE"}, True),
        ({"Action": ["INVITE", "ENABLE_ALL_FEATURES"]}, True),
        ({"Action": "ENABLE_ALL_FEATURES"}, False),
        ({"Origin": {"OrganizationId": ORGANIZATION}}, True),
        ({"Origin": {"OrganizationId": [SANDBOX, ORGANIZATION]}}, True),
        ({"Origin": {"OrganizationId": SANDBOX}}, False),
        ({"Origin": {"ManagementAccountId": MANAGEMENT}}, True),
        ({"Origin": {"ManagementAccountId": [SANDBOX_MANAGEMENT, MANAGEMENT]}}, True),
        ({"Origin": {"ManagementAccountId": SANDBOX_MANAGEMENT}}, False),
        ({"Origin": ORIGIN}, True),
        ({"Origin": ORIGIN | {"ManagementAccountId": SANDBOX_MANAGEMENT}}, False),
        ({"Origin": ORIGIN | {"OrganizationId": SANDBOX}}, False),
        ({"Action": "ENABLE_ALL_FEATURES", "Origin": ORIGIN}, False),
        ({"Action": "INVITE", "Origin": {"ManagementAccountId": MANAGEMENT}}, True),
        ({"Action": "ENABLE_ALL_FEATURES", "Origin": {"ManagementAccountId": MANAGEMENT}}, False),
    ],
)
def test_what_a_deny_leaves_out_it_matches_all_of(changes: dict[str, Any], matches: bool) -> None:
    result = decided(allow(), deny(**changes))
    assert (result.kind, result.sids) == (
        (DecisionKind.DENY, ("Never",)) if matches else (DecisionKind.ACCEPT, ("Join",))
    )


def test_one_allow_that_matches_is_enough() -> None:
    foreign = allow("Foreign", Origin={"OrganizationId": SANDBOX, "ManagementAccountId": SANDBOX_MANAGEMENT})
    assert decided(foreign, allow("A", Action="ENABLE_ALL_FEATURES"), allow("B")).sids == ("B",)


def test_two_half_matches_are_no_match() -> None:
    halves = [
        allow("A", Origin=ORIGIN | {"ManagementAccountId": SANDBOX_MANAGEMENT}),
        allow("B", Origin=ORIGIN | {"OrganizationId": SANDBOX}),
    ]
    assert kind(*halves) == "NO_MATCH"


# -- deny and decline


@pytest.mark.parametrize(
    ("statements", "expected", "sids"),
    [
        ([deny()], "DENY", ("Never",)),
        ([decline()], "DECLINE", ("Refuse",)),
        ([decline("A"), decline("B")], "DECLINE", ("A", "B")),
        ([deny(), decline()], "DENY", ("Never", "Refuse")),
        ([decline(), deny("Z", Respond="LeavePending")], "DENY", ("Refuse", "Z")),
        ([decline(), deny(Action="ENABLE_ALL_FEATURES")], "DECLINE", ("Refuse",)),
        ([decline(Action="ENABLE_ALL_FEATURES"), deny()], "DENY", ("Never",)),
        ([decline(Action="ENABLE_ALL_FEATURES")], "ACCEPT", ("Join",)),
        ([decline(Condition={"NotAfter": "2026-11-21T11:59:59Z"})], "ACCEPT", ("Join",)),
    ],
)
def test_leave_pending_wins_over_decline_and_both_over_allow(
    statements: list[Any], expected: str, sids: tuple[str, ...]
) -> None:
    result = decided(allow(), *statements)
    assert (result.kind.value, result.sids) == (expected, sids)


def test_a_deny_needs_no_allow() -> None:
    assert kind(deny()) == "DENY"
    assert kind(decline()) == "DECLINE"


# -- the nearest statements


def test_a_policy_without_any_allow_says_so() -> None:
    reasons = (Reason("NOTHING_ALLOWED", "the policy has no Allow statement"),)
    assert decided().reasons == reasons
    assert decided(deny(Origin={"OrganizationId": SANDBOX})).reasons == reasons


def test_every_field_that_does_not_match_is_named_with_what_was_seen_and_what_is_allowed() -> None:
    statement = allow(
        Action=["ENABLE_ALL_FEATURES", "APPROVE_ALL_FEATURES"],
        Origin={"OrganizationId": [THIRD, SANDBOX], "ManagementAccountId": [THIRD_MANAGEMENT, SANDBOX_MANAGEMENT]},
        Condition={
            "CurrentOrganization": [SANDBOX, "NONE"],
            "NotBefore": "2027-01-01T00:00:00Z",
            "NotAfter": "2027-02-01T00:00:00Z",
        },
    )
    assert decided(statement, account=MEMBER).reasons == (
        no_match("Join", "Action", "INVITE", "APPROVE_ALL_FEATURES", "ENABLE_ALL_FEATURES"),
        no_match("Join", "Origin.OrganizationId", ORGANIZATION, SANDBOX, THIRD),
        no_match("Join", "Origin.ManagementAccountId", MANAGEMENT, SANDBOX_MANAGEMENT, THIRD_MANAGEMENT),
        no_match("Join", "Condition.CurrentOrganization", ORGANIZATION, "NONE", SANDBOX),
        no_match("Join", "Condition.NotBefore", "2026-11-21T12:00:00+00:00", "2027-01-01T00:00:00+00:00"),
    )


def misses(sid: str, what: str) -> dict[str, Any]:
    """An Allow that never matches, and that misses the `o`rganization, the `m`anagement account, the `a`ction."""
    return allow(
        sid,
        Action="ENABLE_ALL_FEATURES" if "a" in what else "INVITE",
        Origin={
            "OrganizationId": SANDBOX if "o" in what else ORGANIZATION,
            "ManagementAccountId": SANDBOX_MANAGEMENT if "m" in what else MANAGEMENT,
        },
        Condition={"CurrentOrganization": THIRD},
    )


def all_miss(sids: str, what: str) -> dict[str, str]:
    return dict.fromkeys(sids, what)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"A": ""}, "A"),
        ({"A": "oma"}, "A"),
        ({"A": "oma", "B": "om", "C": "m"}, "CBA"),
        ({"A": "oma", "B": "oa", "C": "a"}, "CBA"),
        ({"A": "oma", "B": "ma", "C": "o"}, "CBA"),
        ({"D": "", "C": "m", "B": "o", "A": "a"}, "DAB"),
        ({"D": "", "C": "", "B": "", "A": "oma"}, "BCD"),
        ({"E": "", "D": "", "C": "", "B": "", "A": "oma"}, "BCD"),
        (all_miss("FEDCBA", "oma"), "ABC"),
        (all_miss("FEDCBA", "o"), "ABC"),
        (all_miss("FEDCBA", "om"), "ABC"),
        (all_miss("FEDCBA", "oa"), "ABC"),
        (all_miss("ABCDE", "oma") | {"Z": "oa"}, "ZAB"),
        (all_miss("ABCDE", "oma") | {"Z": "om"}, "ZAB"),
        (all_miss("ABCD", "om") | {"Z": "o"}, "ZAB"),
        (all_miss("ABCD", "oa") | {"Z": "o"}, "ZAB"),
        (all_miss("ABCD", "oa") | all_miss("EFGH", "om") | {"Z": "o"}, "ZAB"),
        (all_miss("ABCD", "o") | {"Z": ""}, "ZAB"),
        (all_miss("ABCD", "oma") | {"Y": "oa", "Z": "om"}, "YZA"),
    ],
)
def test_the_three_nearest_statements_are_explained_nearest_first(given: dict[str, str], nearest: str) -> None:
    found = policy(*(misses(sid, what) for sid, what in given.items()))
    assert [statement.sid for statement in found.near(handshake())] == list(nearest)
    reasons = decide(handshake(), found, STANDALONE, NOW).reasons
    assert list(dict.fromkeys(dict(reason.facts)["sid"] for reason in reasons)) == list(nearest)


@pytest.mark.parametrize(("count", "more"), [(9, ""), (10, ""), (11, " and 1 more"), (30, " and 20 more")])
def test_ten_allowed_values_are_spelt_out_and_the_rest_counted(count: int, more: str) -> None:
    ids = [f"o-other{number:06}" for number in range(count)]
    (reason,) = decided(allow(Origin=ORIGIN | {"OrganizationId": ids[::-1]})).reasons
    assert reason.message == (
        f"Join: Origin.OrganizationId is {ORGANIZATION}, the statement has {', '.join(ids[:10])}{more}"
    )
    assert dict(reason.facts)["allowed"] == tuple(ids[:10])


def test_a_deny_is_never_among_the_nearest() -> None:
    found = policy(allow(Action="ENABLE_ALL_FEATURES"), deny(Action="ENABLE_ALL_FEATURES"))
    assert [statement.sid for statement in found.near(handshake())] == ["Join"]


# -- the index


def test_only_statements_that_name_this_organization_are_looked_at() -> None:
    foreign = {"OrganizationId": SANDBOX, "ManagementAccountId": SANDBOX_MANAGEMENT}
    found = policy(
        allow("B"),
        allow("A"),
        allow("Foreign", Origin=foreign),
        allow("OtherManagement", Origin=ORIGIN | {"ManagementAccountId": SANDBOX_MANAGEMENT}),
        deny("DenyForeign", Origin=foreign),
        deny("DenyForeignAccount", Origin={"ManagementAccountId": SANDBOX_MANAGEMENT}),
        deny("DenyOrganization", Origin={"OrganizationId": ORGANIZATION}),
        deny("DenyAccount", Origin={"ManagementAccountId": MANAGEMENT}),
        deny("DenyAll", Action="ENABLE_ALL_FEATURES"),
    )
    assert [statement.sid for statement in found.allows(handshake())] == ["A", "B", "OtherManagement"]
    assert {statement.sid for statement in found.denies(handshake())} == {"DenyOrganization", "DenyAccount", "DenyAll"}


def test_what_is_not_in_the_index_is_no_statement() -> None:
    assert policy().allows(handshake()) == []
    assert policy().denies(handshake()) == []
    assert policy().near(handshake()) == []


def test_statements_are_kept_by_sid() -> None:
    assert [found.sid for found in policy(allow("b"), allow("B"), deny("a")).statements] == ["B", "a", "b"]


# -- recorded handshakes


@pytest.mark.parametrize(
    ("name", "account", "listed", "expected"),
    [
        ("invite-by-account", STANDALONE, False, "ACCEPT"),
        ("invite-by-account", MEMBER, False, "NO_MATCH"),
        ("invite-by-account", MANAGER, False, "INELIGIBLE"),
        ("invite-by-email", STANDALONE, True, "ACCEPT"),
        ("invite-by-email", STANDALONE, False, "INELIGIBLE"),
        ("invite-party-without-prefix", STANDALONE, True, "ACCEPT"),
        ("enable-all-features", MEMBER, True, "ACCEPT"),
        ("enable-all-features", STANDALONE, True, "INELIGIBLE"),
    ],
)
def test_recorded_handshakes(name: str, account: Account, listed: bool, expected: str) -> None:
    statement = allow(Action=["INVITE", "ENABLE_ALL_FEATURES"])
    result = decide(Handshake.from_api(sample(name), listed=listed), policy(statement), account, NOW)
    assert result.kind.value == expected


def test_the_version_is_in_every_decision_of_a_valid_policy() -> None:
    texts = [document(allow()), document(deny(Action="ENABLE_ALL_FEATURES"))]
    loaded = load([Document(f"{index}", text) for index, text in enumerate(texts)])
    for changes in ({}, {"State": "EXPIRED"}, {"Action": "ENABLE_ALL_FEATURES"}, {"Id": "h-otherhandshake"}):
        assert decide(handshake(**changes), loaded, STANDALONE, NOW).policy_version == version(texts)


def test_the_mistakes_of_several_parts_are_added_up() -> None:
    parts = [InvalidPolicy((PolicyError("policy/a", "", "x"),) * 6, more=n, unchecked=n) for n in (2, 3)]
    together = InvalidPolicy.together(*parts)
    assert (len(together.errors), together.more, together.unchecked) == (10, 7, 5)
