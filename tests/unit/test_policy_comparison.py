"""What `compare` says is held against `decide`: random policies and situations, both ways, and examples by hand.

`COMPARE_PAIRS` says how many random pairs of policies; a small share is in every test run.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from cli.comparison import OWN, Change, Changes, Kind, Names, Stretch, compare, sentences
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
from tests.unit.world import allow, deny, document

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


def check(base: Policy, to: Policy, changes: Changes, situation: Situation) -> set[Kind]:
    """Holds one situation against `decide`; returns the kinds that were named."""
    before, after = (decide(situation[0], policy, *situation[1:]) for policy in (base, to))
    expected = kinds(before, after)
    covering = [change for change in changes.changes if change.covers(*situation)]
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
        return source.choice([name for name in every if name in names])

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
            else each.organization in change.current_organizations
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
            covering = [change for change in changes.changes if change.covers(*situation)]
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
