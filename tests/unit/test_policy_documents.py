"""From texts to a policy or to every mistake in them: `policy.documents` and `policy.store.snapshot`."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import fastjsonschema
import jsonschema
import pytest

from handshake_acceptor.policy import documents
from handshake_acceptor.policy.decide import Effect, InvalidPolicy, Policy, PolicyError, Respond, Statement
from handshake_acceptor.policy.documents import READY_MADE, Document, Mode, load, load_mode, schema, version
from handshake_acceptor.policy.store import PolicySnapshot, snapshot
from handshake_core import json_reader
from handshake_core.handshake import Action
from handshake_core.json_schema import compile_schema, compile_to_module, shown, violations
from tests.unit.bad_documents import (
    AT_SIGN,
    BAD,
    COMMA,
    GOOD,
    MANAGEMENT,
    NO_ORDER,
    ONLY_DENY,
    ORGANIZATION,
    TOO_DEEP,
    TOO_LARGE,
    TWICE,
    WITHOUT,
    cannot_be_read,
    document,
    no_action,
    no_effect,
    no_organization,
    one,
    statement,
    transfer,
    unknown_field,
    unknown_top,
)

PREFIX = "/handshake-acceptor/"


def worded(found: Iterable[tuple[str, Callable[[], str]]]) -> list[tuple[str, str]]:
    return [(pointer, words()) for pointer, words in found]


def load_texts(*texts: str) -> Policy | InvalidPolicy:
    names = ["parameter", "second", "third"]
    return load([Document(name, text) for name, text in zip(names, texts, strict=False)])


def mistakes(*texts: str) -> list[tuple[str, str, str]]:
    result = load_texts(*texts)
    assert isinstance(result, InvalidPolicy)
    assert result.unreadable is False
    return [(error.document, error.pointer, error.message) for error in result.errors]


# -- the corpus


@pytest.mark.parametrize(("text", "pointer", "message"), [pytest.param(*row[1:], id=row[0]) for row in BAD])
def test_a_bad_document_is_refused_with_its_one_mistake(text: str, pointer: str, message: str) -> None:
    assert mistakes(text) == [("parameter", pointer, message)]


def test_the_corpus_is_large_and_without_repetition() -> None:
    assert len(BAD) >= 150
    assert len({text for _, text, _, _ in BAD}) == len(BAD)
    assert len({name for name, *_ in BAD}) == len(BAD)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in GOOD])
def test_a_good_document_is_a_policy(text: str) -> None:
    result = load_texts(text)
    assert isinstance(result, Policy), result
    assert len(result.statements) == len(json.loads(text)["Statement"])


@pytest.mark.parametrize(("text", "pointer"), [pytest.param(row[1], row[2], id=row[0]) for row in BAD])
def test_a_message_can_be_read_on_one_line_of_a_terminal(text: str, pointer: str) -> None:
    for error in load_texts(text).errors:
        assert re.fullmatch(r"[ -~]{1,400}", str(error)), "something invisible, not ASCII, or too long"
        assert "@example" not in str(error)


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in BAD])
def test_one_bad_document_spoils_all(text: str) -> None:
    good = document(statement(Sid="Good"))
    assert mistakes(text, good) == mistakes(text)


# -- the schema


def pattern_of_ecma_262(validator: Any, pattern: str, instance: Any, _schema: Any) -> Any:
    """`$` means the very end in JSON Schema; Python's also takes the place before a last line break."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


Draft7 = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": pattern_of_ecma_262})


def json_contents() -> list[Any]:
    contents = []
    for name, text in [(row[0], row[1]) for row in BAD] + GOOD:
        with contextlib.suppress(ValueError, RecursionError):
            contents.append(pytest.param(json.loads(text), id=name))
    return contents


def test_the_schema_is_one_for_editors() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    assert schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema()["$id"] == "urn:handshake-acceptor:policy:2026-01-01"
    for example in schema()["examples"]:
        jsonschema.validate(example, schema())
        assert isinstance(load_texts(json.dumps(example)), Policy)


def test_every_field_is_described_in_the_schema() -> None:
    properties = schema()["definitions"]["Statement"]["properties"]
    fields = [*schema()["properties"].values(), *properties.values(), *properties["Condition"]["properties"].values()]
    assert all(field["description"] for field in fields)


def test_every_action_is_in_the_schema() -> None:
    assert schema()["definitions"]["Action"]["enum"] == [action.value for action in Action]
    assert schema()["definitions"]["Statement"]["properties"]["Effect"]["enum"] == [effect.value for effect in Effect]
    assert schema()["definitions"]["Statement"]["properties"]["Respond"]["enum"] == [answer.value for answer in Respond]


