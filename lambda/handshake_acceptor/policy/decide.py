"""What the owner allows, and the one pure function that decides: `decide`.

Explicit Deny beats Allow; what no statement matches is not allowed; a policy with any mistake in it allows nothing.
Everything that is not `ACCEPT` or `DECLINE` leaves the handshake as it is.

No AWS library is imported here. How documents become a `Policy` is in `documents`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handshake_core.handshake import MAY_ACCEPT, Account, Action, Handshake, InvalidHandshake, Reason, Role
from handshake_core.mistakes import MOST_TOLD, and_more

NONE = "NONE"
"""`CurrentOrganization` of a standalone account."""
ANY = "ANY"
"""`CurrentOrganization` that matches in every organization; only for `TRANSFER_RESPONSIBILITY`."""

_NEAREST = 3  # statements that a NO_MATCH explains
_SHOWN_VALUES = 10  # allowed values that a reason spells out


class Effect(StrEnum):
    """What a matching statement does."""

    ALLOW = "Allow"
    DENY = "Deny"


class Respond(StrEnum):
    """What a matching Deny does to the handshake."""

    LEAVE_PENDING = "LeavePending"
    DECLINE = "Decline"


class DecisionKind(StrEnum):
    """What was decided. Only `ACCEPT` and `DECLINE` are ever acted on."""

    ACCEPT = "ACCEPT"
    DENY = "DENY"
    DECLINE = "DECLINE"
    NO_MATCH = "NO_MATCH"
    INELIGIBLE = "INELIGIBLE"
    POLICY_INVALID = "POLICY_INVALID"


@dataclass(frozen=True, slots=True)
class Statement:
    """One valid statement. An empty set of actions or ids means all of them, which only a Deny can say.

    `current_organizations` is empty where the statement names none: then an Allow takes the default of the
    handshake's action and a Deny matches everywhere. `not_before` and `not_after` are None where there is no bound.
    """

    sid: str
    effect: Effect
    actions: frozenset[Action]
    organization_ids: frozenset[str]
    management_account_ids: frozenset[str]
    current_organizations: frozenset[str]
    not_before: datetime | None
    not_after: datetime | None
    respond: Respond


@dataclass(frozen=True, slots=True)
class PolicyError:
    """One mistake: in which document (parameter name or file), where in it (JSON pointer), and what is wrong."""

    document: str
    pointer: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.document, self.pointer, self.message)))


@dataclass(frozen=True, slots=True)
class InvalidPolicy:
    """A policy with at least one mistake, or one that could not be read: it allows nothing."""

    errors: tuple[PolicyError, ...]
    """The first mistakes, `MOST_TOLD` at most."""
    unreadable: bool = False
    """It could not be read, which says nothing about it: a minute may cure that."""
    more: int = 0
    """How many mistakes were found besides."""
    unchecked: int = 0
    """Documents that were not looked at: there were mistakes enough before."""

    @classmethod
    def together(cls, *parts: InvalidPolicy) -> InvalidPolicy:
        """The mistakes of all parts, the first of them told."""
        errors = [error for part in parts for error in part.errors]
        more = sum(part.more for part in parts) + max(len(errors) - MOST_TOLD, 0)
        unreadable = any(part.unreadable for part in parts)
        return cls(tuple(errors[:MOST_TOLD]), unreadable, more, sum(part.unchecked for part in parts))

    @property
    def count(self) -> int:
        """How many mistakes were found."""
        return len(self.errors) + self.more

    @property
    def told(self) -> tuple[PolicyError, ...]:
        """What is said of it to people and in records: the first mistakes, and how many there are besides."""
        rest = [and_more(self.more)] if self.more else []
        if self.unchecked:
            rest.append(f"{self.unchecked:,} document{'s' if self.unchecked > 1 else ''} not checked yet")
        return (*self.errors, PolicyError("", "", "; ".join(rest))) if rest else self.errors


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by which statements, and why."""

    kind: DecisionKind
    reasons: tuple[Reason, ...]
    policy_version: str
    """A hash over the documents' exact texts; empty where the policy is invalid."""
    sids: tuple[str, ...] = ()
    near_miss: bool = False
    """Whether no statement decides it though an Allow names its organization or its management account: more likely a
    typing error than a stranger."""


