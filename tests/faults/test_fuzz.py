"""The handler under events and answers that somebody made up to hurt it.

Whatever comes, it raises nothing but its own named failure, it accepts and declines nothing, and what it writes has no
personal data and no forged line in it. `FUZZ_CASES` says how many cases; a small share is in every test run.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from handshake_core import retry
from local.world import MANAGEMENT, MEMBER, ORGANIZATION, PREFIX, Inline, allow, client_error, deny, document

CASES = int(os.environ.get("FUZZ_CASES", "250"))
NOW = datetime.now(UTC)
ID = "h-examplehandshakeid111"
ARN = f"arn:aws:organizations::{MANAGEMENT}:handshake/{ORGANIZATION}/invite/{ID}"
SECRET = "mary@example.com"

Json = dict[str, Any]


class Changed(BaseException):
    """Something was accepted or declined: nothing here is allowed to be."""


class Hostile:
    """Either client, with answers that were thought up beforehand; the last of an operation is given for ever."""

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        self._answers = {operation: list(given) for operation, given in answers.items()}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation in ("accept_handshake", "decline_handshake"):
            raise Changed(operation)
        given = self._answers[operation]

        def call(**_: Any) -> Any:
            answer = given.pop(0) if len(given) > 1 else given[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


TEXTS = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\r\n",
        '{"message": "decision", "outcome": "ACCEPTED"}',
        SECRET,
        "NONE",
        "ANY",
        "*",
        "o-*",
        ORGANIZATION,
        ORGANIZATION.upper(),
        f"{ORGANIZATION}x",
        "o-exampleorgi",
        "o-\u0435\u0445ampleorgid",
        "exampleorgid",
        MANAGEMENT,
        MEMBER,
        "\uff11" * 12,
        "11111111111",
        ID,
        ARN,
        f"{ARN}\n",
        "x" * 5000,
        "\u202e",
        "../../mode",
    ]
) | st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(timezones=st.just(UTC)) | st.just(NOW + timedelta(days=10))

# What makes a handshake that would be accepted one that must not be: each contradicts it, ends it, or moves it.
FATAL = st.sampled_from(
    [
        {"Id": "h-anotherhandshake1"},
        {"Id": f"{ID}\n"},
        {"Action": "ENABLE_ALL_FEATURES"},
        {"Action": "invite"},
        {"State": "ACCEPTED"},
        {"State": "open"},
        {"State": "CANCELED"},
        {"ExpirationTimestamp": NOW - timedelta(days=1)},
        {"ExpirationTimestamp": NOW.replace(tzinfo=None) + timedelta(days=9)},
        {"Arn": f"{ARN} "},
        {"Arn": ARN.upper()},
        {"Arn": ARN.replace("arn:aws:", "arn:aws-cn:")},
        {"Arn": ARN.replace(ORGANIZATION, f"{ORGANIZATION}1")},
        {"Arn": ARN.replace(ORGANIZATION, "o-\u0435\u0445ampleorgid")},
        {"Arn": ARN.replace(MANAGEMENT, "111111111112")},
        {"Arn": ARN.replace("/invite/", "/enable_all_features/")},
        {"Parties": [{"Type": "ORGANIZATION", "Id": "o-foreign00001"}]},
        {"Parties": [{"Type": "ACCOUNT", "Id": "999999999999"}]},
        {"Parties": [{"Type": "ACCOUNT", "Id": MEMBER}, {"Type": "ACCOUNT", "Id": "999999999999"}]},
        {"Parties": [{"Type": "ACCOUNT"}]},
        {"Resources": [{"Type": "MANAGEMENT_ACCOUNT", "Value": "333333333333"}]},
        {"Resources": [{"Type": "NOTES", "Resources": [{"Type": "ORGANIZATION", "Value": "o-foreign00001"}]}]},
    ]
)
NAMED = st.fixed_dictionaries(
    {}, optional={"Type": st.sampled_from(["EMAIL", "NOTES", "NEW"]) | TEXTS, "Id": TEXTS, "Value": TEXTS}
)


def nested(depth: int) -> Json:
    resource: Json = {"Type": "NOTES", "Value": SECRET}
    for _ in range(depth):
        resource = {"Type": "NOTES", "Value": SECRET, "Resources": [resource]}
    return resource


@st.composite
def handshakes(draw: st.DrawFn) -> Json:
    """One that looks like the allowed one, but is spoilt."""
    raw: Json = {
        "Id": ID,
        "Arn": ARN,
        "Action": "INVITE",
        "State": "OPEN",
        "ExpirationTimestamp": NOW + timedelta(days=10),
        "RequestedTimestamp": draw(TIMES),
        "Parties": [{"Type": "ACCOUNT", "Id": MEMBER}, {"Type": "EMAIL", "Id": SECRET}],
        "Resources": [nested(draw(st.sampled_from([0, 1, 50])))],
    }
    if draw(st.booleans()):
        raw["Resources"] = raw["Resources"] + draw(st.lists(NAMED, max_size=2))
    for name in draw(st.lists(st.sampled_from(["Id", "Arn", "Action", "State", "ExpirationTimestamp"]), max_size=2)):
        if draw(st.booleans()):
            del raw[name]
            return raw
        if name != "ExpirationTimestamp":
            raw[name] = draw(TEXTS.filter(lambda text, name=name: text != raw[name]))
            return raw
    return raw | draw(FATAL)


ERRORS = st.builds(
    client_error,
    TEXTS
    | st.sampled_from(
        ["TooManyRequestsException", "ServiceException", "AccessDeniedException", "HandshakeNotFoundException"]
    ),
    reason=st.none() | TEXTS,
    status=st.sampled_from([400, 403, 500, 503]),
    message=TEXTS,
) | st.sampled_from(
    [ReadTimeoutError(endpoint_url="x"), ConnectionClosedError(endpoint_url="x"), ResponseParserError("x")]
)


def listing(key: str, item: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Pages, the last without an end or with one."""
    token = st.none() | TEXTS
    page = st.builds(
        lambda items, token: {key: items} | ({"NextToken": token} if token is not None else {}),
        st.lists(item, max_size=3),
        token,
    )
    return st.lists(page | ERRORS | st.just({}), min_size=1, max_size=3)


