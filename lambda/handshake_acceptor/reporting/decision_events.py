"""What is to be told of a run as events, and what was told before. Pure.

`docs/events.schema.json` says what an event looks like. No AWS library is imported here, so that the stack can use the
names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy
from handshake_acceptor.reporting.record import Outcome, Record, Report, plain_line
from handshake_core.handshake import Handshake, Reason

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef as Entry

SOURCE: Final = "handshake-acceptor"
VERSION: Final = "1"
"""Of the schema of `detail`. A field that is added does not change it."""

MOST_REMEMBERED: Final = 1_000
"""Handshakes whose last event is remembered, and events that are kept to be put by the next run."""
SOON: Final = timedelta(hours=48)
"""The reason `EXPIRES_SOON` is given from so long before on: what the alarm `expires-soon` has as its default."""
EXPIRES_SOON: Final = "EXPIRES_SOON"

_CHANGED_THE_WORLD = (Outcome.ACCEPTED, Outcome.DECLINED)


class DetailType(StrEnum):
    """The kinds of event that there are."""

    DECISION = "Handshake Decision"
    POLICY_INVALID = "Handshake Policy Invalid"


@dataclass(frozen=True, slots=True)
class Event:
    """One event, before it is known which bus it goes to."""

    detail_type: DetailType
    detail: Mapping[str, Any]
    time: datetime
    arn: str = ""
    """Of the handshake; empty where it is about none, or about one that cannot be believed."""

    def entry(self, bus: str) -> Entry:
        """The entry of PutEvents for a bus, by name or ARN."""
        return {
            "Source": SOURCE,
            "DetailType": self.detail_type.value,
            "Resources": [self.arn] if self.arn else [],
            "Detail": json.dumps(self.detail, separators=(",", ":")),
            "Time": self.time,
            "EventBusName": bus,
        }


@dataclass(frozen=True, slots=True)
class Invocation:
    """Which run it was, for events that are about no handshake."""

    account_id: str
    run_id: str


_Verdict = tuple[str, str, frozenset[str]]
"""What is said of a handshake: decision, outcome, and the set of the reasons' codes, with AWS's own reason."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a process said last. It may be lost at any time: then it is said once more."""

    verdicts: Mapping[str, _Verdict] = field(default_factory=dict)
    """By handshake id; those that were seen last are last."""
    mistakes: tuple[str, ...] = ()
    """Of the policy, as they were told."""


def to_tell(report: Report, said: Said, invocation: Invocation, now: datetime) -> tuple[list[Event], Said]:
    """The events that a run gives rise to, in the order of its decisions, and what was said when they are told.

    A handshake that our own list does not show is not spoken of: whoever sends a hint would decide what we say.
    """
    verdicts = dict(said.verdicts)
    events = []
    for record in report.records:
        changed_world = record.outcome in _CHANGED_THE_WORLD
        if not (changed_world or record.handshake.listed):
            continue
        whole = with_expiry(record, now)
        verdict = _verdict(whole)
        # One whose id cannot be read is known by what is said of it.
        key = record.handshake.id or repr((verdict[:2], sorted(verdict[2])))
        if changed_world or verdicts.get(key) != verdict:
            events.append(_decision(whole, now))
        verdicts.pop(key, None)
        verdicts[key] = verdict
    mistakes = _mistakes(report, said)
    if mistakes and mistakes != said.mistakes:
        events.append(_policy_invalid(mistakes, invocation, now))
    # Only after the run, so that of one handshake too many one is told again in every run, and not all of them.
    return events, Said(dict([*verdicts.items()][-MOST_REMEMBERED:]), mistakes)


def with_expiry(record: Record, now: datetime) -> Record:
    """The same with `EXPIRES_SOON` as its first reason, where it waits and has not long to do so.

    An explicit Deny is an answer: such a handshake may expire unheard.
    """
    handshake = record.handshake
    if not (isinstance(handshake, Handshake) and record.pending) or record.decision.kind is DecisionKind.DENY:
        return record
    if not timedelta(0) < handshake.expires_at - now <= SOON:
        return record
    at = handshake.expires_at.isoformat(timespec="seconds")
    soon = Reason(EXPIRES_SOON, f"it expires at {at}", (("expires_at", handshake.expires_at.isoformat()),))
    return replace(record, reasons=(soon, *record.reasons))


def _verdict(record: Record) -> _Verdict:
    # A constraint of AWS has one code for all of its own reasons, each of which wants something else done.
    codes = (f"{reason.code} {dict(reason.facts).get('reason', '')}".rstrip() for reason in record.reasons)
    return record.decision.kind.value, record.outcome.value, frozenset(codes)


def _decision(record: Record, now: datetime) -> Event:
    arn = record.handshake.arn if isinstance(record.handshake, Handshake) else ""
    return Event(DetailType.DECISION, {"version": VERSION} | record.as_dict(), now, arn)


def _mistakes(report: Report, said: Said) -> tuple[str, ...]:
    """Those of the policy now. One that could not be read says nothing: what was said of it stands."""
    policy = report.snapshot.policy
    if not isinstance(policy, InvalidPolicy):
        return ()
    return said.mistakes if policy.unreadable else tuple(map(str, policy.told))


def _policy_invalid(mistakes: tuple[str, ...], invocation: Invocation, now: datetime) -> Event:
    account = invocation.account_id
    what = f"The policy of account {account} is invalid, and nothing is accepted until it is mended"
    detail = {
        "version": VERSION,
        "account_id": account,
        "mistakes": list(mistakes),
        "needs_person": True,
        "summary": plain_line(f"{what}: {mistakes[0]}."),
        "run_id": invocation.run_id,
    }
    return Event(DetailType.POLICY_INVALID, detail, now)