class Policy:
    """All statements of all documents, found by the origin they name.

    The cost of one decision does not grow with the number of statements that name other origins.
    """

    def __init__(self, statements: Iterable[Statement], version: str) -> None:
        self.statements = tuple(sorted(statements, key=lambda statement: statement.sid))
        self.version = version
        self._denies: dict[tuple[str, str], list[Statement]] = defaultdict(list)
        self._allows: dict[tuple[str, str], list[Statement]] = defaultdict(list)
        for statement in self.statements:
            if statement.effect is Effect.DENY:
                for key in _deny_keys(statement):
                    self._denies[key].append(statement)
            else:
                for key in _allow_keys(statement):
                    self._allows[key].append(statement)

    def denies(self, handshake: Handshake) -> list[Statement]:
        """Every Deny that may match."""
        found = (
            self._denies.get(("organization", handshake.organization_id), ()),
            self._denies.get(("management account", handshake.management_account_id), ()),
            self._denies.get(("every origin", ""), ()),
        )
        return [statement for group in found for statement in group]

    def allows(self, handshake: Handshake) -> list[Statement]:
        """Every Allow that may match, by Sid."""
        return self._allows.get(("organization", handshake.organization_id), [])

    def names_origin(self, handshake: Handshake) -> bool:
        """Whether an Allow names its organization or its management account."""
        organization = ("organization", handshake.organization_id)
        return organization in self._allows or ("management account", handshake.management_account_id) in self._allows

    def near(self, handshake: Handshake) -> list[Statement]:
        """The Allows that come closest, nearest first: by how much of origin and action they match, then by Sid."""
        account, action = handshake.management_account_id, handshake.action
        groups = (
            self.allows(handshake),
            self._allows.get(("management account and action", f"{account} {action}"), ())[:_NEAREST],
            self._allows.get(("management account", account), ())[:_NEAREST],
            self._allows.get(("action", action), ())[:_NEAREST],
            self._allows.get(("every one", ""), ())[:_NEAREST],
        )
        distinct = {statement.sid: statement for group in groups for statement in group}

        def distance(statement: Statement) -> tuple[int, str]:
            missed = (
                handshake.organization_id not in statement.organization_ids,
                account not in statement.management_account_ids,
                action not in statement.actions,
            )
            return sum(missed), statement.sid

        return sorted(distinct.values(), key=distance)[:_NEAREST]


def decide(
    handshake: Handshake | InvalidHandshake, policy: Policy | InvalidPolicy, account: Account, now: datetime
) -> Decision:
    """Decides one handshake. Pure: the same arguments give the same answer, and nothing is called.

    `now` has a zone. `account` is the account as it is now; if its organization could not be found out, nothing is
    accepted or declined.
    """
    version = policy.version if isinstance(policy, Policy) else ""
    if isinstance(handshake, InvalidHandshake):
        return Decision(DecisionKind.INELIGIBLE, handshake.reasons, version)
    if reasons := tuple(_ineligible(handshake, account, now)):
        return Decision(DecisionKind.INELIGIBLE, reasons, version)
    if isinstance(policy, InvalidPolicy):
        return Decision(DecisionKind.POLICY_INVALID, tuple(_mistakes(policy)), version)
    near_miss = policy.names_origin(handshake)
    if reasons := tuple(_role_may_not(handshake, account)):
        return Decision(DecisionKind.INELIGIBLE, reasons, version, near_miss=near_miss)

    denies = [s for s in policy.denies(handshake) if not any(_mismatches(s, handshake, account, now))]
    denies.sort(key=lambda statement: statement.sid)
    if denies:
        pending = any(statement.respond is Respond.LEAVE_PENDING for statement in denies)
        kind = DecisionKind.DENY if pending else DecisionKind.DECLINE
        return Decision(kind, tuple(map(_denied_by, denies)), version, _sids(denies))
    allows = [s for s in policy.allows(handshake) if not any(_mismatches(s, handshake, account, now))]
    if allows:
        return Decision(DecisionKind.ACCEPT, tuple(map(_allowed_by, allows)), version, _sids(allows))
    reasons = tuple(_nearest(policy, handshake, account, now))
    return Decision(DecisionKind.NO_MATCH, reasons, version, near_miss=near_miss)


def _ineligible(handshake: Handshake, account: Account, now: datetime) -> Iterator[Reason]:
    """Why this handshake could not be answered by anybody, or not by this account."""
    if not handshake.state.pending:
        yield Reason("NOT_PENDING", f"it is {handshake.state} already", (("state", handshake.state.value),))
    if handshake.expires_at <= now:
        yield Reason("EXPIRED", "it has expired", (("expires_at", handshake.expires_at.isoformat()),))
    if handshake.partition != account.partition:
        seen = (("seen", handshake.partition), ("own", account.partition))
        yield Reason("OTHER_PARTITION", "its Arn is of another partition", seen)
    if handshake.addressees - {account.id}:
        seen_accounts = tuple(sorted(handshake.addressees))[:_SHOWN_VALUES]
        yield Reason("OTHER_ADDRESSEE", "it is addressed to another account", (("seen", seen_accounts),))
    elif not handshake.addressees and not handshake.listed:
        yield Reason("NOT_LISTED", "it is addressed to no account, and this account's own list does not show it")


