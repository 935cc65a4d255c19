"""How far an account has come, from what was seen of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from handshake_acceptor.policy.decide import NONE, DecisionKind
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.reporting.record import Outcome
from handshake_core.handshake import Role
from handshakectl.account.standing import POLITE_PERIOD, Evidence, LastRecord, Standing, Waiting, Why, judge

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORG = "o-exampleorgid"
BARE = Evidence(NOW, 5 * MINUTE, NONE, Mode.ENFORCE, NOW - 90 * MINUTE, NOW - MINUTE)
ON_ITS_WAY = Waiting(NOW - MINUTE, DecisionKind.ACCEPT, Why("ACCEPT", "allowed"))


def record(outcome: str) -> LastRecord:
    return LastRecord(NOW - MINUTE, outcome, Why("THROTTLED", "later"))


@pytest.mark.parametrize(("kind", "outcome"), [*product(DecisionKind, [*Outcome, "NEW"])])
@pytest.mark.parametrize("mode", [*Mode, None])
@pytest.mark.parametrize("expected", [ORG, None])
@pytest.mark.parametrize("age", [MINUTE, timedelta(days=1), timedelta(days=8)])
def test_nothing_that_waits_is_ok(
    kind: DecisionKind, outcome: str, mode: Mode | None, expected: str | None, age: timedelta
) -> None:
    one = replace(ON_ITS_WAY, decision=kind, record=record(outcome), since=NOW - age)
    standing, why = judge(replace(BARE, mode=mode, waiting=(one,)), expected)
    assert standing in (Standing.WAITING, Standing.STUCK)
    assert standing is Standing.STUCK or (kind is DecisionKind.ACCEPT and mode is Mode.ENFORCE)
    assert why


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (replace(ON_ITS_WAY, since=NOW - 11 * MINUTE), "WAITED_TOO_LONG"),
        (replace(ON_ITS_WAY, since=NOW - timedelta(days=6), record=record("RETRY_LATER")), None),
        (replace(ON_ITS_WAY, since=NOW - timedelta(days=8), record=record("RETRY_LATER")), "WAITED_TOO_LONG"),
        (replace(ON_ITS_WAY, record=record("NEEDS_HUMAN")), "THROTTLED"),
        # A run that began before the brake was released, or before the policy was changed, says so after it.
        (replace(ON_ITS_WAY, record=record("OBSERVED")), None),
        (replace(ON_ITS_WAY, record=record("LEFT_PENDING")), None),
        (replace(ON_ITS_WAY, since=NOW - 11 * MINUTE, record=record("OBSERVED")), "WAITED_TOO_LONG"),
        (replace(ON_ITS_WAY, since=None), "SINCE_UNKNOWN"),
    ],
)
def test_how_long_it_may_wait(one: Waiting, code: str | None) -> None:
    standing, why = judge(replace(BARE, waiting=(one,)), ORG)
    assert (standing, why[0].code if code else None) == (Standing.STUCK if code else Standing.WAITING, code)


@pytest.mark.parametrize(
    ("minutes", "standing"), [(30, Standing.WAITING), (119, Standing.WAITING), (121, Standing.STUCK)]
)
def test_where_sweeps_step_back_it_may_wait_for_two_looks(minutes: int, standing: Standing) -> None:
    one = replace(ON_ITS_WAY, since=NOW - minutes * MINUTE)
    seen = replace(BARE, period=POLITE_PERIOD, changed=NOW - timedelta(days=1), waiting=(one,))
    assert judge(seen, ORG)[0] is standing


@pytest.mark.parametrize(
    ("seen", "expected", "standing"),
    [
        (BARE, None, Standing.OK),
        (BARE, ORG, Standing.NOT_INVITED),
        (replace(BARE, mode=Mode.OBSERVE), ORG, Standing.NOT_INVITED),
        (replace(BARE, organization=ORG), ORG, Standing.JOINED),
        (replace(BARE, organization="o-another0001"), ORG, Standing.NOT_INVITED),
        (replace(BARE, organization=Role.UNKNOWN), ORG, Standing.STUCK),
        (replace(BARE, organization=Role.UNKNOWN), None, Standing.STUCK),
        (replace(BARE, last_look=None), None, Standing.STUCK),
        (replace(BARE, last_look=None, deployed_at=NOW - MINUTE), None, Standing.WAITING),
        (replace(BARE, last_look=None, deployed_at=NOW - 11 * MINUTE), None, Standing.STUCK),
        (replace(BARE, last_look=NOW - 121 * MINUTE), ORG, Standing.STUCK),
        (replace(BARE, last_look=NOW - 121 * MINUTE, period=timedelta(days=1)), ORG, Standing.NOT_INVITED),
        (replace(BARE, last_look=NOW - 121 * MINUTE, organization=ORG), ORG, Standing.JOINED),
        (replace(BARE, policy_invalid=Why("X", "x")), None, Standing.STUCK),
        (replace(BARE, lapsed=Why("EXPIRED", "x")), None, Standing.STUCK),
        (replace(BARE, lapsed=Why("EXPIRED", "x"), organization="o-another0001"), ORG, Standing.STUCK),
        (replace(BARE, lapsed=Why("EXPIRED", "x"), organization=ORG), ORG, Standing.JOINED),
        (replace(BARE, lapsed=Why("EXPIRED", "x"), organization="o-another0001"), None, Standing.STUCK),
        (replace(BARE, mistakes=(Why("STACK", "x"),), organization=ORG), ORG, Standing.JOINED),
        (replace(BARE, mistakes=(Why("STACK", "x"),)), ORG, Standing.WRONG),
        (replace(BARE, waiting=(replace(ON_ITS_WAY, ambiguous=True),)), None, Standing.STUCK),
    ],
)
def test_where_an_account_stands(seen: Evidence, expected: str | None, standing: Standing) -> None:
    assert judge(seen, expected)[0] is standing
