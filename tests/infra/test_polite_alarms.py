"""What alarms make of sweeps that do not see the list: none ends, none rings again, and a blind process is heard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from handshake_acceptor.sweeps.memory import SweepMemory, minute_of
from handshake_acceptor_cdk.monitoring.alarms import ESSENTIAL
from local.service.handshake_service import Fault
from local.world import MEMBER, OTHER_MANAGEMENT, OTHER_ORGANIZATION, PREFIX, World, allow, client_error, deny
from tests.support.synthesis import Deployed
from tests.support.watched import Watched

LIST = "ListHandshakesForAccount"
TWO_HOURS = 24


class Throttled:
    """Whether the account's lists are throttled, which its organization's other members can bring about."""

    def __init__(self, account: Watched) -> None:
        self._account = account
        self.all_lists = False
        account.world.client.before = self._before

    def _before(self, operation: str) -> None:
        if operation == LIST and self.all_lists:
            raise client_error("TooManyRequestsException", operation)

    def become_polite(self) -> None:
        """One sweep gives up, when the account's next look is most of an hour off."""
        while self._account.world.now.minute != minute_of(MEMBER):
            self._account.world.now += timedelta(minutes=1)
        self._account.sweep()
        self.all_lists = True
        self._account.sweep()
        self.all_lists = False


@pytest.fixture
def watched(deployed: Deployed) -> Watched:
    account = Watched(deployed, World(sweeps=SweepMemory()))
    account.world.policy(allow())
    account.sweep(3)
    return account


@pytest.fixture
def throttled(watched: Watched) -> Throttled:
    return Throttled(watched)


def skips(account: Watched) -> list[bool | None]:
    """Of every run: whether it skipped its list; None if it saw it."""
    return [line.get("skipped") for line in account.lines() if line["message"] == "run"]


def breaks_the_policy(account: Watched) -> None:
    account.world.parameters.values[f"{PREFIX}policy/second"] = "{"


def breaks_the_mode(account: Watched) -> None:
    account.world.mode("off")


def is_nearly_allowed(account: Watched) -> None:
    """The policy names its organization, with another one's management account."""
    account.world.policy(allow(), allow("Typo", OTHER_ORGANIZATION))
    account.world.invite(OTHER_MANAGEMENT)


def has_an_invitation_that_nearly_expires(account: Watched) -> None:
    account.world.mode("observe")
    account.world.invite()
    account.world.now += timedelta(days=13, hours=6)


SITUATIONS: dict[str, tuple[Callable[[Watched], None], str]] = {
    "policy": (breaks_the_policy, "policy-invalid"),
    "mode": (breaks_the_mode, "policy-invalid"),
    "nearly": (is_nearly_allowed, "nobody-allows"),
    "expiry": (has_an_invitation_that_nearly_expires, "expires-soon"),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_alarm_ends_and_none_rings_again_because_lists_are_skipped(
    watched: Watched, throttled: Throttled, situation: str
) -> None:
    happens, name = SITUATIONS[situation]
    happens(watched)
    throttled.become_polite()
    assert watched.ringing() == {name}

    for _ in range(TWO_HOURS):
        watched.sweep()
        assert watched.ringing() == {name}

    assert watched.rang == [name]
    assert skips(watched)[-TWO_HOURS:].count(True) == TWO_HOURS - 2


@pytest.mark.parametrize("situation", [*SITUATIONS, "payment"])
def test_no_alarm_ends_and_none_rings_again_because_lists_are_throttled(
    watched: Watched, throttled: Throttled, situation: str
) -> None:
    if situation == "payment":
        name, code, reason = "human-needed", "HandshakeConstraintViolationException", "PAYMENT_INSTRUMENT_REQUIRED"
        fault = Fault(operation="AcceptHandshake", code=code, reason=reason, times=10**6)
        watched.world.service.inject(fault)
        watched.world.invite()
    else:
        happens, name = SITUATIONS[situation]
        happens(watched)
    watched.sweep()
    assert watched.ringing() == {name}
    throttled.all_lists = True

    for _ in range(TWO_HOURS - 2):
        watched.sweep()
        assert watched.ringing() == {name}
    throttled.all_lists = False
    watched.sweep(3)

    assert watched.ringing() == {name}
    assert watched.rang == [name]
    assert None not in skips(watched)[-TWO_HOURS:-3]


def test_an_alarm_ends_as_soon_as_ever_when_the_policy_answers_what_waits(
    watched: Watched, throttled: Throttled
) -> None:
    is_nearly_allowed(watched)
    throttled.become_polite()
    watched.sweep(2)
    watched.world.policy(allow(), deny(Origin={"OrganizationId": OTHER_ORGANIZATION}))
    watched.settle()
    assert watched.ringing() == set()
    watched.sweep(TWO_HOURS)
    assert watched.rang == ["nobody-allows"]


def test_an_expiry_that_comes_near_between_two_looks_rings_at_the_next_sweep(
    watched: Watched, throttled: Throttled
) -> None:
    watched.world.mode("observe")
    watched.world.invite()
    watched.world.now += timedelta(days=13) - timedelta(minutes=30)
    throttled.become_polite()
    [handshake] = watched.world.service.handshakes()
    near = handshake.expires_at - timedelta(hours=48)
    throttled.all_lists = True
    while watched.world.now < near:
        assert watched.ringing() == set()
        watched.sweep()
    watched.sweep()
    assert watched.ringing() == {"expires-soon"}


def test_an_idle_account_that_is_polite_sends_no_metric_and_is_quiet(watched: Watched, throttled: Throttled) -> None:
    throttled.become_polite()
    watched.sweep(200)
    assert skips(watched).count(True) > 120
    assert watched.emitted() == set()
    assert watched.rang == []


def test_an_account_that_is_throttled_for_good_is_heard_after_two_hours_and_not_before(
    watched: Watched, throttled: Throttled
) -> None:
    throttled.all_lists = True
    watched.sweep(TWO_HOURS - 1)
    assert watched.rang == []
    watched.sweep(2)
    assert set(watched.rang) == {"runs-fail", "queue-not-empty"}
    assert "runs-fail" in ESSENTIAL
    throttled.all_lists = False
    watched.purge()
    watched.sweep(4)
    assert watched.ringing() == set()
    assert len(watched.rang) == 2
