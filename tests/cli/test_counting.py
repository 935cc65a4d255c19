"""Whose handshakes count in `status`, and which invitation was the last."""

from datetime import UTC, datetime, timedelta

import pytest

from handshake_acceptor.policy.decide import Effect, Policy, Respond, Statement
from handshake_core.handshake import Action, Handshake, State
from handshakectl.account.counting import counts, lapsed

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ORG, SENDER, OTHER = "o-exampleorgid", "111111111111", "o-another0001"


def handshake(
    state: State = State.REQUESTED, organization: str = ORG, sender: str = SENDER, sent: int = 1, expires: int = 14
) -> Handshake:
    times = {"expires_at": NOW + expires * DAY, "requested_at": NOW - sent * DAY}
    return Handshake("h-1", "", Action.INVITE, state, "aws", organization, sender, frozenset(), listed=True, **times)


def policy(effect: Effect) -> Policy:
    ids = frozenset({ORG}), frozenset({SENDER})
    one = Statement("A", effect, frozenset({Action.INVITE}), *ids, frozenset(), None, None, Respond.LEAVE_PENDING)
    return Policy([one], "1")


@pytest.mark.parametrize(
    ("one", "effect", "expected", "does"),
    [
        (handshake(), Effect.ALLOW, None, True),
        (handshake(sender="999999999999"), Effect.ALLOW, None, True),
        (handshake(organization=OTHER), Effect.ALLOW, None, True),
        (handshake(organization=OTHER, sender="999999999999"), Effect.ALLOW, None, False),
        (handshake(), Effect.DENY, None, False),
        (handshake(), Effect.DENY, ORG, True),
        (handshake(organization=OTHER), Effect.ALLOW, ORG, False),
    ],
)
def test_a_stranger_never_counts(one: Handshake, effect: Effect, expected: str | None, does: bool) -> None:
    assert counts(one, policy(effect), expected) is does


@pytest.mark.parametrize(
    ("counted", "code"),
    [
        ([], None),
        ([handshake()], None),
        ([handshake(State.DECLINED)], "INVITATION_DECLINED"),
        ([handshake(State.EXPIRED, expires=-1, sent=15)], "INVITATION_EXPIRED"),
        ([handshake(State.OPEN, expires=-1, sent=15)], "INVITATION_EXPIRED"),
        ([handshake(State.EXPIRED, expires=-31, sent=45)], None),
        ([handshake(State.DECLINED, sent=3), handshake()], None),
        ([handshake(State.DECLINED, sent=3), handshake(State.ACCEPTED)], None),
        ([handshake(State.DECLINED, sent=3), handshake(State.CANCELED)], "INVITATION_DECLINED"),
    ],
)
def test_the_last_invitation(counted: list[Handshake], code: str | None) -> None:
    why = lapsed(counted, "NONE", NOW)
    assert (why.code if why else None) == code


def test_an_invitation_into_where_the_account_is_has_not_lapsed() -> None:
    assert lapsed([handshake(State.DECLINED)], ORG, NOW) is None