compiled = fastjsonschema.compile(schema(), use_default=False, use_formats=False)


def test_the_validator_as_a_module_finds_what_the_schemas_own_finds() -> None:
    module: dict[str, Any] = {}
    exec(compile_to_module(schema()), module)
    contents = []
    for _, text, _, _ in BAD:
        with contextlib.suppress(ValueError, RecursionError):
            contents.append(json.loads(text))
    validate = compile_schema(schema())
    found = [worded(violations(module["validate"], content)) for content in contents]
    assert found == [worded(violations(validate, content)) for content in contents]
    assert sum(map(bool, found)) > 100


def test_a_validator_that_was_built_ahead_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    make = documents._validator.__wrapped__
    assert worded(violations(make(), 5)) == [("", "must be an object, is a number")]
    module = ModuleType(READY_MADE)
    module.__spec__, module.validate = ModuleSpec(READY_MADE, None), print  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, READY_MADE, module)
    assert make() is print


@pytest.mark.parametrize("content", json_contents())
def test_two_validators_agree_on_the_schema(content: Any) -> None:
    try:
        compiled(content)
        valid = True
    except fastjsonschema.JsonSchemaValueException:
        valid = False
    assert Draft7(schema()).is_valid(content) is valid


# -- violations of any schema: the settings of a deploy are explained by the same code


def explained(definition: dict[str, Any], content: Any) -> list[tuple[str, str]]:
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"x": definition}}
    return worded(violations(compile_schema(whole), {"x": content}))


@pytest.mark.parametrize(
    ("definition", "content", "message"),
    [
        ({"type": "integer", "minimum": 1, "title": "one or more"}, 0, "0 is not one or more"),
        ({"type": "integer", "maximum": 5, "title": "at most five"}, 6, "6 is not at most five"),
        ({"type": "integer"}, 1.5, "must be a whole number, is a number"),
        ({"type": "integer"}, True, "must be a whole number, is true or false"),
        ({"type": "boolean"}, 1, "must be true or false, is a number"),
        ({"type": ["boolean", "object"]}, [], "must be true or false or an object, is a list"),
        ({"not": {}, "$comment": "never this key"}, 1, "never this key"),
        ({"type": "string", "pattern": "^a$", "title": "an a"}, "a\n", r'"a\n" is not an a'),
        ({"enum": ["aaaa"]}, "aaa", '"aaa" is not known (did you mean "aaaa"?); use "aaaa"'),
        ({"enum": ["aaaaaaa"]}, "aaa", '"aaa" is not known; use "aaaaaaa"'),
        ({"enum": ["abx", "abcx"]}, "abc", '"abc" is not known (did you mean "abcx"?); use "abx" or "abcx"'),
    ],
)  # fmt: skip
def test_a_violation_is_put_into_words(definition: dict[str, Any], content: Any, message: str) -> None:
    assert explained(definition, content) == [("/x", message)]


def test_a_valid_value_has_no_violation_and_is_left_as_it_is() -> None:
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"x": {"default": 1}, "y": {"type": "string", "format": "date-time"}},
    }
    content = {"y": "not a date"}
    assert list(violations(compile_schema(whole), content)) == []
    assert content == {"y": "not a date"}


def test_every_violation_is_found_not_only_the_first() -> None:
    found = violations(compile_schema(schema()), {"Version": 1, "Statement": [5], "x": 1})
    assert sorted(pointer for pointer, _ in found) == ["/Statement/0", "/Version", "/x"]


# -- all mistakes at once


def test_all_mistakes_of_all_documents_are_reported_at_once() -> None:
    first = document(
        statement(Effect="allow", Extra=1),
        statement(Action="invite", Origin={"OrganizationId": "*", "ManagementAccountId": MANAGEMENT}),
        Id="x",
    )
    second = '{"Version": "2026-01-01", "Version": "2026-01-01", "Statement": [{"Sid": "A", "Sid": "A"}]}'
    found = mistakes(first, second, "{")
    assert sorted(found) == sorted(
        [
            ("parameter", "/Id", unknown_top()),
            ("parameter", "/Statement/0/Effect", no_effect('"allow"', "Allow")),
            ("parameter", "/Statement/0/Extra", unknown_field()),
            ("parameter", "/Statement/1/Action", no_action('"invite"', "INVITE")),
            ("parameter", "/Statement/1/Origin/OrganizationId", no_organization('"*"')),
            (
                "parameter",
                "/Statement/1/Sid",
                "Join is a Sid already, at parameter: /Statement/0/Sid; a Sid must be unique",
            ),
            ("second", "/Statement/0", "Effect is missing"),
            ("second", "/Statement/0/Sid", TWICE),
            ("second", "/Version", TWICE),
            (
                "third",
                "",
                "not JSON, at line 1, column 2: the document ends here, but } is missing",
            ),
        ]
    )


