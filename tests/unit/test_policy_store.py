from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from handshake_acceptor.policy.store import PolicyStore
from handshake_core.retry import Clock
from local.world import PREFIX, START, Parameters, client_error, deny, document


def test_all_parameters_are_read_patiently_over_all_pages_as_they_are() -> None:
    client, slept = Parameters(), list[float]()
    client.values = {f"{PREFIX}policy/p{number:02}": document(deny(f"D{number}")) for number in range(25)}
    client.faults = [client_error("ThrottlingException")]
    left = count(100.0, -1.0)  # a reader that never ends would run out of it
    clock = Clock(now=lambda: START, remaining=lambda: next(left), sleep=slept.append, random=lambda: 1.0)
    read = PolicyStore(client, clock, PREFIX).parameters()
    assert read == {n: {"Name": n, "Value": text, "Type": "String"} for n, text in client.values.items()}
    assert (client.reads, slept) == (4, [0.1])


def test_a_prefix_is_a_path_as_it_stands() -> None:
    client = Parameters()
    client.values = {"/TEAMX/policy/a": "{}", "/TEAMX/mode": "enforce", "/TEAM/policy/b": "{}"}
    left = count(100.0, -1.0)
    clock = Clock(now=lambda: START, remaining=lambda: next(left), sleep=lambda _: None, random=lambda: 1.0)
    assert set(PolicyStore(client, clock, "/TEAMX/").parameters()) == {"/TEAMX/policy/a", "/TEAMX/mode"}


MODE = {"Name": f"{PREFIX}mode", "Value": "enforce", "Type": "String"}


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"Parameters": None},
        {"Parameters": [MODE, {"Name": f"{PREFIX}policy/a", "Type": "String"}]},
        {"Parameters": [MODE, MODE | {"Name": "/another-team/policy/a"}]},
        {"Parameters": [MODE, MODE | {"Name": PREFIX.upper() + "policy/a"}]},
        {"Parameters": [MODE, MODE | {"Value": None}]},
        {"Parameters": [MODE, MODE | {"Name": 7}]},
    ],
)
def test_a_page_that_cannot_be_believed_is_no_page(page: Any) -> None:
    """What is missing from it could be a Deny."""

    class Client:
        def get_parameters_by_path(self, **_: Any) -> Any:
            return page

    left = count(100.0, -10.0)
    clock = Clock(now=lambda: START, remaining=lambda: next(left), sleep=lambda _: None, random=lambda: 1.0)
    with pytest.raises(ResponseParserError):
        PolicyStore(Client(), clock, PREFIX).parameters()
