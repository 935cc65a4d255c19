"""How a large policy behaves: 10,000 statements over 1,000 documents, and 1,000 handshakes to decide.

The claim to check: what one decision costs does not grow with the number of statements that name other organizations.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench.shared.figure import figure
from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy, Policy, decide
from handshake_acceptor.policy.documents import Document, load
from handshake_core.handshake import Account, Handshake, Role

DOCUMENTS = 1_000
STATEMENTS = 10  # a document
HANDSHAKES = 1_000
ROUNDS = 15
OWN = "222222222222"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACCOUNT = Account(OWN, "aws", Role.STANDALONE, "NONE")


def statement(kind: str, number: int, **more: Any) -> dict[str, Any]:
    """An Allow, or every tenth time a Deny, of an origin of its own."""
    origin = {"OrganizationId": organization(kind, number), "ManagementAccountId": f"{number:012d}"}
    effect = "Deny" if number % 10 == 9 else "Allow"
    return {"Sid": f"{kind}{number}", "Effect": effect, "Action": "INVITE", "Origin": origin} | more


def organization(kind: str, number: int) -> str:
    return f"o-{kind}{number:010d}"


def documents(statements: list[dict[str, Any]]) -> list[Document]:
    parts = [statements[start : start + STATEMENTS] for start in range(0, len(statements), STATEMENTS)]
    texts = (json.dumps({"Version": "2026-01-01", "Statement": part}) for part in parts)
    return [Document(f"/handshake-acceptor/policy/{index}", text) for index, text in enumerate(texts)]


def policy(statements: list[dict[str, Any]]) -> Policy:
    loaded = load(documents(statements))
    if isinstance(loaded, InvalidPolicy):
        raise SystemExit(f"the bench's own policy is invalid: {loaded.errors[0]}")
    return loaded


def raw_handshake(kind: str, number: int) -> dict[str, Any]:
    named, identifier = organization(kind, number), f"h-bench{number:010d}"
    return {
        "Id": identifier,
        "Arn": f"arn:aws:organizations::{number:012d}:handshake/{named}/invite/{identifier}",
        "Parties": [{"Id": named, "Type": "ORGANIZATION"}, {"Id": OWN, "Type": "ACCOUNT"}],
        "State": "OPEN",
        "RequestedTimestamp": "2026-11-20T21:41:16+00:00",
        "ExpirationTimestamp": "2026-12-05T21:41:16+00:00",
        "Action": "INVITE",
        "Resources": [{"Type": "ORGANIZATION", "Value": named}, {"Type": "ACCOUNT", "Value": OWN}],
    }


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """The median seconds of each, measured in turns so that a busy machine disturbs both alike."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(ROUNDS)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def main() -> None:
    ours = [statement("ours", number) for number in range(10)]
    foreign = [statement("foreign", number) for number in range(DOCUMENTS * STATEMENTS)]
    texts = documents(foreign)
    policy(ours)  # compiles the schema, once a process

    load_all, read_all = interleaved(lambda: load(texts), lambda: [json.loads(document.text) for document in texts])
    figure("policy load, 10,000 statements in 1,000 documents, against reading their JSON", load_all, "s", read_all)

    small, large = policy(ours + foreign[:10]), policy(ours + foreign)
    invited = [raw_handshake("ours", number % 10) for number in range(HANDSHAKES)]
    strangers = [raw_handshake("nobody", number) for number in range(HANDSHAKES)]

    def read_and_decide(of: Policy) -> None:
        for raw in invited:
            decide(Handshake.from_api(raw, listed=True), of, ACCOUNT, NOW)

    with_large, with_small = interleaved(lambda: read_and_decide(large), lambda: read_and_decide(small))
    rates = HANDSHAKES / with_large, HANDSHAKES / with_small
    figure("policy decisions, 10,010 statements against 20, parsing included", rates[0], "handshakes/s", rates[1])

    for name, raws, expected in (
        ("allowed or denied", invited, {DecisionKind.ACCEPT, DecisionKind.DENY}),
        ("not matched, with reasons", strangers, {DecisionKind.NO_MATCH}),
    ):
        handshakes = [Handshake.from_api(raw, listed=True) for raw in raws]

        def decide_all(of: Policy, handshakes: list[Any] = handshakes) -> set[DecisionKind]:
            return {decide(handshake, of, ACCOUNT, NOW).kind for handshake in handshakes}

        for of in (small, large):
            if decide_all(of) != expected:
                raise SystemExit(f"wrong decisions: {decide_all(of)}, expected {expected}")
        slow, fast = interleaved(lambda: decide_all(large), lambda: decide_all(small))
        bench = f"policy decision, {name}: 10,000 foreign statements against 10"
        figure(bench, slow / HANDSHAKES * 1e6, "us", fast / HANDSHAKES * 1e6)


if __name__ == "__main__":
    main()