def test_all_missing_keys_are_named_not_only_the_first() -> None:
    why = ": an Allow, and a Deny that declines, must say for what and from whom"
    text = document({"Effect": "Allow"}, {"Effect": "Allow", "Sid": "B", "Action": "INVITE", "Origin": {}}, {})
    assert mistakes(text) == [
        ("parameter", "/Statement/0", "Action is missing" + why),
        ("parameter", "/Statement/0", "Origin is missing" + why),
        ("parameter", "/Statement/0", "Sid is missing"),
        ("parameter", "/Statement/1/Origin", "OrganizationId is missing"),
        ("parameter", "/Statement/1/Origin", "ManagementAccountId is missing"),
        ("parameter", "/Statement/2", "Sid is missing"),
        ("parameter", "/Statement/2", "Effect is missing"),
    ]
    assert mistakes("{}") == [("parameter", "", "Version is missing"), ("parameter", "", "Statement is missing")]


def test_all_that_a_schema_cannot_say_is_reported_at_once() -> None:
    text = document(
        statement(Condition={"NotBefore": "2027-02-30T00:00:00Z", "NotAfter": "2027-02-31T00:00:00Z"}),
        statement(Sid="B", Action="TRANSFER_RESPONSIBILITY"),
        statement(
            Sid="C",
            Condition={
                "CurrentOrganization": "ANY",
                "NotBefore": "2027-02-02T00:00:00Z",
                "NotAfter": "2027-02-01T00:00:00Z",
            },
        ),
    )
    assert [pointer for _, pointer, _ in mistakes(text)] == [
        "/Statement/0/Condition/NotBefore",
        "/Statement/0/Condition/NotAfter",
        "/Statement/1/Condition",
        "/Statement/2/Condition/CurrentOrganization",
        "/Statement/2/Condition/NotAfter",
    ]


def test_a_mistake_of_shape_does_not_hide_what_a_schema_cannot_say() -> None:
    late = {"NotBefore": "2027-01-02T00:00:00Z", "NotAfter": "2027-01-01T00:00:00Z"}
    others = [statement(Sid=f"S{number}") for number in range(10)]
    text = document(*others, statement(Sid="B", Condition=late), Version=WITHOUT)
    text = text.replace('"Sid": "S1"', '"Sid": "S1", "Extra": 1')
    assert mistakes(text) == [
        ("parameter", "", "Version is missing"),
        ("parameter", "/Statement/1/Extra", unknown_field()),
        ("parameter", "/Statement/10/Condition/NotAfter", NO_ORDER),
    ]


def test_a_misspelt_key_does_not_hide_a_wrong_time_in_the_same_statement() -> None:
    late = {"NotBefore": "2027-01-02T00:00:00Z", "NotAfter": "2027-01-01T00:00:00Z"}
    assert mistakes(one(Extra=1, Condition=late)) == [
        ("parameter", "/Statement/0/Extra", unknown_field()),
        ("parameter", "/Statement/0/Condition/NotAfter", NO_ORDER),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        [],
        {},
        {"Condition": None},
        {"Condition": []},
        {"Condition": {"NotBefore": 5}},
        {"Condition": {"CurrentOrganization": [[]]}},
        {"Action": 5},
        {"Action": [{}]},
        {"Effect": "Allow", "Action": {}},
    ],
)
def test_a_statement_of_any_shape_can_be_judged(raw: Any) -> None:
    assert all(pointer.startswith("/Statement/0") for _, pointer, _ in mistakes(document(raw)))
    assert mistakes(json.dumps({"Statement": {"x": raw}}))


def test_keys_written_twice_are_found_in_every_branch() -> None:
    twice = '{"a": 1, "a": 1}'
    text = f'{{"x": [{twice}, [{twice}], {twice}], "y": {{"p": {twice}, "q": {twice}}}, "z": {twice}}}'
    found = sorted(pointer for _, pointer, message in mistakes(text) if message == TWICE)
    assert found == ["/x/0/a", "/x/1/0/a", "/x/2/a", "/y/p/a", "/y/q/a", "/z/a"]