def _role_may_not(handshake: Handshake, account: Account) -> Iterator[Reason]:
    if Role.UNKNOWN in (account.role, account.organization):
        yield Reason("CURRENT_ORGANIZATION_UNKNOWN", "which organization this account is in could not be found out")
    elif account.role not in MAY_ACCEPT[handshake.action]:
        roles = tuple(sorted(role.value for role in MAY_ACCEPT[handshake.action]))
        text = f"{handshake.action} cannot be accepted by a {account.role} account"
        yield Reason("ROLE", text, (("seen", account.role.value), ("allowed", roles)))


def _mismatches(statement: Statement, handshake: Handshake, account: Account, now: datetime) -> Iterator[Reason]:
    """Every field of the statement that does not match; none if it matches."""
    fields = (
        ("Action", handshake.action.value, frozenset(action.value for action in statement.actions)),
        ("Origin.OrganizationId", handshake.organization_id, statement.organization_ids),
        ("Origin.ManagementAccountId", handshake.management_account_id, statement.management_account_ids),
    )
    for field, seen, allowed in fields:
        if allowed and seen not in allowed:
            yield _mismatch(statement, field, seen, allowed)
    organizations = _organizations_taken(statement, handshake)
    if ANY not in organizations and account.organization not in organizations:
        yield _mismatch(statement, "Condition.CurrentOrganization", account.organization, organizations)
    if statement.not_before is not None and now < statement.not_before:
        yield _mismatch(statement, "Condition.NotBefore", now.isoformat(), {statement.not_before.isoformat()})
    if statement.not_after is not None and now > statement.not_after:
        yield _mismatch(statement, "Condition.NotAfter", now.isoformat(), {statement.not_after.isoformat()})


def _organizations_taken(statement: Statement, handshake: Handshake) -> frozenset[str]:
    """In which organizations this account may be now for the statement to match."""
    if statement.current_organizations:
        return statement.current_organizations
    if statement.effect is Effect.DENY:
        return frozenset({ANY})
    if handshake.action is Action.INVITE:
        return frozenset({NONE})
    if handshake.action is Action.TRANSFER_RESPONSIBILITY:
        return frozenset()  # no default: the documents are refused before it comes to this
    return frozenset({handshake.organization_id})


def _mismatch(statement: Statement, field: str, seen: str, allowed: Iterable[str]) -> Reason:
    values = sorted(allowed)
    listed = ", ".join(values[:_SHOWN_VALUES]) + (
        f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
    )
    return Reason(
        "FIELD_DOES_NOT_MATCH",
        f"{statement.sid}: {field} is {seen}, the statement has {listed or 'nothing'}",
        (("sid", statement.sid), ("field", field), ("seen", seen), ("allowed", tuple(values[:_SHOWN_VALUES]))),
    )


def _nearest(policy: Policy, handshake: Handshake, account: Account, now: datetime) -> Iterator[Reason]:
    near = policy.near(handshake)
    if not near:
        yield Reason("NOTHING_ALLOWED", "the policy has no Allow statement")
    for statement in near:
        yield from _mismatches(statement, handshake, account, now)


def _denied_by(statement: Statement) -> Reason:
    facts = (("sid", statement.sid), ("respond", statement.respond.value))
    return Reason("DENIED", f"{statement.sid} denies it ({statement.respond})", facts)


def _allowed_by(statement: Statement) -> Reason:
    return Reason("ALLOWED", f"{statement.sid} allows it", (("sid", statement.sid),))


def _mistakes(policy: InvalidPolicy) -> Iterator[Reason]:
    for error in policy.told:
        facts = (("document", error.document), ("pointer", error.pointer)) if error.document else ()
        yield Reason("POLICY_INVALID", str(error), facts)


def _sids(statements: Iterable[Statement]) -> tuple[str, ...]:
    return tuple(sorted(statement.sid for statement in statements))


def _deny_keys(statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.organization_ids:
        yield from (("organization", organization) for organization in statement.organization_ids)
    elif statement.management_account_ids:
        yield from (("management account", account) for account in statement.management_account_ids)
    else:
        yield "every origin", ""


def _allow_keys(statement: Statement) -> Iterator[tuple[str, str]]:
    yield "every one", ""
    for organization in statement.organization_ids:
        yield "organization", organization
    for action in statement.actions:
        yield "action", action
    for account in statement.management_account_ids:
        yield "management account", account
        yield from (("management account and action", f"{account} {action}") for action in statement.actions)
