"""How long `brake on` takes for 500 accounts, where each call of AWS takes 50 ms: the installed command, over HTTP.

The claim to check: within a minute. The baseline is the same number of calls, side by side, if they took nothing but
those 50 ms each.
"""

from __future__ import annotations

from bench.shared.figure import figure
from bench.shared.many_accounts import CALL, PARALLEL, Aws, handshakectl

ACCOUNTS = [f"5{number:011}" for number in range(500)]


def main() -> None:
    """Measures."""
    aws = Aws()
    done = handshakectl(aws, ACCOUNTS, "brake", "on", "--reason", "drill", "--yes")
    assert done.status == 0, done.output[-1000:]
    assert all(aws.modes[account][-1]["Value"] == "observe" for account in ACCOUNTS)
    name = f"brake on, {len(ACCOUNTS)} accounts, {CALL * 1000:.0f} ms a call"
    figure(name, done.seconds, "s", aws.calls * CALL / PARALLEL)


if __name__ == "__main__":
    main()
