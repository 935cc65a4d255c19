"""What an account's state comes to: the one pure function behind `status`, `judge`.

It can be wrong in one direction only: `joined` and `ok` rest on AWS's own answer about the organization, never on what
a log record says, and whatever cannot be told is no `ok`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handshake_acceptor.policy.decide import NONE, DecisionKind
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.reporting.record import Outcome
from handshake_core.handshake import Role

USUAL_PERIOD = timedelta(minutes=5)
POLITE_PERIOD = timedelta(hours=1)
"""Between two looks of an account whose sweeps step back, because its organization's lists are throttled."""
LONGEST_RETRY = timedelta(days=7)
LONGEST_UNSEEN = timedelta(hours=2)
_ACTED_ON = (DecisionKind.ACCEPT, DecisionKind.DECLINE)


class Standing(StrEnum):
    """How far an account has come."""

    JOINED = "joined"
    OK = "ok"
    WAITING = "waiting"
    NOT_INVITED = "not-invited"
    STUCK = "stuck"
    WRONG = "wrong"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Why:
    """One reason: a code for programs and a line for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LastRecord:
    """What the log says last of a handshake; a word that nobody knows here stays as it is."""

    at: datetime
    outcome: str
    why: Why


@dataclass(frozen=True, slots=True)
class Waiting:
    """A handshake that counts, with what the policy says of it now."""

    since: datetime | None
    decision: DecisionKind
    why: Why
    record: LastRecord | None = None
    ambiguous: bool = False
    """Whether another organization's invitation is allowed besides, so that neither is accepted."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one account. None is what could not be seen."""

    now: datetime
    period: timedelta
    """Between two sweeps that look."""
    organization: str
    """`Role.UNKNOWN` where AWS does not tell."""
    mode: Mode | None
    changed: datetime | None
    """When policy or mode last changed."""
    last_look: datetime | None
    deployed_at: datetime | None = None
    mistakes: tuple[Why, ...] = ()
    """What is wrong with the deployment itself."""
    policy_invalid: Why | None = None
    waiting: tuple[Waiting, ...] = ()
    lapsed: Why | None = None
    """The last invitation expired or was declined, and no newer one waits."""


def judge(seen: Evidence, expected: str | None) -> tuple[Standing, tuple[Why, ...]]:
    """How far the account has come, and why. Nothing but AWS's own answer makes it `joined`, and nothing unmakes it."""
    if expected is not None and seen.organization == expected:
        return Standing.JOINED, ()
    if seen.mistakes:
        return Standing.WRONG, seen.mistakes
    each = [_of_one(one, seen) for one in seen.waiting]
    stuck = [*_stuck(seen), *(why for standing, why in each if standing is Standing.STUCK)]
    if stuck:
        return Standing.STUCK, tuple(stuck)
    if each:
        return Standing.WAITING, tuple(why for _, why in each)
    if seen.lapsed:
        return Standing.STUCK, (seen.lapsed,)
    if seen.last_look is None:
        return Standing.WAITING, (Why("NO_LOOK_YET", "deployed just now: no run has listed the handshakes yet"),)
    if expected is None:
        return Standing.OK, ()
    other = "" if seen.organization == NONE else f"; it is in {seen.organization}"
    return Standing.NOT_INVITED, (Why("NOT_INVITED", f"no invitation of {expected} waits here{other}"),)


def _stuck(seen: Evidence) -> list[Why]:
    """What holds up the account as a whole."""
    found = []
    if seen.policy_invalid:
        found.append(Why("POLICY_INVALID", seen.policy_invalid.message))
    if seen.organization == Role.UNKNOWN:
        found.append(Why("ORGANIZATION_UNKNOWN", "which organization the account is in cannot be told"))
    looked, unseen = seen.last_look, max(LONGEST_UNSEEN, 2 * seen.period)
    if looked is None:
        looked, unseen = seen.deployed_at, 2 * seen.period
    if looked is None or seen.now - looked > unseen:
        found.append(Why("NO_LOOK", f"no run has listed the handshakes for {_hours(unseen)}"))
    return found


def _hours(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes} minutes" if minutes % 60 else f"{minutes // 60} hours"


def _of_one(one: Waiting, seen: Evidence) -> tuple[Standing, Why]:
    """Whether a handshake is on its way, or stuck."""
    if one.decision in _ACTED_ON and seen.mode is not Mode.ENFORCE:
        return Standing.STUCK, Why("BRAKED", "the mode is not enforce: nothing is accepted or declined")
    if one.ambiguous:
        return Standing.STUCK, Why("AMBIGUOUS", one.why.message)
    if one.decision is not DecisionKind.ACCEPT:
        return Standing.STUCK, one.why
    last = one.record
    newer = last is not None and (seen.changed is None or last.at > seen.changed)
    if last and newer and last.outcome not in _ON_ITS_WAY:
        return Standing.STUCK, last.why
    if one.since is None:
        return Standing.STUCK, Why("SINCE_UNKNOWN", "when the invitation was made cannot be told")
    began = max(one.since, seen.changed or one.since)
    if seen.now - began <= 2 * seen.period:
        return Standing.WAITING, last.why if last and newer and last.outcome not in _OF_BEFORE else one.why
    if last and last.outcome == Outcome.RETRY_LATER and seen.now - one.since <= LONGEST_RETRY:
        return Standing.WAITING, last.why
    return Standing.STUCK, Why("WAITED_TOO_LONG", "allowed, and not accepted within two looks")


_OF_BEFORE = (Outcome.OBSERVED, Outcome.LEFT_PENDING)
"""Of what is allowed now, only a run says so that had read mode and policy before they changed, and ended after."""
_ON_ITS_WAY = (
    *(Outcome.RETRY_LATER, Outcome.ACCEPT_UNCONFIRMED, Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED),
    *_OF_BEFORE,
)
