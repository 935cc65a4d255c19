"""What `compare` says is held against `decide`: random policies and situations, both ways, and examples by hand.

`COMPARE_PAIRS` says how many random pairs of policies; a small share is in every test run.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from handshake_acceptor.policy.decide import (
    ANY,
    NONE,
    Decision,
    DecisionKind,
    Effect,
    Policy,
    Respond,
    Statement,
    decide,
)
from handshake_acceptor.policy.documents import Document, load
from handshake_core.handshake import MAY_ACCEPT, Account, Action, Handshake, Role, State
from handshakectl.policy.comparison import OWN, Change, Changes, Kind, Names, Stretch, compare, sentences
from local.world import allow, deny, document

PAIRS = int(os.environ.get("COMPARE_PAIRS", "400"))
SITUATIONS = 25  # tried of each pair, besides one in every change
ALL_TRIED_OF = 12  # pairs, of which every situation is tried

ORGANIZATIONS = ["o-exampleorgid", "o-sandbox0001", "o-third000001"]
MANAGEMENTS = ["111111111111", "333333333333"]
EVERY_ORGANIZATION = [*ORGANIZATIONS, "o-stranger0001"]
EVERY_MANAGEMENT = [*MANAGEMENTS, "999999999999"]
TRANSFER = Action.TRANSFER_RESPONSIBILITY
MICROSECOND = timedelta(microseconds=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
BOUNDS = [NOON, NOON + MICROSECOND, NOON + timedelta(hours=1), NOON + timedelta(hours=2)]
MOMENTS = sorted(
    {bound + step for bound in BOUNDS for step in (-MICROSECOND, timedelta(0), MICROSECOND)}
    | {EARLIEST, LATEST - MICROSECOND}
)


# -- random policies and situations


def some(source: random.Random, values: list[str]) -> frozenset[str]:
    return frozenset(source.sample(values, source.choice((1, 1, 2, len(values)))))


def random_statement(source: random.Random, sid: str) -> Statement:
    """A statement that documents could say, of few values, so that many overlap."""
    effect = source.choice((Effect.ALLOW, Effect.ALLOW, Effect.DENY))
    respond = source.choice(list(Respond)) if effect is Effect.DENY else Respond.LEAVE_PENDING
    open_ended = effect is Effect.DENY and respond is Respond.LEAVE_PENDING

    def field(values: list[str]) -> frozenset[str]:
        return frozenset() if open_ended and source.random() < 0.5 else some(source, values)

    actions = frozenset(map(Action, field(list(Action))))
    current = frozenset() if source.random() < 0.5 else some(source, [NONE, *ORGANIZATIONS])
    if actions == {TRANSFER} and source.random() < 0.3:
        current = frozenset({ANY})
    if effect is Effect.ALLOW and TRANSFER in actions and not current:
        actions = actions - {TRANSFER} or frozenset({Action.INVITE})
    start = source.choice([None, None, *BOUNDS])
    end = source.choice([None, None, *BOUNDS, LATEST])
    if start and end and end < start:
        start, end = end, start
    origin = field(ORGANIZATIONS), field(MANAGEMENTS)
    return Statement(sid, effect, actions, *origin, current, start, end, respond)


def random_pair(source: random.Random) -> tuple[Policy, Policy]:
    """Two policies that mostly have statements in common."""
    base = [random_statement(source, f"S{number}") for number in range(source.randint(0, 5))]
    kept = [statement for statement in base if source.random() < source.choice((0, 0.7, 0.7))]
    added = [random_statement(source, f"T{number}") for number in range(source.choice((0, 1, 1, 4)))]
    return Policy(base, "base"), Policy([*kept, *added], "to")


def handshake(action: Action, organization: str, management: str) -> Handshake:
    never = LATEST
    return Handshake(
        "h-00000000", "", action, State.OPEN, "aws", organization, management, frozenset(), never, listed=True
    )


def account(role: Role, organization: str) -> Account:
    return Account("222222222222", "aws", role, organization)


HANDSHAKES = [handshake(*parts) for parts in product(Action, EVERY_ORGANIZATION, EVERY_MANAGEMENT)]
ACCOUNTS = [
    account(Role.STANDALONE, NONE),
    account(Role.UNKNOWN, "UNKNOWN"),
    *(account(role, organization) for role in (Role.MEMBER, Role.MANAGEMENT) for organization in EVERY_ORGANIZATION),
]
Situation = tuple[Handshake, Account, datetime]
ALL = list(product(HANDSHAKES, ACCOUNTS, MOMENTS))


def kinds(before: Decision, after: Decision) -> set[Kind]:
    """In which ways a decision is another, by the words of the kinds."""
    denied = (DecisionKind.DENY, DecisionKind.DECLINE)
    ways = [
        (Kind.NEWLY_ACCEPTED, Kind.NO_LONGER_ACCEPTED, (DecisionKind.ACCEPT,)),
        (Kind.NEWLY_DECLINED, Kind.NO_LONGER_DECLINED, (DecisionKind.DECLINE,)),
        (Kind.NEWLY_DENIED, Kind.NO_LONGER_DENIED, denied),
    ]
    changed = [(new, old, before.kind in those, after.kind in those) for new, old, those in ways]
    return {new if after_ else old for new, old, before_, after_ in changed if before_ is not after_}


def names_it(names: Names, name: str) -> bool:
    return (name in names.names) is not names.all_but


def covers(change: Change, asked: Handshake, asker: Account, now: datetime) -> bool:
    """Whether the change is about the decision on this handshake, for this account, at this moment."""

    current = change.current_organizations
    own = current == Names((OWN,))
    return (
        asked.action in change.actions
        and names_it(change.organizations, asked.organization_id)
        and names_it(change.management_accounts, asked.management_account_id)
        and (asker.organization == asked.organization_id if own else names_it(current, asker.organization))
        and asker.role in MAY_ACCEPT[asked.action]
        and any((each.since or EARLIEST) <= now <= (each.until or LATEST) for each in change.times)
    )


def check(base: Policy, to: Policy, changes: Changes, situation: Situation) -> set[Kind]:
    """Holds one situation against `decide`; returns the kinds that were named."""
    before, after = (decide(situation[0], policy, *situation[1:]) for policy in (base, to))
    expected = kinds(before, after)
    covering = [change for change in changes.changes if covers(change, *situation)]
    named = {change.kind for change in covering}
    about = (situation, before.kind, after.kind, before.sids, after.sids, sentences(changes))
    assert bool(named) is (before.kind is not after.kind), about
    assert named <= expected, about
    always = {Kind.NEWLY_ACCEPTED, Kind.NEWLY_DECLINED, Kind.NO_LONGER_ACCEPTED}
    assert expected & always <= named, about
    for change in covering:
        if change.kind in (Kind.NEWLY_ACCEPTED, Kind.NEWLY_DECLINED, Kind.NEWLY_DENIED):
            assert set(after.sids) <= set(change.sids_after), about
        else:
            assert set(before.sids) <= set(change.sids_before), about
    return named


def within(source: random.Random, change: Change) -> Situation:
    """A situation that the change names, put together from its fields."""

    def one(names: Names, every: list[str]) -> str:
        return source.choice([name for name in every if names_it(names, name)])

    action = source.choice(change.actions)
    organization = one(change.organizations, EVERY_ORGANIZATION)
    stretch = source.choice(change.times)
    accounts = [
        each
        for each in ACCOUNTS
        if each.role in MAY_ACCEPT[action]
        and (
            each.organization == organization
            if change.current_organizations == Names((OWN,))
            else names_it(change.current_organizations, each.organization)
        )
    ]
    assert {each.role for each in accounts} <= set(change.roles)
    sent = handshake(action, organization, one(change.management_accounts, EVERY_MANAGEMENT))
    moment = source.choice((stretch.since or EARLIEST, min(stretch.until or LATEST, LATEST - MICROSECOND)))
    return sent, source.choice(accounts), moment


def test_what_is_named_is_decided_otherwise_and_nothing_else_is() -> None:
    met: Counter[Kind] = Counter()
    for seed in range(PAIRS):
        source = random.Random(seed)
        base, to = random_pair(source)
        changes = compare(base, to)
        for situation in source.choices(ALL, k=SITUATIONS):
            check(base, to, changes, situation)
        for change in changes.changes:
            assert change.kind in check(base, to, changes, within(source, change)), seed
            met[change.kind] += 1
    assert set(met) == set(Kind)


def test_of_some_pairs_every_situation_is_tried_and_every_sid_is_needed() -> None:
    for seed in range(ALL_TRIED_OF):
        base, to = random_pair(random.Random(f"all {seed}"))
        changes = compare(base, to)
        before: dict[Change, set[str]] = {change: set() for change in changes.changes}
        after: dict[Change, set[str]] = {change: set() for change in changes.changes}
        for situation in ALL:
            covering = [change for change in changes.changes if covers(change, *situation)]
            decisions = [decide(situation[0], policy, *situation[1:]) for policy in (base, to)]
            assert bool(covering) is (decisions[0].kind is not decisions[1].kind)
            for change in covering:
                before[change].update(decisions[0].sids)
                after[change].update(decisions[1].sids)
        for change in changes.changes:
            assert set(change.sids_before) <= before[change], change
            assert set(change.sids_after) <= after[change], change


def test_the_same_policy_in_other_words_changes_nothing() -> None:
    for seed in range(PAIRS // 4):
        source = random.Random(f"rewording {seed}")
        base, _ = random_pair(source)
        assert compare(base, Policy(reworded(source, base.statements), "to")) == Changes(())


def reworded(source: random.Random, statements: tuple[Statement, ...]) -> list[Statement]:
    """The statements in another order, with other Sids, each split by one of its fields."""
    pieces = []
    for statement in statements:
        parts = {
            name: getattr(statement, name)
            for name in ("actions", "organization_ids", "management_account_ids", "current_organizations")
        }
        name = source.choice(list(parts))
        for value in parts[name] or [None]:
            changed = parts | ({name: frozenset({value})} if value else {})
            window = (statement.not_before, statement.not_after)
            pieces.append(Statement(f"R{len(pieces)}", statement.effect, *changed.values(), *window, statement.respond))
    source.shuffle(pieces)
    return pieces


# -- the lines are those that a person would write


def lines(base: list[dict[str, Any]], to: list[dict[str, Any]]) -> list[str]:
    policies = [load([Document("policy", document(*statements))]) for statements in (base, to)]
    assert all(isinstance(policy, Policy) for policy in policies), policies
    return sentences(compare(*policies))  # type: ignore[arg-type]


JOIN = allow("Join")
NEVER = deny("Never", Origin={"OrganizationId": "o-exampleorgid"})
ENABLE = allow("Enable", action="ENABLE_ALL_FEATURES")
IN_NONE = "INVITE from o-exampleorgid of 111111111111, for an account in none"
MARCH, APRIL = "2027-03-31T00:00:00Z", "2027-04-30T23:59:59Z"
ALL_OF_IT = "every action from o-exampleorgid of any management account"


def until(moment: str) -> dict[str, Any]:
    return {"Condition": {"NotAfter": moment}}


@pytest.mark.parametrize(
    ("base", "to", "said"),
    [
        pytest.param([], [JOIN], [f"newly accepted: {IN_NONE} (allowed by Join)"], id="an Allow comes"),
        pytest.param([JOIN], [], [f"no longer accepted: {IN_NONE} (until now allowed by Join)"], id="an Allow goes"),
        pytest.param(
            [],
            [JOIN | until(MARCH)],
            [f"newly accepted: {IN_NONE}, until {MARCH} (allowed by Join)"],
            id="an Allow comes for a time",
        ),
        pytest.param(
            [JOIN | until(MARCH)],
            [JOIN | until(APRIL)],
            [f"newly accepted: {IN_NONE}, after {MARCH} until {APRIL} (allowed by Join)"],
            id="a window is longer",
        ),
        pytest.param(
            [JOIN],
            [JOIN | {"Condition": {"NotBefore": MARCH, "NotAfter": APRIL}}],
            [f"no longer accepted: {IN_NONE}, before {MARCH} or after {APRIL} (until now allowed by Join)"],
            id="a window comes",
        ),
        pytest.param(
            [],
            [JOIN | {"Condition": {"NotBefore": MARCH, "NotAfter": MARCH}}],
            [f"newly accepted: {IN_NONE}, at {MARCH} (allowed by Join)"],
            id="a moment",
        ),
        pytest.param(
            [JOIN, NEVER],
            [JOIN],
            [
                f"newly accepted: {IN_NONE} (allowed by Join; until now denied by Never)",
                f"no longer denied: {ALL_OF_IT} (until now denied by Never)",
            ],
            id="a Deny goes and shows what it held",
        ),
        pytest.param(
            [JOIN, allow("Not") | {"Effect": "Deny", "Condition": {"CurrentOrganization": "NONE"}}],
            [JOIN],
            [f"newly accepted: {IN_NONE} (allowed by Join; until now denied by Not)"],
            id="a Deny goes that held one thing",
        ),
        pytest.param(
            [JOIN],
            [JOIN, NEVER],
            [
                f"no longer accepted: {IN_NONE} (until now allowed by Join; denied by Never)",
                f"newly denied: {ALL_OF_IT} (denied by Never)",
            ],
            id="a Deny comes",
        ),
        pytest.param(
            [NEVER, deny("Freeze")],
            [NEVER],
            [
                "no longer denied: every action from any organization other than o-exampleorgid"
                " of any management account (until now denied by Freeze)"
            ],
            id="a Deny of everything goes, and another holds",
        ),
        pytest.param(
            [deny("Freeze", **until(MARCH))],
            [],
            [f"no longer denied: every action from any origin, until {MARCH} (until now denied by Freeze)"],
            id="a Deny of everything goes",
        ),
        pytest.param(
            [
                deny("Org", Origin={"OrganizationId": "o-a000000000"}),
                deny("Acc", Origin={"ManagementAccountId": "1" * 12}),
            ],
            [],
            [
                "no longer denied: every action from o-a000000000 of any management account"
                " (until now denied by Acc and Org)",
                "no longer denied: every action from any organization of 111111111111"
                " (until now denied by Acc and Org)",
            ],
            id="two Denies that cross",
        ),
        pytest.param(
            [deny("All")],
            [deny("Rest", Action=["ENABLE_ALL_FEATURES", "APPROVE_ALL_FEATURES", "TRANSFER_RESPONSIBILITY"])],
            [
                "no longer denied: INVITE or ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE from any origin"
                " (until now denied by All)"
            ],
            id="a Deny holds less",
        ),
        pytest.param(
            [],
            [allow("Both", action=["INVITE", "ENABLE_ALL_FEATURES"], organization=["o-a000000000", "o-b000000000"])],
            [
                "newly accepted: INVITE from o-a000000000 or o-b000000000 of 111111111111, for an account in none"
                " (allowed by Both)",
                "newly accepted: ENABLE_ALL_FEATURES from o-a000000000 or o-b000000000 of 111111111111,"
                " for a member of the origin's own organization (allowed by Both)",
            ],
            id="two organizations, two actions, by default",
        ),
        pytest.param(
            [],
            [
                allow("One", ["o-a000000000", "o-b000000000"], ["111111111111", "222222222222"]),
                allow("Two", ["o-b000000000", "o-c000000000"], ["222222222222", "333333333333"]),
            ],
            [
                "newly accepted: INVITE from o-a000000000 or o-b000000000 of 111111111111 or 222222222222,"
                " for an account in none (allowed by One and Two)",
                "newly accepted: INVITE from o-b000000000 or o-c000000000 of 222222222222 or 333333333333,"
                " for an account in none (allowed by One and Two)",
            ],
            id="two Allows that overlap",
        ),
        pytest.param(
            [JOIN],
            [JOIN | {"Condition": {"CurrentOrganization": ["NONE", "o-oldcompany1", "o-oldcompany2"]}}],
            [
                "newly accepted: INVITE from o-exampleorgid of 111111111111,"
                " for a member of o-oldcompany1 or o-oldcompany2 (allowed by Join)"
            ],
            id="accounts may come from more organizations",
        ),
        pytest.param(
            [],
            [
                allow(
                    "Move",
                    action=["INVITE", "ENABLE_ALL_FEATURES"],
                    Condition={"CurrentOrganization": ["NONE", "o-oldcompany1"]},
                )
            ],
            [
                "newly accepted: INVITE or ENABLE_ALL_FEATURES from o-exampleorgid of 111111111111,"
                " for an account in none or o-oldcompany1 (allowed by Move)"
            ],
            id="what nobody can accept needs no line of its own",
        ),
        pytest.param(
            [],
            [allow("Bill", action="TRANSFER_RESPONSIBILITY", Condition={"CurrentOrganization": "ANY"})],
            [
                "newly accepted: TRANSFER_RESPONSIBILITY from o-exampleorgid of 111111111111,"
                " for the management account of any organization (allowed by Bill)"
            ],
            id="ANY",
        ),
        pytest.param(
            [JOIN],
            [JOIN, allow("Back") | {"Effect": "Deny", "Respond": "Decline"}],
            [
                "newly declined: INVITE from o-exampleorgid of 111111111111 (declined by Back)",
                f"no longer accepted: {IN_NONE} (until now allowed by Join; denied by Back)",
            ],
            id="it is sent back",
        ),
        pytest.param(
            [allow("Back") | {"Effect": "Deny", "Respond": "Decline"}],
            [NEVER],
            [
                "no longer declined: INVITE from o-exampleorgid of 111111111111"
                " (denied by Never; until now denied by Back)",
                "newly denied: every action other than INVITE from o-exampleorgid of any management account,"
                " for an account in any organization (denied by Never)",
                "newly denied: every action from o-exampleorgid of any management account other than 111111111111"
                " (denied by Never)",
            ],
            id="it is not sent back any more",
        ),
    ],
)
def test_the_lines_are_those_that_a_person_would_write(
    base: list[dict[str, Any]], to: list[dict[str, Any]], said: list[str]
) -> None:
    assert lines(base, to) == said


@pytest.mark.parametrize(
    ("base", "to"),
    [
        pytest.param([JOIN, NEVER], [NEVER | {"Sid": "No"}, JOIN | {"Sid": "Yes"}], id="other Sids, other order"),
        pytest.param(
            [allow("Both", ["o-a000000000", "o-b000000000"])],
            [allow("A", "o-a000000000"), allow("B", "o-b000000000")],
            id="a statement is split",
        ),
        pytest.param([JOIN], [JOIN | {"Condition": {"CurrentOrganization": "NONE"}}], id="the default is written out"),
        pytest.param(
            [JOIN],
            [
                allow("Early", **until(MARCH)),
                allow("Late", Condition={"NotBefore": "2027-03-31T00:00:00.000001Z"}),
            ],
            id="two windows without a gap",
        ),
        pytest.param([JOIN, NEVER], [NEVER], id="an Allow goes that was denied"),
        pytest.param(
            [],
            [allow("Nobody", action="ENABLE_ALL_FEATURES", Condition={"CurrentOrganization": "NONE"})],
            id="an Allow for nobody",
        ),
        pytest.param(
            [],
            [deny("Nobody", Action="ENABLE_ALL_FEATURES", Condition={"CurrentOrganization": "NONE"})],
            id="a Deny for nobody",
        ),
        pytest.param(
            [deny("All")],
            [deny("None", Condition={"CurrentOrganization": "NONE"}), deny("All"), ENABLE],
            id="all of it is denied already",
        ),
    ],
)
def test_what_changes_words_alone_gives_no_line(base: list[dict[str, Any]], to: list[dict[str, Any]]) -> None:
    assert lines(base, to) == []
    assert lines(to, base) == []


def test_a_sentence_spells_out_ten_values_and_the_change_has_all() -> None:
    organizations = [f"o-{number:010d}" for number in range(12)]
    policy = load([Document("policy", document(allow("Join", organizations)))])
    assert isinstance(policy, Policy)
    changes = compare(Policy((), ""), policy)
    (change,) = changes.changes
    assert change.organizations == Names(tuple(organizations))
    assert ", o-0000000009 or 2 more of 111111111111" in sentences(changes)[0]


def test_first_and_last_moments_are_as_open_as_no_bound() -> None:
    bounded = Statement(
        "S", Effect.DENY, frozenset(), frozenset(), frozenset(), frozenset(), EARLIEST, LATEST, Respond.LEAVE_PENDING
    )
    (change,) = compare(Policy((), ""), Policy((bounded,), "")).changes
    assert change.times == (Stretch(None, None),)
