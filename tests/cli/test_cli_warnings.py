"""Warnings about Allows that can never allow anything: found where they should be, and never wrongly."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake_acceptor.policy.decide import DecisionKind, Effect, Policy, decide
from handshake_acceptor.policy.documents import Document, load
from handshake_core.handshake import Account, Action, Handshake, Role, State
from handshakectl.policy import unreachable
from handshakectl.policy.ceiling import Ceiling, Origin
from local.world import allow, deny, document

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PAST, SOON, LATER = "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"
O1, O2 = "o-exampleorgid", "o-otherorgan1"
A1, A2 = "111111111111", "333333333333"
CEILING = Ceiling("cdk.json", (Origin(frozenset({O1}), frozenset({A1}), frozenset({"INVITE"})),))
EVERYWHERE = Ceiling("cdk.json", (Origin(frozenset({O1}), frozenset({A1}), frozenset()),))
TRANSFER = "TRANSFER_RESPONSIBILITY"


def found(*statements, ceiling=None):
    documents = [Document("policy.json", document(*statements))]
    policy = load(documents)
    assert isinstance(policy, Policy), policy
    return unreachable.find(policy, documents, NOW, ceiling)


def origin(**more):
    return {"Origin": more}


def when(**more):
    return {"Condition": more}


@pytest.mark.parametrize(
    ("statements", "ceiling", "why"),
    [
        ([allow(), deny()], None, "all of it is denied by Never"),
        ([allow(), deny(Action="INVITE")], None, "all of it is denied by Never"),
        ([allow(), deny(**origin(OrganizationId=[O1, O2]))], None, "all of it is denied by Never"),
        ([allow(), deny(**when(CurrentOrganization="NONE"))], None, "all of it is denied by Never"),
        ([allow(), deny(**when(NotBefore=PAST))], None, "all of it is denied by Never"),
        ([allow(**when(NotAfter=SOON)), deny(**when(NotAfter=LATER))], None, "all of it is denied by Never"),
        (
            [allow(), deny("A", **when(NotAfter=SOON)), deny("B", **when(NotBefore=SOON))],
            None,
            "all of it is denied by A, B",
        ),
        (
            [allow(organization=[O1, O2]), *(deny(o[2:], **origin(OrganizationId=o)) for o in (O1, O2))],
            None,
            "all of it is denied by exampleorgid, otherorgan1",
        ),
        (
            [allow(action=["ENABLE_ALL_FEATURES"]), deny(**when(CurrentOrganization=O1))],
            None,
            "all of it is denied by Never",
        ),
        ([allow(action=TRANSFER, **when(CurrentOrganization="ANY")), deny()], None, "all of it is denied by Never"),
        ([allow(**when(NotAfter=PAST))], None, "its NotAfter, 2026-11-01T00:00:00+00:00, is past"),
        ([allow(organization=O2)], CEILING, "all of it is outside the setting origins in cdk.json"),
        ([allow(account=A2)], CEILING, "outside the setting origins"),
        ([allow(action="ENABLE_ALL_FEATURES")], CEILING, "outside the setting origins"),
        (
            [allow(organization=[O1, O2]), deny(**origin(OrganizationId=O1))],
            CEILING,
            "all of it is denied by Never or outside the setting origins",
        ),
        ([allow(action="ENABLE_ALL_FEATURES", **when(CurrentOrganization="NONE"))], None, "accounts that may not"),
        ([allow(action=TRANSFER, **when(CurrentOrganization="NONE"))], None, "accounts that may not"),
    ],
)
def test_an_allow_that_never_allows_is_found(statements, ceiling, why):
    (warning,) = found(*statements, ceiling=ceiling)
    assert (warning.document, warning.pointer) == ("policy.json", "/Statement/0")
    assert warning.message.startswith("Join can never allow anything: ")
    assert why in warning.message


@pytest.mark.parametrize(
    ("statements", "ceiling"),
    [
        ([allow()], None),
        ([allow()], CEILING),
        ([allow(organization=[O1, O2], account=[A1, A2])], CEILING),
        ([allow(action="ENABLE_ALL_FEATURES")], EVERYWHERE),
        ([allow(), deny(Action="ENABLE_ALL_FEATURES")], None),
        ([allow(), deny(**origin(OrganizationId=O2))], None),
        ([allow(), deny(**origin(OrganizationId=O1, ManagementAccountId=A2))], None),
        ([allow(), deny(**when(CurrentOrganization=O1))], None),
        ([allow(), deny(**when(NotBefore=SOON))], None),
        ([allow(), deny(**when(NotAfter=SOON))], None),
        ([allow(**when(NotBefore=SOON)), deny(**when(NotBefore=LATER))], None),
        ([allow(), deny("A", **when(NotAfter=SOON)), deny("B", **when(NotBefore="2026-12-01T00:00:01Z"))], None),
        ([allow(action=TRANSFER, **when(CurrentOrganization="ANY")), deny(**when(CurrentOrganization=O1))], None),
        ([allow(organization=[O1, O2]), deny(**origin(OrganizationId=O1))], None),
        ([deny()], None),
        ([deny(**when(NotAfter=SOON))], None),
        ([deny(Action="ENABLE_ALL_FEATURES", **when(CurrentOrganization=["NONE", O1]))], None),
        ([deny(**when(CurrentOrganization="NONE"))], None),
    ],
)
def test_an_allow_that_can_still_allow_something_is_not_warned_about(statements, ceiling):
    assert found(*statements, ceiling=ceiling) == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (deny("Freeze", **when(NotAfter=PAST)), "its NotAfter, 2026-11-01T00:00:00+00:00, is past"),
        (deny("Freeze", **when(NotBefore="2025-12-20T00:00:00Z", NotAfter="2026-01-06T00:00:00Z")), "is past"),
        (deny("Freeze", Action="ENABLE_ALL_FEATURES", **when(CurrentOrganization="NONE")), "accounts that may not"),
    ],
)
def test_a_deny_that_never_denies_is_found(statement, why):
    (warning,) = found(allow(), statement)
    assert (warning.pointer, why in warning.message) == ("/Statement/1", True)
    assert warning.message.startswith("Freeze can never deny anything: ")


def test_the_end_of_time_is_no_trouble():
    end, start = "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"
    assert found(allow(), deny(**when(NotAfter=end)))
    assert not found(allow(), deny(**when(NotBefore=end)))
    assert found(allow(), deny(**when(NotBefore=start)))


def test_what_would_take_too_long_gets_no_warning(monkeypatch):
    monkeypatch.setattr(unreachable, "_MOST_DECISIONS", 10)
    assert found(allow(organization=[f"o-{n:010d}" for n in range(100)]), deny()) == []


def some(*values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


@st.composite
def statements(draw):
    made = []
    for number in range(draw(st.integers(1, 5))):
        effect = draw(st.sampled_from(["Allow", "Deny", "Deny"]))
        action, organization, account = draw(some("INVITE", "ENABLE_ALL_FEATURES")), draw(some(O1, O2)), draw(some(A1))
        statement = allow(f"S{number}", organization, account, action) | {"Effect": effect}
        if effect == "Deny":
            for key in draw(st.sets(st.sampled_from(["Action", "Origin"]))):
                del statement[key]
        condition = {}
        if draw(st.booleans()):
            condition["CurrentOrganization"] = draw(some("NONE", O1, O2))
        if draw(st.booleans()):
            key = draw(st.sampled_from(["NotBefore", "NotAfter"]))
            condition[key] = draw(st.sampled_from([PAST, SOON, LATER]))
        made.append(statement | ({"Condition": condition} if condition else {}))
    return made


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(statements())
def test_a_warning_is_given_exactly_where_nothing_is_ever_accepted_or_denied(made):
    """Against all handshakes, accounts and times of a small world."""
    documents = [Document("policy.json", json.dumps({"Version": "2026-01-01", "Statement": made}))]
    policy = load(documents)
    assert isinstance(policy, Policy)
    accepts, denies = set(), set()
    alone = [Policy((each,), "") for each in policy.statements if each.effect is Effect.DENY]
    marks = [datetime.fromisoformat(mark) for mark in (PAST, SOON, LATER)]
    times = [NOW, *(mark + timedelta(seconds=step) for mark in marks for step in (-1, 0, 1))]
    accounts = [
        ("NONE", Role.STANDALONE),
        *((o, r) for o in (O1, O2, "o-nobody0001") for r in (Role.MEMBER, Role.MANAGEMENT)),
    ]
    for action in (Action.INVITE, Action.ENABLE_ALL_FEATURES):
        for organization in (O1, O2):
            handshake = Handshake(
                "h-00000000", "", action, State.OPEN, "aws", organization, A1, frozenset(), NOW + timedelta(9999), True
            )
            for current, role in accounts:
                for time in times:
                    decision = decide(handshake, policy, Account("2" * 12, "aws", role, current), time)
                    if time >= NOW and decision.kind is DecisionKind.ACCEPT:
                        accepts.update(decision.sids)
                    for each in alone if time >= NOW else ():
                        denied = decide(handshake, each, Account("2" * 12, "aws", role, current), time)
                        denies.update(denied.sids if denied.kind is DecisionKind.DENY else ())
    warned = {warning.message.split()[0] for warning in unreachable.find(policy, documents, NOW)}
    assert warned == {statement["Sid"] for statement in made} - accepts - denies
