"""How long it takes to find out what a change of a large policy changes: two policies of 1,000 statements each.

The claim to check: at most two seconds. The baseline is what has to be done in any case: loading both policies.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Any

from bench.policy_scale import policy, seconds, statement
from bench.shared.figure import figure
from handshakectl.policy.comparison import compare

STATEMENTS = 1_000
ROUNDS = 5
ACTIONS = ["INVITE", "ENABLE_ALL_FEATURES", "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"]


def statements(first: int, count: int = STATEMENTS, **more: Any) -> list[dict[str, Any]]:
    """Each of an origin of its own; every tenth is a Deny."""
    return [statement("ours", number, Action=ACTIONS, **more) for number in range(first, first + count)]


def freezes(count: int) -> list[dict[str, Any]]:
    """Denies of everything, for an hour each."""
    days = [f"{2027 + number // 336}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}" for number in range(count)]
    return [
        {
            "Sid": f"freeze{day}",
            "Effect": "Deny",
            "Condition": {"NotBefore": f"{day}T00:00:00Z", "NotAfter": f"{day}T01:00:00Z"},
        }
        for day in days
    ]


CHANGES = {
    "ten statements of 1,000 are others": (statements(0), statements(10)),
    "all 1,000 are others": (statements(0), statements(STATEMENTS)),
    "each ends a year later": (
        statements(0, Condition={"NotAfter": "2027-03-31T00:00:00Z"}),
        statements(0, Condition={"NotAfter": "2028-03-31T00:00:00Z"}),
    ),
    "a Deny of everything goes": ([*statements(0, 999), {"Sid": "All", "Effect": "Deny"}], statements(0)),
    "500 Denies of everything for an hour come": (statements(0), [*statements(0, 500), *freezes(500)]),
}


def _load(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    policy(old)
    policy(new)


def main() -> None:
    for name, (old, new) in CHANGES.items():
        base, to = policy(old), policy(new)
        if not compare(base, to).changes:
            raise SystemExit(f"{name}: nothing was found")
        pairs = [(seconds(partial(compare, base, to)), seconds(partial(_load, old, new))) for _ in range(ROUNDS)]
        compared, loaded = (median(pair[index] for pair in pairs) for index in (0, 1))
        figure(f"policy compare, {name}, against loading both", compared, "s", loaded)


if __name__ == "__main__":
    main()
