"""JSON that a person wrote: the same sentence for the same mistake in every Python, and nothing taken that is none."""

from __future__ import annotations

import json
from functools import partial
from math import isfinite
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handshake_core import mistakes
from handshake_core.json_reader import MOST_DIGITS, MOST_LEVELS, TWICE, NotReadable, _first_mistake, read, read_strictly
from tests.unit.bad_documents import COMMA, GOOD, NO_END, TOO_DEEP, TOO_LARGE, VALUE, cannot_be_read, not_json

LISTS = "a comma or ] must stand here"
COLON = "a colon must stand here"
KEY = "a key in double quotes must stand here"
NOTHING_MORE = "nothing may follow the end of the document"
HEXADECIMAL = r"four hexadecimal digits must follow \u"


def mistake(text: str) -> str:
    with pytest.raises(NotReadable) as error:
        read(text)
    assert str(error.value).isascii()
    assert str(error.value).isprintable()
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Python 3.13 words these three in another way than 3.11, and sees them at another place.
        ('{"a": 1,}', not_json(1, 8, "nothing follows this comma; take it out")),
        ("[1,]", not_json(1, 3, "nothing follows this comma; take it out")),
        ('{"a": 1,\n\n  }', not_json(1, 8, "nothing follows this comma; take it out")),
        ("[1,}", not_json(1, 3, "nothing follows this comma; take it out")),
        ("{,}", not_json(1, 2, KEY)),
        ("[,]", not_json(1, 2, VALUE)),
        ("[1,,2]", not_json(1, 4, VALUE)),
        ('{"a": 1,, "b": 2}', not_json(1, 9, KEY)),
        ("[1 2]", not_json(1, 4, LISTS)),
        ('{"a": 1 "b": 2}', not_json(1, 9, COMMA)),
        ("[1}", not_json(1, 3, LISTS)),
        ('{"a": 1]', not_json(1, 8, COMMA)),
        ("{]", not_json(1, 2, KEY)),
        ('{"a"}', not_json(1, 5, COLON)),
        ('{"a":}', not_json(1, 6, VALUE)),
        ('{"a": 1} x', not_json(1, 10, NOTHING_MORE)),
        ("]", not_json(1, 1, VALUE)),
        ("{", not_json(1, 2, "the document ends here, but } is missing")),
        ('[{"a": [1,', not_json(1, 11, "the document ends here, but ] is missing")),
        ('[{"a" ', not_json(1, 7, "the document ends here, but } is missing")),
        ("tru", not_json(1, 1, VALUE)),
        ("nulll", not_json(1, 5, NOTHING_MORE)),
        ("-", not_json(1, 1, VALUE)),
        ("[01]", not_json(1, 3, LISTS)),
        ("[1.]", not_json(1, 3, LISTS)),
        ("[1e]", not_json(1, 3, LISTS)),
        ("[-NaN]", not_json(1, 2, VALUE)),
        ("[-Infinity]", not_json(1, 2, "JSON has no -Infinity")),
        ('"', not_json(1, 1, NO_END)),
        ('"a\\', not_json(1, 1, NO_END)),
        ('"a\\"', not_json(1, 1, NO_END)),
        ('["a\\x"]', not_json(1, 4, r"there is no such escape; a backslash itself is written \\")),
        ('["\\u12g4"]', not_json(1, 3, HEXADECIMAL)),
        ('["\\ud800\\u12"]', not_json(1, 9, HEXADECIMAL)),
        ('"a\r\n"', not_json(1, 3, "a line break inside a text; is the closing quote missing?")),
        ('"a\r"', not_json(1, 3, r"U+000D inside a text; write it as \u000d")),
        ('"a\0"', not_json(1, 3, r"U+0000 inside a text; write it as \u0000")),
        ("\ufeff{}", not_json(1, 1, "it begins with a byte order mark; save it without one")),
        ("[1 x\u00e9]", not_json(1, 4, LISTS)),
        ("{\ufeff}", not_json(1, 2, "U+FEFF (ZERO WIDTH NO-BREAK SPACE) does not belong here")),
        ("[\u0661]", not_json(1, 2, "U+0661 (ARABIC-INDIC DIGIT ONE) does not belong here")),
        ("[\U0001f9e8]", not_json(1, 2, "U+1F9E8 (without a name) does not belong here")),  # newer than Unicode 3.2
        ("[1e400]", cannot_be_read(1, 2, TOO_LARGE)),
        ("[-1e400]", cannot_be_read(1, 2, TOO_LARGE)),
        ("\n[" + "1" * (MOST_DIGITS + 1) + "]", cannot_be_read(2, 2, TOO_LARGE)),
        ("[0." + "1" * MOST_DIGITS + "]", cannot_be_read(1, 2, TOO_LARGE)),
        ("[" * (MOST_LEVELS + 1) + "]" * (MOST_LEVELS + 1), cannot_be_read(1, MOST_LEVELS + 1, TOO_DEEP)),
        ('{"a":' * 40 + "1" + "}" * 40, cannot_be_read(1, MOST_LEVELS * 5 + 1, TOO_DEEP)),
        ("", "the document is empty"),
        (" \r\n\t", "the document is empty"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_in_words_that_no_python_changes(text: str, message: str) -> None:
    assert mistake(text) == message


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("[" * MOST_LEVELS + "]" * MOST_LEVELS, None),
        ("1" * MOST_DIGITS, int("1" * MOST_DIGITS)),
        ("1e300", 1e300),
        ('"\\ud800"', "\ud800"),
        (' {"a" : [ ] }\r\n', {"a": []}),
        ('{"a": {"b": 1}, "b": [{"b": 2}, {"b": 3}]}', None),
        *((text, None) for _, text in GOOD),
    ],
)
def test_what_is_json_within_the_limits_is_read_as_python_reads_it(text: str, content: Any) -> None:
    assert read(text) == (json.loads(text), [])
    assert read_strictly(text) == json.loads(text)
    if content is not None:
        assert read_strictly(text) == content