def test_respond_on_an_allow_is_wrong_whatever_it_says() -> None:
    assert ("parameter", "/Statement/0/Respond", ONLY_DENY) in mistakes(one(Respond="Perhaps"))


def test_a_list_names_each_of_its_bad_values() -> None:
    found = mistakes(one(Origin={"OrganizationId": ["*", ORGANIZATION, "o-x"], "ManagementAccountId": MANAGEMENT}))
    assert [pointer.rpartition("/")[2] for _, pointer, _ in found] == ["0", "2"]


# -- nesting


def nested(depth: int) -> list[str]:
    lists, objects = "[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth
    return [
        template.replace("?", value)
        for value in (lists, objects)
        for template in ('{"Version": ?, "Statement": []}', '{"Version": "2026-01-01", "Statement": [{"Effect": ?}]}')
    ]


def test_nesting_that_can_be_read_is_an_ordinary_mistake() -> None:
    for text, depth in zip(nested(29), (30, 32, 30, 32), strict=True):
        pointers = {pointer for _, pointer, _ in mistakes(text)}
        assert pointers & {"/Version", "/Statement/0/Effect"}, depth


def test_what_is_nested_more_deeply_is_named_by_its_place() -> None:
    places = [[place for _, _, place in mistakes(text)] for text in nested(32)]
    assert places == [[cannot_be_read(1, column, TOO_DEEP)] for column in (44, 81, 168, 197)]


def test_no_depth_of_nesting_raises() -> None:
    def load_all() -> list[Policy | InvalidPolicy]:
        return [load_texts(text) for depth in (100, 900, 960, 1000, 5000, 100_000) for text in nested(depth)]

    with ThreadPoolExecutor(1) as thread:  # its stack is as good as empty, whatever runs the tests
        assert all(isinstance(result, InvalidPolicy) for result in thread.submit(load_all).result())


def test_a_number_too_long_to_read_is_a_mistake() -> None:
    ((_, pointer, message),) = mistakes('{"Version": ' + "9" * 5_000 + "}")
    assert pointer == ""
    assert message == cannot_be_read(1, 13, TOO_LARGE)


def test_a_quotation_mark_at_the_end_of_a_key_is_shown() -> None:
    assert mistakes(document(**{'Note"': 1})) == [("parameter", r"/Note\"", unknown_top())]


@pytest.mark.parametrize("kind", ["a list", "an object"])
def test_what_is_nested_too_deeply_to_show_is_named_by_its_kind(kind: str) -> None:
    value: Any = 1
    for _ in range(50_000):
        value = [value] if kind == "a list" else {"a": value}
    assert shown(value) == f"({kind}, nested too deeply to show)"


# -- several documents


def test_statements_of_all_documents_are_one_policy() -> None:
    policy = load_texts(document(statement(Sid="B")), document(), document(statement(Sid="A"), statement(Sid="C")))
    assert [found.sid for found in policy.statements] == ["A", "B", "C"]


def test_no_document_at_all_allows_nothing() -> None:
    policy = load([])
    assert policy.statements == ()
    assert policy.version == version([])


def test_a_sid_is_unique_over_all_documents() -> None:
    text = one()
    assert load([Document("z", text), Document("a", text), Document("m", text)]).errors == tuple(
        PolicyError(name, "/Statement/0/Sid", "Join is a Sid already, at a: /Statement/0/Sid; a Sid must be unique")
        for name in ("m", "z")
    )


def test_a_sid_of_a_bad_document_is_taken_too() -> None:
    bad = document(5, statement(Effect="allow"), statement(Sid=5), statement(Sid="Other"))
    found = mistakes(one(), bad)
    taken = "Join is a Sid already, at parameter: /Statement/0/Sid; a Sid must be unique"
    assert ("second", "/Statement/1/Sid", taken) in found
    assert len(found) == 4


@pytest.mark.parametrize(
    ("sid", "seen"),
    [
        ("mary@example.com", AT_SIGN),
        ("Join\nus", r'"Join\nus"'),
        ("Jo\u200bin", r'"Jo\u200bin"'),
        ("Join\n", r'"Join\n"'),
        ("", '""'),
        ("x" * 64, "x" * 64),
        ("x" * 65, f'"{"x" * 65}"'),
        ("x" * 5_000, f'"{"x" * 76}...'),
    ],
)
def test_a_sid_that_is_none_is_shown_like_any_other_value(sid: str, seen: str) -> None:
    found = mistakes(document(statement(Sid=sid), statement(Sid=sid)))
    twice = f"{seen} is a Sid already, at parameter: /Statement/0/Sid; a Sid must be unique"
    assert found[-1] == ("parameter", "/Statement/1/Sid", twice)


