"""Finds the Allows that can never allow anything (expired, denied whole, beyond the ceiling, or for nobody), and the
Denies that can never deny anything (expired, or for nobody).

Nothing here reads the rules a second time: it makes up the handshakes that an Allow names, and asks `decide`.
A warning is given only if every one of them was tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

from handshake_acceptor.policy.decide import ANY, NONE, DecisionKind, Effect, Policy, PolicyError, Statement, decide
from handshake_acceptor.policy.documents import Document
from handshake_core.handshake import MAY_ACCEPT, Account, Handshake, Role, State
from handshakectl.policy.ceiling import Ceiling

_MOST_DECISIONS = 100_000  # about two seconds; what is not tried by then gets no warning
_MOMENT = timedelta(microseconds=1)
_NOBODY = "0" * 12
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def find(
    policy: Policy, documents: Iterable[Document], now: datetime, ceiling: Ceiling | None = None
) -> list[PolicyError]:
    """One warning for each Allow or Deny that can never do anything from `now` on, with its place in the documents."""
    search = _Search(policy, now, ceiling)
    places = _places(documents)
    found = []
    for statement in policy.statements:
        does = "allow" if statement.effect is Effect.ALLOW else "deny"
        why = search.why_never(statement) if statement.effect is Effect.ALLOW else _why_never_denies(statement, now)
        if why:
            document, pointer = places[statement.sid]
            found.append(PolicyError(document, pointer, f"{statement.sid} can never {does} anything: {why}"))
    return sorted(found, key=lambda warning: warning.document)


class _Search:
    """Looks for one handshake that an Allow lets through."""

    def __init__(self, policy: Policy, now: datetime, ceiling: Ceiling | None) -> None:
        self._policy = policy
        self._now = now
        self._ceiling = ceiling
        self._decisions = 0
        named = {each for statement in policy.statements for each in statement.current_organizations}
        self._unnamed = next(each for each in (f"o-{n:010d}" for n in range(len(named) + 1)) if each not in named)

    def why_never(self, statement: Statement) -> str:
        """Why the Allow can never allow anything; empty if it can, or if that would take too long to find out."""
        if statement.not_after is not None and statement.not_after < self._now:
            return _past(statement.not_after)
        alone = Policy((statement,), "")
        denied_by: set[str] = set()
        unreachable = for_nobody = False
        for handshake in _handshakes(statement):
            if self._ceiling and not self._ceiling.reaches(
                handshake.organization_id, handshake.management_account_id, handshake.action
            ):
                unreachable = True
                continue
            matched = False
            for account, time in product(self._accounts(statement, handshake), self._times(statement, handshake)):
                if self._decisions > _MOST_DECISIONS:
                    return ""
                self._decisions += 2
                if decide(handshake, alone, account, time).kind is not DecisionKind.ACCEPT:
                    continue
                matched = True
                decision = decide(handshake, self._policy, account, time)
                if decision.kind is DecisionKind.ACCEPT:
                    return ""
                denied_by.update(decision.sids)
            for_nobody = for_nobody or not matched
        return f"all of it is {' or '.join(self._causes(denied_by, unreachable, for_nobody))}"

    def _causes(self, denied_by: set[str], unreachable: bool, for_nobody: bool) -> Iterator[str]:
        if denied_by:
            names = sorted(denied_by)
            yield f"denied by {', '.join(names[:5])}" + (" and others" if len(names) > 5 else "")
        if unreachable and self._ceiling:
            yield f"outside the setting origins in {self._ceiling.source}, so that IAM refuses to accept it"
        if for_nobody:
            yield "for accounts that may not accept such an Action in such a CurrentOrganization"

    def _accounts(self, statement: Statement, handshake: Handshake) -> Iterator[Account]:
        """An account in every situation that can make a difference, whether the Allow takes it or not."""
        organizations = statement.current_organizations or {NONE, handshake.organization_id}
        if ANY in organizations:
            # No Deny names this one: a Deny that matches there matches everywhere.
            organizations = {NONE, self._unnamed}
        for organization in sorted(organizations):
            roles = (Role.STANDALONE,) if organization == NONE else (Role.MEMBER, Role.MANAGEMENT)
            for role in roles:
                yield Account(_NOBODY, handshake.partition, role, organization)

    def _times(self, statement: Statement, handshake: Handshake) -> list[datetime]:
        """A moment in every stretch of time in which the same Denies match, from now on, while the Allow matches."""
        start = max(self._now, statement.not_before or self._now)
        moments = {start}
        for deny in self._policy.denies(handshake):
            for bound in (deny.not_before, deny.not_after):
                if bound is not None:
                    moments.update(_around(bound))
        return sorted(
            each for each in moments if each >= start and (statement.not_after is None or each <= statement.not_after)
        )


def _why_never_denies(statement: Statement, now: datetime) -> str:
    """Why the Deny matches nothing any more; empty if it can."""
    if statement.not_after is not None and statement.not_after < now:
        return _past(statement.not_after)
    for_nobody = statement.actions and not any(Role.STANDALONE in MAY_ACCEPT[each] for each in statement.actions)
    if for_nobody and statement.current_organizations == {NONE}:
        return "all of it is for accounts that may not accept such an Action in such a CurrentOrganization"
    return ""


def _past(not_after: datetime) -> str:
    return f"its NotAfter, {not_after.isoformat()}, is past"


def _around(moment: datetime) -> Iterator[datetime]:
    yield moment
    for step in (-_MOMENT, _MOMENT):
        try:
            yield moment + step
        except OverflowError:
            continue  # before the year 1 or after the year 9999 there is no time


def _handshakes(statement: Statement) -> Iterator[Handshake]:
    """A pending handshake for each origin and action that the Allow names."""
    for organization, account, action in product(
        sorted(statement.organization_ids), sorted(statement.management_account_ids), sorted(statement.actions)
    ):
        yield Handshake(
            id="h-00000000",
            arn="",
            action=action,
            state=State.OPEN,
            partition="aws",
            organization_id=organization,
            management_account_id=account,
            addressees=frozenset(),
            expires_at=_END_OF_TIME,
            listed=True,
        )


def _places(documents: Iterable[Document]) -> dict[str, tuple[str, str]]:
    """Document and JSON pointer of each Sid, in documents that are valid together."""
    return {
        raw["Sid"]: (document.name, f"/Statement/{index}")
        for document in documents
        for index, raw in enumerate(json.loads(document.text)["Statement"])
    }