# Pieces that make mistakes likely: what stands in JSON, and what people write instead.
PIECES = st.sampled_from(
    [
        *'{}[],:"\\',
        '"a"',
        '"b"',
        "\\u00",
        "\\n",
        "\n",
        " ",
        "1",
        "-",
        "0",
        ".5",
        "e9",
        "true",
        "null",
        "NaN",
        "'",
        "\u00a0",
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def nearly(draw: st.DrawFn) -> str:
    """JSON with a piece put in, or a stretch left out."""
    text = json.dumps(draw(VALUES), indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans()))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 2)))
    return text[:start] + draw(PIECES | st.just("")) + text[end:]


def is_json(text: str) -> bool:
    """As this Python's own decoder sees it, without what it reads beyond JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def finite(digits: str) -> float | None:
        return float(digits) if isfinite(float(digits)) else refuse(digits)

    try:
        json.loads(text, parse_constant=refuse, parse_float=finite)
    except ValueError:
        return False
    return True


@settings(max_examples=1500, deadline=None)
@given(TEXTS | nearly())
@example("[1,]")
@example('{"a": "\\ud83d\\u00"}')
def test_a_mistake_is_found_exactly_where_python_takes_the_text_for_no_json(text: str) -> None:
    found = _first_mistake(text)
    assert (found is None) == is_json(text)
    if found:
        assert 0 <= found[0] <= len(text)


def test_keys_that_are_written_more_than_once_are_named_in_the_order_of_the_text() -> None:
    text = '{"b": 1, "a": [{"x": 1, "x": 2, "x": 3}], "b": {"~/": 1, "~/": 2}, "c": 3, "b": {"d": 1, "d": 1}}'
    content, repeated = read(text)
    assert content == json.loads(text)
    assert repeated == ["/b", "/b/d", "/a/0/x"]
    with pytest.raises(NotReadable) as error:
        read_strictly(text)
    assert str(error.value) == f"/b: {TWICE} (and 2 more such keys)"


def test_one_more_key_that_is_written_twice_is_counted() -> None:
    with pytest.raises(NotReadable) as error:
        read_strictly('{"a": 1, "a": 2, "b": 1, "b": 2}')
    assert str(error.value) == f"/a: {TWICE} (and 1 more such keys)"


def test_one_key_that_is_written_twice_is_refused() -> None:
    with pytest.raises(NotReadable, match=f"^/a: {TWICE}$"):
        read_strictly('{"a": 1, "a": 1}')


def test_a_mistake_at_the_end_of_a_long_text_is_named() -> None:
    text = "[" + '{"a": ["b", 1]},' * 20_000 + "]"
    assert mistake(text) == not_json(1, len(text) - 1, "nothing follows this comma; take it out")


@pytest.mark.parametrize(
    ("count", "some", "more", "words"),
    [
        (9, 9, 0, ""),
        (10, 10, 0, ""),
        (11, 10, 1, "and 1 more mistake"),
        (12, 10, 2, "and 2 more mistakes"),
        (2010, 10, 2000, "and 2,000 more mistakes"),
    ],
)
def test_ten_mistakes_are_told_and_the_others_counted(count: int, some: int, more: int, words: str) -> None:
    told, left = mistakes.told(partial(str, number) for number in range(count))
    assert (told, left) == ([str(number) for number in range(some)], more)
    assert not words or mistakes.and_more(left) == words