@pytest.mark.parametrize(
    "text", ["[]", "5", '{"Statement": {"Sid": "Join"}}', '{"Statement": "Join"}', '{"Statement": [["Join"]]}', "{}"]
)
def test_sids_are_looked_for_only_where_statements_are(text: str) -> None:
    assert not any("already" in message for _, _, message in mistakes(one(), text))


def test_sids_differ_by_case() -> None:
    assert isinstance(load_texts(one(Sid="join"), one(Sid="Join")), Policy)


def test_errors_come_in_the_order_of_document_names() -> None:
    documents = [Document("c", ""), Document("a", ""), Document("b", "")]
    assert [error.document for error in load(documents).errors] == ["a", "b", "c"]
    assert [error.document for error in load(iter(documents)).errors] == ["a", "b", "c"]


def test_an_error_reads_as_one_line_with_its_place() -> None:
    assert str(PolicyError("file.json", "/Statement/0", "is wrong")) == "file.json: /Statement/0: is wrong"
    assert str(PolicyError("file.json", "", "is empty")) == "file.json: is empty"


# -- what a statement becomes


def test_an_allow_is_read_whole() -> None:
    condition = {
        "CurrentOrganization": ["NONE", "o-sandbox0001"],
        "NotBefore": "2027-01-01T01:00:00+01:00",
        "NotAfter": "2027-03-31t00:00:00.5z",
    }
    text = one(Action=["INVITE", "ENABLE_ALL_FEATURES"], Condition=condition)
    assert load_texts(text).statements == (
        Statement(
            sid="Join",
            effect=Effect.ALLOW,
            actions=frozenset({Action.INVITE, Action.ENABLE_ALL_FEATURES}),
            organization_ids=frozenset({ORGANIZATION}),
            management_account_ids=frozenset({MANAGEMENT}),
            current_organizations=frozenset({"NONE", "o-sandbox0001"}),
            not_before=datetime(2027, 1, 1, tzinfo=UTC),
            not_after=datetime(2027, 3, 31, 0, 0, 0, 500_000, tzinfo=UTC),
            respond=Respond.LEAVE_PENDING,
        ),
    )


def test_a_deny_of_everything_is_read_whole() -> None:
    assert load_texts(document({"Sid": "Never", "Effect": "Deny"})).statements == (
        Statement(
            sid="Never",
            effect=Effect.DENY,
            actions=frozenset(),
            organization_ids=frozenset(),
            management_account_ids=frozenset(),
            current_organizations=frozenset(),
            not_before=None,
            not_after=None,
            respond=Respond.LEAVE_PENDING,
        ),
    )


def test_a_text_and_a_list_of_one_mean_the_same() -> None:
    lists = one(
        Action=["TRANSFER_RESPONSIBILITY"],
        Origin={"OrganizationId": [ORGANIZATION], "ManagementAccountId": [MANAGEMENT]},
        Condition={"CurrentOrganization": ["ANY"]},
    )
    texts = transfer(Condition={"CurrentOrganization": "ANY"})
    assert load_texts(lists).statements == load_texts(texts).statements


def test_respond_is_read() -> None:
    assert load_texts(one(Effect="Deny", Respond="Decline")).statements[0].respond is Respond.DECLINE
    assert load_texts(one(Effect="Deny", Respond="LeavePending")).statements[0].respond is Respond.LEAVE_PENDING


@pytest.mark.parametrize("key", ["NotBefore", "NotAfter"])
def test_one_time_can_stand_alone(key: str) -> None:
    found = load_texts(one(Condition={key: "2027-01-01T00:00:00Z"})).statements[0]
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    assert (found.not_before, found.not_after) == ((moment, None) if key == "NotBefore" else (None, moment))


# -- the version


def test_the_version_is_of_the_exact_texts_whatever_their_order_and_names() -> None:
    texts = [one(Sid="A"), one(Sid="B"), document()]
    expected = hashlib.sha256(
        b"".join(sorted(hashlib.sha256(text.encode("utf-8")).digest() for text in texts))
    ).hexdigest()[:16]
    assert version(texts) == version(reversed(texts)) == expected
    assert load([Document("x", text) for text in texts]).version == expected
    assert load([Document(f"{index}.json", text) for index, text in enumerate(reversed(texts))]).version == expected


