"""How long `status` takes for 300 accounts, where each call of AWS takes 50 ms: the installed command, over HTTP.

The claims to check: at most 20 s, with at most 8 calls at once; and memory that does not grow with the accounts: the
baseline of that figure is 30 accounts. The baseline of the time is the same number of calls, side by side, if they
took nothing but those 50 ms each.
"""

from __future__ import annotations

import json

from bench.shared.figure import figure
from bench.shared.many_accounts import CALL, PARALLEL, Aws, Done, handshakectl

MANY, FEW = 300, 30


def main() -> None:
    """Measures."""
    _, few = looked_at(FEW)
    aws, many = looked_at(MANY)
    assert aws.most_at_once <= PARALLEL, aws.most_at_once
    name = f"status, {MANY} accounts, {CALL * 1000:.0f} ms a call"
    figure(name, many.seconds, "s", aws.calls * CALL / PARALLEL)
    figure(f"{name}, memory, against {FEW} accounts", many.peak_mb, "MB", few.peak_mb)


def looked_at(count: int) -> tuple[Aws, Done]:
    """Looks at so many accounts, all of which have joined."""
    aws, accounts = Aws(), [f"5{number:011}" for number in range(count)]
    done = handshakectl(aws, accounts, "status", "--expect", "o-exampleorgid", "--json")
    rows = json.loads(done.output)
    assert [row["account_id"] for row in rows if row["verdict"] == "joined"] == accounts, done.output[-1000:]
    return aws, done


if __name__ == "__main__":
    main()