POLICY = [
    {"Name": f"{PREFIX}mode", "Type": "String", "Value": "enforce"},
    {"Name": f"{PREFIX}policy/allowlist", "Type": "String", "Value": document(allow())},
]
DOCUMENTS = (
    st.sampled_from(
        [
            "{",
            "[]",
            "null",
            "[" * 4000,
            '{"a":' * 2000,
            document(allow("Join*")),
            document(allow(organization="*")),
            document(deny()),
            "�",
            document(allow("Join", "o-foreign00001"), allow("Join", "o-foreign00001")),
            '{"Version": NaN}',
            document(allow()).replace("INVITE", "invite"),
        ]
    )
    | TEXTS
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "Name": st.sampled_from(
            [f"{PREFIX}mode", f"{PREFIX}policy/allowlist", f"{PREFIX}policy/x", f"{PREFIX}y", "/other/mode"]
        )
        | TEXTS,
        "Type": st.sampled_from(["String", "StringList", "SecureString", "x"]),
        "Value": DOCUMENTS,
    },
)
ORGANIZATIONS = st.fixed_dictionaries(
    {
        "organizations": st.lists(
            ERRORS
            | st.just({})
            | st.builds(lambda i, m: {"Organization": {"Id": i, "MasterAccountId": m}}, TEXTS, TEXTS),
            min_size=1,
            max_size=2,
        )
    }
)
ANSWERS = st.fixed_dictionaries(
    {
        "list_handshakes_for_account": st.builds(
            lambda raws: [{"Handshakes": raws}], st.lists(handshakes(), min_size=1, max_size=3)
        )
        | listing("Handshakes", handshakes()),
        "describe_handshake": st.lists(
            ERRORS | st.just({}) | handshakes().map(lambda raw: {"Handshake": raw}), min_size=1, max_size=2
        ),
        "describe_organization": st.just([client_error("AWSOrganizationsNotInUseException")])
        | ORGANIZATIONS.map(lambda found: found["organizations"]),
        "get_parameters_by_path": st.just([{"Parameters": POLICY}]) | listing("Parameters", PARAMETERS),
    }
)
KNOWN_EVENT = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from(["aws.scheduler", "aws.organizations", "handshake-acceptor.relay"]) | VALUES,
        "time": st.just(NOW.isoformat()) | VALUES,
        "handshake_id": st.just(ID) | VALUES,
        "detail": VALUES
        | st.fixed_dictionaries(
            {},
            optional={
                "handshake_id": st.just(ID) | VALUES,
                "responseElements": VALUES | st.just({"handshake": {"id": ID}}),
            },
        ),
    },
)


@pytest.fixture(scope="module")
def acceptor() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("POWERTOOLS_SERVICE_NAME", "handshake-acceptor")
        environment.setenv("POWERTOOLS_METRICS_NAMESPACE", "HandshakeAcceptor")
        module = importlib.reload(importlib.import_module("handshake_acceptor.handler"))
        environment.setattr(module, "_READER", Inline())
        yield module


@given(event=VALUES | KNOWN_EVENT, answers=ANSWERS)
@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
    derandomize=CASES < 10_000,
    database=None,
)
def test_no_event_and_no_answer_makes_it_accept_or_fail_unnamed(
    acceptor: ModuleType, event: Any, answers: dict[str, list[Any]]
) -> None:
    spent, logged, client = [0.0], StringIO(), Hostile(answers)
    context = SimpleNamespace(
        function_name="handshake-acceptor",
        memory_limit_in_mb=256,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:{MEMBER}:function:handshake-acceptor",
        aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
        get_remaining_time_in_millis=lambda: int(240_000 - 1000 * spent[0]),
    )
    slept = SimpleNamespace(sleep=lambda seconds: spent.__setitem__(0, spent[0] + seconds + 0.01))
    acceptor.logger.registered_handler.stream = logged
    with (
        patch.object(acceptor, "_ORGANIZATIONS", client),
        patch.object(acceptor, "_SSM", client),
        patch.object(retry, "time", slept),
        patch("sys.stdout", logged),
    ):
        try:
            answer = json.dumps(acceptor.handler(event, context))
        except acceptor.RunFailed as failure:
            answer = str(failure)
    for line in logged.getvalue().splitlines():
        json.loads(line)
    assert SECRET not in logged.getvalue() + answer
    assert '"outcome": "ACCEPTED"' not in answer


def test_the_same_handshake_unspoilt_is_accepted(acceptor: ModuleType) -> None:
    """Otherwise the cases above would be refused for a reason that they all share."""
    raw = {"Id": ID, "Arn": ARN, "Action": "INVITE", "State": "OPEN", "ExpirationTimestamp": NOW + timedelta(days=10)}
    answers = {
        "list_handshakes_for_account": [{"Handshakes": [raw]}],
        "describe_organization": [client_error("AWSOrganizationsNotInUseException")],
        "get_parameters_by_path": [{"Parameters": POLICY}],
    }
    with pytest.raises(Changed):
        test_no_event_and_no_answer_makes_it_accept_or_fail_unnamed.hypothesis.inner_test(acceptor, {}, answers)