def test_the_version_is_another_for_any_other_text() -> None:
    text = one()
    others = [[], [text, text], [text + " "], [text, document()], [text.replace(" ", "")]]
    versions = {version([text]), *map(version, others)}
    assert len(versions) == 1 + len(others)
    assert version(["ab", "c"]) != version(["a", "bc"])


def test_any_text_has_a_version() -> None:
    assert version([""]) == hashlib.sha256(hashlib.sha256(b"").digest()).hexdigest()[:16]
    assert version(["\u00e9"]) == hashlib.sha256(hashlib.sha256(b"\xc3\xa9").digest()).hexdigest()[:16]
    assert len(version(["\ud800"])) == 16


# -- mode, and the parameters together


@pytest.mark.parametrize(("text", "mode"), [("enforce", Mode.ENFORCE), ("observe", Mode.OBSERVE)])
def test_there_are_two_modes(text: str, mode: Mode) -> None:
    assert load_mode("mode", text) is mode


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ("Enforce", '"Enforce"'),
        ("OBSERVE", '"OBSERVE"'),
        ("enforce\n", r'"enforce\n"'),
        (" observe", '" observe"'),
        ("off", '"off"'),
        ('"enforce"', r'"\"enforce\""'),
        ("enforc\u0435", r'"enforc\u0435"'),
        ("mary@example.com", "(a text with an @ in it, not shown)"),
        ("x" * 100, f'"{"x" * 76}...'),
        ("x" * 78, f'"{"x" * 78}"'),
        ("x" * 79, f'"{"x" * 76}...'),
    ],
)
def test_any_other_mode_is_a_mistake(text: str, shown: str) -> None:
    expected = InvalidPolicy((PolicyError("the mode", "", f"{shown} is no mode; use enforce or observe"),))
    assert load_mode("the mode", text) == expected


def parameters(**values: str) -> dict[str, dict[str, Any]]:
    names = {name: PREFIX + name.replace("__", "/") for name in values}
    return {names[name]: {"Name": names[name], "Type": "String", "Value": value} for name, value in values.items()}


def errors_of(found: PolicySnapshot) -> list[tuple[str, str, str]]:
    assert found.mode is Mode.OBSERVE
    assert isinstance(found.policy, InvalidPolicy)
    assert found.policy.unreadable is False
    return [(error.document.removeprefix(PREFIX), error.pointer, error.message) for error in found.policy.errors]


@pytest.mark.parametrize("mode", list(Mode))
def test_parameters_are_a_mode_and_documents_in_any_depth(mode: Mode) -> None:
    given = parameters(mode=mode.value, policy__allowlist=document(), policy__teams__one=one(), policy__mode=document())
    found = snapshot(PREFIX, given)
    assert found.mode is mode
    assert [statement.sid for statement in found.policy.statements] == ["Join"]
    assert found.policy.version == version([document(), one(), document()])


def test_without_a_mode_it_is_observe() -> None:
    found = snapshot(PREFIX, parameters(policy__allowlist=one()))
    assert found.mode is Mode.OBSERVE
    assert isinstance(found.policy, Policy)
    nothing = snapshot(PREFIX, {})
    assert (nothing.mode, nothing.policy.statements) == (Mode.OBSERVE, ())


@pytest.mark.parametrize("name", ["mode", "policy/allowlist", "unknown"])
@pytest.mark.parametrize("type_", ["SecureString", "StringList", None])
def test_only_plain_parameters_are_read(name: str, type_: str | None) -> None:
    given = parameters(policy__good=one(), mode="enforce")
    given[PREFIX + name] = {"Name": PREFIX + name, "Type": type_, "Value": "AQICAHh=="}
    assert errors_of(snapshot(PREFIX, given)) == [
        (name, "", f"its type is {type_}: delete it and make it again as String")
    ]


@pytest.mark.parametrize(
    "name",
    ["Mode", "modes", "mode/enforce", "policy", "Policy/allowlist", "policies/allowlist", "allowlist", "observe"],
)
def test_a_parameter_that_nobody_knows_is_a_mistake(name: str) -> None:
    given = parameters(mode="enforce") | parameters(**{name.replace("/", "__"): document()})
    text = "unknown parameter; below /handshake-acceptor/ there are mode and policy/<any name>"
    assert errors_of(snapshot(PREFIX, given)) == [(name, "", text)]


def test_a_parameter_outside_the_prefix_is_not_ours() -> None:
    given = parameters(mode="enforce", policy__a=one())
    for name in ("/handshake-acceptor", "/handshake-acceptor-2/mode", "/other/x", "mode"):
        given[name] = {"Name": name, "Type": "SecureString", "Value": "x"}
    found = snapshot(PREFIX, given)
    assert found.mode is Mode.ENFORCE
    assert isinstance(found.policy, Policy)


