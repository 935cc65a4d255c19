"""What holds for every policy and every handshake, tried on many of both, against `naive_policy`."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from handshake_acceptor.policy.decide import Decision, DecisionKind, InvalidPolicy, Policy, PolicyError, decide
from handshake_acceptor.policy.documents import Document, load
from handshake_core.handshake import Account, Action, Handshake, InvalidHandshake, Role, State
from tests.unit import naive_policy

tried = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
tried_often = settings(tried, max_examples=600)

Json = dict[str, Any]

ORGANIZATIONS = ["o-exampleorgid", "o-sandbox0001", "o-third000001"]
MANAGEMENTS = ["111111111111", "333333333333"]
OWN, SOMEBODY = "222222222222", "999999999999"
ID = "h-examplehandshakeid111"
ACTIONS = [action.value for action in Action]
TRANSFER = "TRANSFER_RESPONSIBILITY"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
# The same few instants everywhere, in more than one zone, so that bounds are often met exactly.
INSTANTS = [NOW + timedelta(microseconds=step) for step in (0, -1, 1)]
JUST_BEFORE, EXACTLY, JUST_AFTER = (
    "2026-11-21T11:59:59.999999Z",
    "2026-11-21T13:00:00+01:00",
    "2026-11-21T12:00:00.000001Z",
)


# -- policies: drawn from pools that are small, ordered from plain to odd, and built once: drawing each field would
# take most of the time of every test here


def choices(**fields: list[Any]) -> Iterator[Json]:
    """Every combination; a field that is None is left out."""
    for values in product(*fields.values()):
        yield {field: value for field, value in zip(fields, values, strict=True) if value is not None}


ORIGINS = list(
    choices(
        OrganizationId=[ORGANIZATIONS[0], ORGANIZATIONS, ORGANIZATIONS[1:]],
        ManagementAccountId=[MANAGEMENTS[0], MANAGEMENTS, MANAGEMENTS[1:]],
    )
)
WIDER_ORIGINS = [None, {}, *ORIGINS, *({key: value} for origin in ORIGINS for key, value in origin.items())]
WINDOWS: list[Json] = [
    {},
    {"NotBefore": EXACTLY},
    {"NotAfter": EXACTLY},
    {"NotBefore": JUST_AFTER},
    {"NotAfter": JUST_BEFORE},
    {"NotBefore": EXACTLY, "NotAfter": "2026-11-21T12:00:00Z"},
    {"NotBefore": JUST_BEFORE, "NotAfter": JUST_AFTER},
]
CURRENT = [None, "NONE", ["NONE", ORGANIZATIONS[0]], ORGANIZATIONS[0], ORGANIZATIONS[1], ["ANY"], "ANY"]
CONDITIONS = [
    None,
    *(found | window for found in choices(CurrentOrganization=CURRENT) for window in WINDOWS),
]
ALLOWED = [*ACTIONS, ACTIONS, ACTIONS[:-1], ["INVITE", TRANSFER]]


def can_be_said(statement: Json) -> bool:
    """What the design says of `ANY`, and of an Allow of a transfer."""
    actions, current = statement.get("Action"), (statement.get("Condition") or {}).get("CurrentOrganization")
    if current in ("ANY", ["ANY"]):
        return actions == TRANSFER
    return statement["Effect"] == "Deny" or TRANSFER not in (actions or []) or current is not None


ALLOWS = list(filter(can_be_said, choices(Effect=["Allow"], Action=ALLOWED, Origin=ORIGINS, Condition=CONDITIONS)))
DENIES = list(
    filter(
        can_be_said,
        choices(
            Effect=["Deny"],
            Respond=[None, "LeavePending"],
            Action=[None, *ALLOWED],
            Origin=WIDER_ORIGINS,
            Condition=CONDITIONS,
        ),
    )
)
DECLINES = [allow | {"Effect": "Deny", "Respond": "Decline"} for allow in ALLOWS]
ANYWHERE = {"Action": ACTIONS, "Origin": ORIGINS[4], "Condition": {"CurrentOrganization": ["NONE", *ORGANIZATIONS]}}

allows = st.one_of(st.just({"Effect": "Allow"} | ANYWHERE), st.sampled_from(ALLOWS))
declines = st.one_of(st.just({"Effect": "Deny", "Respond": "Decline"} | ANYWHERE), st.sampled_from(DECLINES))
denies = st.one_of(st.sampled_from(DENIES), declines)
placed = st.tuples(st.one_of(allows, declines, st.sampled_from(DENIES)), st.integers(0, 2))


def documents(statements: list[tuple[Json, int]]) -> list[Json]:
    """Three documents, with each statement in that of its number."""
    split: list[list[Json]] = [[], [], []]
    for statement, number in statements:
        split[number].append(statement)
    return [{"Version": "2026-01-01", "Statement": part} for part in split]


def with_sids(statements: list[tuple[Json, int]]) -> list[tuple[Json, int]]:
    return [({"Sid": f"S{index}"} | statement, number) for index, (statement, number) in enumerate(statements)]


policies = st.lists(placed, max_size=4).map(with_sids).map(documents)


def loaded(raw: list[Json]) -> Policy:
    policy = load([Document(f"policy/{index}", json.dumps(document)) for index, document in enumerate(raw)])
    assert isinstance(policy, Policy), policy
    return policy


# -- handshakes and accounts


def handshake(action: str, organization: str, management: str, *, partition: str = "aws") -> Json:
    return {
        "Id": ID,
        "Arn": f"arn:{partition}:organizations::{management}:handshake/{organization}/{action.lower()}/{ID}",
        "Parties": [{"Id": organization, "Type": "ORGANIZATION"}, {"Id": OWN, "Type": "ACCOUNT"}],
        "State": "OPEN",
        "ExpirationTimestamp": "2026-12-05T21:41:16+00:00",
        "Action": action,
        "Resources": [
            {
                "Type": "ORGANIZATION",
                "Value": organization,
                "Resources": [{"Type": "MANAGEMENT_ACCOUNT", "Value": management}],
            },
            {"Type": "ACCOUNT", "Value": OWN},
        ],
    }


def odd(raw: Json) -> Iterator[Json]:
    """The handshake with something unusual or wrong about it."""
    yield from (raw | {"State": state.value} for state in State)
    yield from (raw | {"ExpirationTimestamp": time} for time in (JUST_BEFORE, EXACTLY, JUST_AFTER))
    yield raw | {"Arn": raw["Arn"].replace("arn:aws:", "arn:aws-cn:")}
    for organization in (*ORGANIZATIONS, "exampleorgid", "sandbox0001"):
        yield raw | {"Parties": [{"Id": organization, "Type": "ORGANIZATION"}, raw["Parties"][1]]}
    for account in (SOMEBODY, OWN, *MANAGEMENTS):
        yield raw | {"Resources": [*raw["Resources"], {"Type": "ACCOUNT", "Value": account}]}
    mary = {"Id": "mary@example.com", "Type": "EMAIL"}
    for parties in (raw["Parties"][:1], [*raw["Parties"][:1], mary], [mary], []):
        yield raw | {"Parties": parties, "Resources": raw["Resources"][:1]}
    for management in MANAGEMENTS:
        inviter = {"Id": management, "Type": "ACCOUNT"}
        yield raw | {"Parties": [inviter, *raw["Parties"]]}
        for parties in ([inviter], [inviter, mary]):
            yield raw | {"Parties": parties, "Resources": raw["Resources"][:1]}


USUAL = [handshake(*parts) for parts in product(ACTIONS, ORGANIZATIONS, MANAGEMENTS)]
EXPECTED = [raw for raw in USUAL if ORGANIZATIONS[0] in raw["Arn"] and MANAGEMENTS[0] in raw["Arn"]]
UNUSUAL = [changed for raw in USUAL for changed in odd(raw)]
handshakes = st.one_of(*map(st.sampled_from, (EXPECTED, EXPECTED, USUAL, UNUSUAL)))


def in_role(role: Role, organization: str) -> Account:
    if role is Role.STANDALONE:
        return Account(OWN, "aws", role, "NONE")
    return Account(OWN, "aws", role, "UNKNOWN" if role is Role.UNKNOWN else organization)


ACCOUNTS = [
    in_role(Role.STANDALONE, ""),
    *(in_role(role, organization) for role in (Role.MEMBER, Role.MANAGEMENT) for organization in ORGANIZATIONS),
    Account(MANAGEMENTS[0], "aws", Role.MANAGEMENT, ORGANIZATIONS[0]),
]
NOBODY_KNOWS = in_role(Role.UNKNOWN, "")


def most_may_accept(raw: Json) -> list[Account]:
    may = [account for account in ACCOUNTS if account.role.value in naive_policy.WHO_MAY_ACCEPT[raw["Action"]]]
    return [*may * 3, *ACCOUNTS, NOBODY_KNOWS]


SITUATIONS = {action: st.sampled_from(most_may_accept({"Action": action})) for action in ACTIONS}
Situation = tuple[Json, Account, bool, datetime]
situations: st.SearchStrategy[Situation] = handshakes.flatmap(
    lambda raw: st.tuples(st.just(raw), SITUATIONS[raw["Action"]], st.booleans(), st.sampled_from(INSTANTS))
)


def decided(raw_policy: list[Json], situation: Situation) -> Decision:
    raw, account, listed, now = situation
    return decide(Handshake.from_api(raw, listed=listed), loaded(raw_policy), account, now)


def as_raw(account: Account) -> dict[str, str]:
    return {
        "id": account.id,
        "partition": account.partition,
        "role": account.role.value,
        "organization": account.organization,
    }


# -- against the naive reading


def test_every_decision_is_that_of_the_naive_reading_and_each_kind_is_met_often() -> None:
    met: Counter[str] = Counter()

    @tried_often
    @given(policies, situations)
    def compare(raw_policy: list[Json], situation: Situation) -> None:
        raw, account, listed, now = situation
        expected = naive_policy.decision(raw_policy, raw, as_raw(account), listed=listed, now=now)
        assert decided(raw_policy, situation).kind.value == expected
        met[expected] += 1

    compare()
    assert set(met) == {"ACCEPT", "DENY", "DECLINE", "NO_MATCH", "INELIGIBLE"}
    assert min(met.values()) >= 20, met


# -- what adding, removing and moving statements can do


@tried
@given(policies, situations, st.data())
def test_the_order_of_statements_and_documents_does_not_matter(
    raw_policy: list[Json], situation: Situation, data: st.DataObject
) -> None:
    before = decided(raw_policy, situation)
    assert decided(data.draw(st.permutations(raw_policy)), situation) == before
    everything = [statement for document in raw_policy for statement in document["Statement"]]
    shuffled = [(statement, data.draw(st.integers(0, 2))) for statement in data.draw(st.permutations(everything))]
    after = decided(documents(shuffled), situation)
    assert (after.kind, after.sids, after.reasons) == (before.kind, before.sids, before.reasons)


@tried
@given(policies, denies, situations)
def test_adding_a_deny_never_adds_an_acceptance(raw_policy: list[Json], deny: Json, situation: Situation) -> None:
    before = decided(raw_policy, situation).kind
    after = decided([*raw_policy, {"Version": "2026-01-01", "Statement": [{"Sid": "New"} | deny]}], situation).kind
    assert after is before or after in (DecisionKind.DENY, DecisionKind.DECLINE)


@tried
@given(policies, situations, st.data())
def test_removing_an_allow_never_adds_an_acceptance(
    raw_policy: list[Json], situation: Situation, data: st.DataObject
) -> None:
    allows = [s["Sid"] for document in raw_policy for s in document["Statement"] if s["Effect"] == "Allow"]
    assume(allows)
    gone = data.draw(st.sampled_from(allows))
    fewer = [
        document | {"Statement": [s for s in document["Statement"] if s["Sid"] != gone]} for document in raw_policy
    ]
    before, after = decided(raw_policy, situation), decided(fewer, situation)
    if before.kind is DecisionKind.ACCEPT and before.sids == (gone,):
        assert after.kind is DecisionKind.NO_MATCH
    else:
        assert after.kind is before.kind


@tried
@given(policies, handshakes, st.booleans())
def test_an_unknown_current_organization_never_accepts_or_declines(
    raw_policy: list[Json], raw: Json, listed: bool
) -> None:
    result = decided(raw_policy, (raw, in_role(Role.UNKNOWN, ""), listed, NOW))
    assert result.kind is DecisionKind.INELIGIBLE


@tried
@given(situations)
def test_an_invalid_policy_never_accepts_or_declines(situation: Situation) -> None:
    raw, account, listed, now = situation
    invalid = InvalidPolicy((PolicyError("policy/a", "", "is wrong"),))
    result = decide(Handshake.from_api(raw, listed=listed), invalid, account, now)
    assert result.kind in (DecisionKind.POLICY_INVALID, DecisionKind.INELIGIBLE)


# -- the origin


LOOKALIKES = {"o": "\u043e", "a": "\u0430", "e": "\u0435", "-": "\u2010", ":": "\uff1a", "/": "\u2215", "i": "\u0456"}


def lookalike(character: str) -> str:
    if character.isdigit():
        return chr(0xFF10 + int(character))
    return LOOKALIKES.get(character, character + "\u0301")


INSERTS = ["\n", "\r", " ", "\t", "\0", "\u200b", "\u00a0", "\ufeff", "\u202e", "x", "0", "-", "/", ":", "*", "%", "o-"]


def mutations(text: str) -> list[str]:
    """Every change of the text by one character and many by more; none of them is the text itself."""
    changed = [
        text.upper(),
        text.title(),
        text.swapcase(),
        text + text,
        text[::-1],
        text.replace("o-", "o_"),
        text.replace("1", "3"),
        text.replace("aws", "aws-cn"),
        text.replace("aws", "aws-us-gov"),
        text.replace("exampleorgid", "sandbox0001"),
        text.replace("111111111111", "333333333333"),
        text.replace("invite", "enable_all_features"),
        text.replace(ID, "h-otherhandshakeid1"),
        "".join(map(lookalike, text)),
    ]
    for at, character in enumerate(text):
        head, tail = text[:at], text[at + 1 :]
        other = chr(ord(character) + 1)
        changed += [
            head,
            text[at + 1 :],
            head + tail,
            *(head + new + tail for new in (character.swapcase(), lookalike(character), other)),
        ]
        changed += [head + new + text[at:] for new in INSERTS]
    changed += [text + new for new in INSERTS]
    return [found for found in dict.fromkeys(changed) if found != text]


PLACES = {
    "Arn": lambda raw: (raw, "Arn"),
    "Id": lambda raw: (raw, "Id"),
    "party": lambda raw: (raw["Parties"][0], "Id"),
    "resource": lambda raw: (raw["Resources"][0], "Value"),
    "management account": lambda raw: (raw["Resources"][0]["Resources"][0], "Value"),
}
TRUSTING = [
    {
        "Version": "2026-01-01",
        "Statement": [
            {
                "Sid": "Join",
                "Effect": "Allow",
                "Action": "INVITE",
                "Origin": {"OrganizationId": ORGANIZATIONS[0], "ManagementAccountId": MANAGEMENTS[0]},
            }
        ],
    }
]
TRUSTED = loaded(TRUSTING)
VALID = handshake("INVITE", ORGANIZATIONS[0], MANAGEMENTS[0])


def answer(raw: Any, *, listed: bool = True) -> DecisionKind:
    return decide(Handshake.from_api(raw, listed=listed), TRUSTED, ACCOUNTS[0], NOW).kind


def test_the_handshake_that_is_mutated_is_accepted_itself() -> None:
    assert answer(VALID) is DecisionKind.ACCEPT


@pytest.mark.parametrize("place", PLACES)
def test_any_mutation_of_the_origin_is_refused(place: str) -> None:
    raw = copy.deepcopy(VALID)
    holder, key = PLACES[place](raw)
    original = holder[key]
    # The one variant that is right: AWS shows the organization's id with and without its prefix.
    variants = {original.removeprefix("o-")} if place in ("party", "resource") else set()
    changed = [text for text in mutations(original) if text not in variants]
    assert len(changed) > 200
    for text in changed:
        holder[key] = text
        assert answer(raw) is not DecisionKind.ACCEPT, text


@tried
@given(st.sampled_from(sorted(PLACES)), st.text(max_size=40))
def test_any_other_text_for_a_part_of_the_origin_is_refused(place: str, text: str) -> None:
    raw = copy.deepcopy(VALID)
    holder, key = PLACES[place](raw)
    assume(text not in (holder[key], holder[key].removeprefix("o-")))
    holder[key] = text
    assert answer(raw) is DecisionKind.INELIGIBLE


@tried
@given(st.sampled_from(sorted(PLACES)), st.one_of(st.none(), st.integers(), st.lists(st.text()), st.just({})))
def test_an_origin_of_another_type_is_refused(place: str, value: Any) -> None:
    raw = copy.deepcopy(VALID)
    holder, key = PLACES[place](raw)
    holder[key] = value
    assert answer(raw) is DecisionKind.INELIGIBLE


@tried
@given(
    st.sampled_from(ACTIONS),
    st.sampled_from([*ORGANIZATIONS, "o-exampleorgid2", "o-exampleorgi1"]),
    st.sampled_from([*MANAGEMENTS, "111111111112", "011111111111"]),
    st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-iso"]),
)
def test_a_mutation_of_all_parts_together_is_refused(
    action: str, organization: str, management: str, partition: str
) -> None:
    raw = handshake(action, organization, management, partition=partition)
    same = (action, organization, management, partition) == ("INVITE", ORGANIZATIONS[0], MANAGEMENTS[0], "aws")
    assert (answer(raw) is DecisionKind.ACCEPT) == same


# -- hostile values

TEXTS = st.one_of(
    st.text(st.characters(), max_size=20),  # surrogates too
    st.sampled_from([ID, "INVITE", "OPEN", "ORGANIZATION", "ACCOUNT", VALID["Arn"], *ORGANIZATIONS, OWN, "\ud800"]),
    st.sampled_from(["2026-12-05T21:41:16Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-12-05"]),
)
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.datetimes(),
        st.datetimes(timezones=st.just(UTC)),
        TEXTS,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXTS, st.sampled_from(["Type", "Id", "Value", "Resources"])), inner, max_size=3),
    ),
    max_leaves=4,
)
FIELDS = ["Id", "Arn", "Action", "State", "ExpirationTimestamp", "RequestedTimestamp", "Parties", "Resources"]


@st.composite
def hostile(draw: st.DrawFn) -> Any:
    """Anything at all, or a handshake with anything in some of its fields."""
    if draw(st.integers(0, 5)) == 0:
        return draw(ANYTHING)
    raw = copy.deepcopy(VALID)
    for field in draw(st.sets(st.sampled_from(FIELDS), min_size=1, max_size=3)):
        raw[field] = draw(ANYTHING)
    part = draw(st.sampled_from(["whole", "party", "resource"]))
    if part == "party":
        raw["Parties"] = [{"Type": draw(TEXTS), "Id": draw(ANYTHING)}]
    elif part == "resource":
        raw["Resources"] = [{"Type": draw(TEXTS), "Value": draw(ANYTHING), "Resources": draw(ANYTHING)}]
    return raw


@tried
@given(hostile(), st.booleans(), policies, st.sampled_from(ACCOUNTS), st.booleans())
def test_nothing_raises_whatever_the_handshake_looks_like(
    raw: Any, listed: bool, raw_policy: list[Json], account: Account, invalid: bool
) -> None:
    parsed = Handshake.from_api(raw, listed=listed)
    assert isinstance(parsed, Handshake | InvalidHandshake)
    assert isinstance(parsed, Handshake) or parsed.reasons
    policy = InvalidPolicy((PolicyError("policy/a", "", "is wrong"),)) if invalid else loaded(raw_policy)
    result = decide(parsed, policy, account, NOW)
    json.dumps([reason.as_dict() for reason in result.reasons])


@tried
@given(ANYTHING, st.text(max_size=30))
def test_load_raises_at_nothing(content: Any, text: str) -> None:
    texts = [text, json.dumps(content, default=str), f'{{"Version": "2026-01-01", "Statement": [{text}]}}']
    texts.append(json.dumps({"Version": "2026-01-01", "Statement": [content, {"Sid": content}]}, default=str))
    result = load([Document(f"policy/{index}", found) for index, found in enumerate(texts)])
    assert isinstance(result, InvalidPolicy)
    assert all(str(error).isascii() and str(error).isprintable() for error in result.errors)


# -- personal data

# Where AWS puts it. None of it may be shown, whatever it looks like.
PERSONAL = ["MASTER_EMAIL", "MASTER_NAME", "NOTES", "EMAIL", "MANAGEMENT_EMAIL", "MANAGEMENT_NAME", "SOMETHING_NEW"]
# What may be shown nowhere, wherever it stands.
REVEALING = ["zqxj@example.com", "Zqxj Zqxjsson", "zqxj\nzqxj", "\u017bqxj zqxj", "please accept, zqxj!", "zqxj@"]


def everything_said(parsed: Handshake | InvalidHandshake, result: Decision) -> str:
    return (repr(parsed) + repr(result) + str([reason.as_dict() for reason in result.reasons])).lower()


@tried
@given(
    st.lists(st.tuples(st.sampled_from(PERSONAL), st.sampled_from(["zqxj", "Zqxj-1", *REVEALING])), min_size=1),
    st.sampled_from(["INVITE", "ENABLE_ALL_FEATURES"]),
    st.booleans(),
    st.sampled_from([None, "Arn", "State", "Id"]),
    policies,
)
def test_no_name_address_or_note_is_ever_kept_or_shown(
    personal: list[tuple[str, str]], action: str, listed: bool, broken: str | None, raw_policy: list[Json]
) -> None:
    raw = handshake(action, ORGANIZATIONS[0], MANAGEMENTS[0])
    raw["Parties"][1] = {"Id": personal[0][1], "Type": "EMAIL"}
    raw["Resources"] += [{"Type": kind, "Value": value} for kind, value in personal]
    raw["Resources"][0]["Resources"] += [{"Type": kind, "Value": value} for kind, value in personal]
    if broken:
        raw[broken] = "broken"
    parsed = Handshake.from_api(raw, listed=listed)
    result = decide(parsed, loaded(raw_policy), ACCOUNTS[0], NOW)
    assert "zqxj" not in everything_said(parsed, result)


@tried
@given(
    st.sampled_from([*FIELDS, "ORGANIZATION", "ACCOUNT", "MANAGEMENT_ACCOUNT", "party", "key"]),
    st.sampled_from(REVEALING),
    st.booleans(),
)
def test_no_address_or_note_is_shown_even_where_it_does_not_belong(place: str, value: str, listed: bool) -> None:
    raw = copy.deepcopy(VALID)
    if place in FIELDS:
        raw[place] = value
    elif place == "party":
        raw["Parties"].append(value)
    elif place == "key":
        raw["Resources"] = {value: value}
    else:
        raw["Parties"].append({"Type": place, "Id": value})
        raw["Resources"].append({"Type": place, "Value": value})
    parsed = Handshake.from_api(raw, listed=listed)
    result = decide(parsed, TRUSTED, ACCOUNTS[0], NOW)
    assert "zqxj" not in everything_said(parsed, result)
    if place not in ("RequestedTimestamp",):
        assert isinstance(parsed, InvalidHandshake)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_pool_of_accounts_has_one_for_every_action(action: str) -> None:
    assert any(account.role.value in naive_policy.WHO_MAY_ACCEPT[action] for account in ACCOUNTS)