def test_another_prefix_is_respected_and_named() -> None:
    given = {name: {"Name": name, "Type": "String", "Value": "observe"} for name in ("/a/b/mode", "/a/b/x", "/a/mode")}
    found = snapshot("/a/b/", given)
    assert found.policy.errors == (
        PolicyError("/a/b/x", "", "unknown parameter; below /a/b/ there are mode and policy/<any name>"),
    )


def test_a_bad_mode_spoils_a_good_policy() -> None:
    given = parameters(mode="enforced", policy__allowlist=one())
    assert errors_of(snapshot(PREFIX, given)) == [("mode", "", '"enforced" is no mode; use enforce or observe')]


def test_a_bad_policy_is_never_enforced() -> None:
    assert errors_of(snapshot(PREFIX, parameters(mode="enforce", policy__allowlist=""))) == [
        ("policy/allowlist", "", "the document is empty")
    ]


def test_all_mistakes_of_all_parameters_are_reported_at_once() -> None:
    given = parameters(mode="on", policy__a="", policy__b=one(), policy__c=one(), typo="x")
    given[f"{PREFIX}policy/d"] = {"Name": f"{PREFIX}policy/d", "Type": "SecureString", "Value": "x"}
    assert errors_of(snapshot(PREFIX, given)) == [
        ("policy/d", "", "its type is SecureString: delete it and make it again as String"),
        ("typo", "", "unknown parameter; below /handshake-acceptor/ there are mode and policy/<any name>"),
        ("mode", "", '"on" is no mode; use enforce or observe'),
        ("policy/a", "", "the document is empty"),
        (
            "policy/c",
            "/Statement/0/Sid",
            f"Join is a Sid already, at {PREFIX}policy/b: /Statement/0/Sid; a Sid must be unique",
        ),
    ]


def test_the_statement_that_is_taken_out_is_out() -> None:
    assert WITHOUT not in statement(Sid=WITHOUT).values()


# -- mistakes of hand-editing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\u00a0", "not JSON, at line 1, column 1: U+00A0 (NO-BREAK SPACE) does not belong here"),
        ("{\n\u0378}", "not JSON, at line 2, column 1: U+0378 (without a name) does not belong here"),
        ('\n{"a": 1,\n\n}', "not JSON, at line 2, column 8: nothing follows this comma; take it out"),
        ('\n\n\n{"a":\n "b" 1}', f"not JSON, at line 5, column 6: {COMMA}"),
        ('{"a": [1,\u00a0]}', "not JSON, at line 1, column 10: U+00A0 (NO-BREAK SPACE) does not belong here"),
    ],
)
def test_where_it_stops_being_json_is_shown(text: str, message: str) -> None:
    assert mistakes(text) == [("parameter", "", message)]


def test_a_number_too_long_to_read_names_its_document() -> None:
    assert mistakes("1" * 5000) == [("parameter", "", cannot_be_read(1, 1, TOO_LARGE))]


def test_one_broken_statement_does_not_hide_the_mistakes_of_the_next() -> None:
    late = {"NotBefore": "2027-01-02T00:00:00Z", "NotAfter": "2027-01-01T00:00:00Z"}
    found = mistakes(document(5, statement(Condition=[]), statement(Sid="B", Condition=late)))
    assert ("parameter", "/Statement/2/Condition/NotAfter", NO_ORDER) in found


# -- bounded work: 8 KB that are nothing but mistakes


def of_8_kb(start: str, item: Callable[[int], str], end: str) -> str:
    """As many items as a parameter holds."""
    items: list[str] = []
    size = len(start + end)
    while size + len(item(len(items))) + 1 <= 8192:
        items.append(item(len(items)))
        size += len(items[-1]) + 1
    return start + ",".join(items) + end


STATEMENTS = '{"Version": "2026-01-01", "Statement": ['
FULL_OF_MISTAKES = {
    "empty statements": of_8_kb(STATEMENTS, lambda number: "{}", "]}"),
    "numbers for statements": of_8_kb(STATEMENTS, lambda number: "0", "]}"),
    "unknown keys": of_8_kb("{", lambda number: f'"Versio{number}": 0', "}"),
    "unknown keys of a statement": of_8_kb(STATEMENTS + "{", lambda number: f'"Effec{number}":0', "}]}"),
    "unknown actions": of_8_kb(STATEMENTS + '{"Action":[', lambda number: '"INVIT"', "]}]}"),
    "the same key": of_8_kb("{", lambda number: '"a":0', "}"),
    "every key twice": of_8_kb("{", lambda number: f'"{number // 2}":0', "}"),
    "the same Sid": of_8_kb(STATEMENTS, lambda number: '{"Sid":"A"}', "]}"),
    "no such times": of_8_kb(
        STATEMENTS, lambda number: '{"Condition":{"NotBefore":"2027-02-30T00:00:00Z"}}', "]}"
    ),
    "ANY": of_8_kb(STATEMENTS, lambda number: '{"Condition":{"CurrentOrganization":"ANY"}}', "]}"),
    "long keys": of_8_kb("{", lambda number: f'"{number:0100}":0', "}"),
    "deep keys written twice": of_8_kb(
        "".join(f'{{"{"k" * 80}{level}":' for level in range(31)) + "{", lambda number: f'"{number // 2}":0', "}" * 32
    ),
}  # fmt: skip


@pytest.fixture
def suggestions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every search for a known word that is near."""
    searched: list[object] = []
    search = difflib.get_close_matches
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda *given, **more: searched.append(given) or search(*given, **more)
    )
    return searched


@pytest.mark.parametrize("text", FULL_OF_MISTAKES.values(), ids=FULL_OF_MISTAKES)
def test_at_most_ten_mistakes_are_told_and_the_rest_counted(text: str, suggestions: list[object]) -> None:
    assert len(text) <= 8192
    policy = load([Document("policy/a", text)])
    assert isinstance(policy, InvalidPolicy)
    assert (len(policy.errors), len(policy.told)) == (10, 11) if policy.more else (1, 1)
    assert str(policy.told[-1]) == f"and {policy.more:,} more mistakes" if policy.more else True
    assert sum(len(str(error)) for error in policy.told) < 40_000
    assert len(suggestions) <= 10


def test_every_mistake_is_counted() -> None:
    counts = {name: load([Document("policy/a", text)]).count for name, text in FULL_OF_MISTAKES.items()}
    statements = FULL_OF_MISTAKES["empty statements"].count("{}")
    assert counts["empty statements"] == 2 * statements
    sids = FULL_OF_MISTAKES["the same Sid"].count("Sid")
    assert counts["the same Sid"] == 2 * sids - 1  # no Effect, and all but one are taken
    keys = FULL_OF_MISTAKES["every key twice"].count(":")
    assert counts["every key twice"] == 2 + keys // 2 + (keys + 1) // 2  # nothing that is needed; twice; unknown


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, those in C too."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("text", FULL_OF_MISTAKES.values(), ids=FULL_OF_MISTAKES)
def test_the_work_grows_with_the_length_and_not_with_its_square(text: str) -> None:
    """A parameter of 8,192 bytes costs fewer than 30 calls a byte; by its square it would be thousands."""
    load([])  # what is made once is made
    load_texts(document())
    assert calls_of(lambda: load([Document("policy/a", text)])) < 30 * len(text)


def test_keys_that_are_written_twice_are_found_by_one_look_at_each() -> None:
    class Counted(str):
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

    pairs = [(Counted(f"{number // 2}"), 0) for number in range(4000)]
    content = json_reader._object(pairs)
    assert (len(content), len(content.repeated)) == (2000, 2000)
    assert Counted.compared < 10 * len(pairs)


def test_no_document_is_looked_at_after_ten_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    read = json_reader.read
    monkeypatch.setattr(json_reader, "read", lambda text: looked_at.append(text) or read(text))
    policy = load([Document(f"policy/{number:04}", f"{{ {number}") for number in range(1000)])
    assert (len(looked_at), len(policy.errors), policy.more, policy.unchecked) == (10, 10, 0, 990)
    assert str(policy.told[-1]) == "990 documents not checked yet"
    both = load([Document("policy/a", FULL_OF_MISTAKES["empty statements"]), Document("policy/b", "{")])
    assert str(both.told[-1]) == f"and {both.more:,} more mistakes; 1 document not checked yet"


def test_many_parameters_that_nobody_knows_are_ten_mistakes_and_a_count() -> None:
    given = parameters(**{f"typo{number}": "x" for number in range(500)}, mode="on", policy__a="", policy__b="{")
    policy = snapshot(PREFIX, given).policy
    assert isinstance(policy, InvalidPolicy)
    assert (len(policy.errors), policy.count) == (10, 503)
    assert str(policy.told[-1]) == "and 493 more mistakes"
