"""The handshake as this project believes it: parsed once, at the edge, and valid from there on.

The origin of a handshake is what its ARN states, for the ARN is what IAM looks at too. Every other part that
names an organization, a management account or an addressee must agree with it; one that does not makes the whole
handshake a `InvalidHandshake`, which nothing accepts.

No AWS library is imported here, and no e-mail address, name or note leaves this module: they are never kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

HANDSHAKE_ID = re.compile(r"h-[0-9a-z]{8,32}", re.ASCII)
ORGANIZATION_ID = re.compile(r"o-[a-z0-9]{10,32}", re.ASCII)
ACCOUNT_ID = re.compile(r"[0-9]{12}", re.ASCII)

# Not botocore's own pattern: that one knows neither other partitions nor an action of more than 32 characters.
_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):organizations::(?P<management_account>[0-9]{12}):handshake"
    r"/(?P<organization>o-[a-z0-9]{10,32})/(?P<action>[a-z_]{1,64})/(?P<id>h-[0-9a-z]{8,32})",
    re.ASCII,
)
# What may be shown of a value that somebody else chose: never an e-mail address, never a line break.
_SHOWABLE = re.compile(r"[A-Za-z0-9:/_.,+-]{1,200}", re.ASCII)


class Action(StrEnum):
    """What a handshake asks for, as Organizations writes it (HandshakeActionType of the API)."""

    INVITE = "INVITE"
    ENABLE_ALL_FEATURES = "ENABLE_ALL_FEATURES"
    APPROVE_ALL_FEATURES = "APPROVE_ALL_FEATURES"
    ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE = "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"
    TRANSFER_RESPONSIBILITY = "TRANSFER_RESPONSIBILITY"


class State(StrEnum):
    """Where a handshake is in its life. Only `REQUESTED` and `OPEN` ones can be answered."""

    REQUESTED = "REQUESTED"
    OPEN = "OPEN"
    CANCELED = "CANCELED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"

    @property
    def pending(self) -> bool:
        """Whether it can still be accepted or declined."""
        return self in (State.REQUESTED, State.OPEN)


_OVER = frozenset(state.value for state in State if not state.pending)


class Role(StrEnum):
    """What this account is in the organization it belongs to now."""

    STANDALONE = "STANDALONE"
    MEMBER = "MEMBER"
    MANAGEMENT = "MANAGEMENT"
    UNKNOWN = "UNKNOWN"
    """It could not be found out, which is never taken for standalone."""


# https://docs.aws.amazon.com/organizations/latest/APIReference/API_AcceptHandshake.html says who may accept what;
# for ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE no text does, and it is treated as a member's. By an older text, which
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_EnableAllFeatures.html still has, a member is asked
# by APPROVE_ALL_FEATURES, and ENABLE_ALL_FEATURES is the last step, for good and for the whole organization. So a
# member may accept either; ENABLE_ALL_FEATURES at a management account waits for a person, for who allows it may mean
# the members.
MAY_ACCEPT: Mapping[Action, frozenset[Role]] = {
    Action.INVITE: frozenset({Role.STANDALONE, Role.MEMBER}),
    Action.ENABLE_ALL_FEATURES: frozenset({Role.MEMBER}),
    Action.APPROVE_ALL_FEATURES: frozenset({Role.MANAGEMENT, Role.MEMBER}),
    Action.ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE: frozenset({Role.MEMBER}),
    Action.TRANSFER_RESPONSIBILITY: frozenset({Role.MANAGEMENT}),
}


@dataclass(frozen=True, slots=True)
class Account:
    """The account this runs in, as it is now.

    `organization` is an organization id for a member or management account, `NONE` for a standalone one and
    `UNKNOWN` if it could not be found out.
    """

    id: str
    partition: str
    role: Role
    organization: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One machine-readable reason: a code, a sentence, and what was seen where.

    `facts` holds only values that this project or the policy's owner chose, or that passed `showable`.
    """

    code: str
    message: str
    facts: tuple[tuple[str, str | tuple[str, ...]], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the decision record and `--json`."""
        shown = {name: list(value) if isinstance(value, tuple) else value for name, value in self.facts}
        return {"code": self.code, "message": self.message} | shown


@dataclass(frozen=True, slots=True)
class Handshake:
    """A handshake whose parts agree with each other."""

    id: str
    arn: str
    action: Action
    state: State
    partition: str
    organization_id: str
    management_account_id: str
    addressees: frozenset[str]
    """The accounts it is addressed to, without the sender; empty if it was sent to an e-mail address, or to nobody."""
    expires_at: datetime
    listed: bool
    """Whether our own list showed it, which is what proves that an e-mail invitation is ours."""
    requested_at: datetime | None = None
    """When it was sent; None where it does not say. Nothing is decided by it."""

    @staticmethod
    def from_api(raw: object, *, listed: bool) -> Handshake | InvalidHandshake:
        """Reads a handshake as ListHandshakesForAccount, DescribeHandshake or the AWS CLI gives it.

        Never raises: what cannot be believed is an `InvalidHandshake` with every reason why.
        """
        if not isinstance(raw, Mapping):
            return replace(invalid_handshake("", "NOT_A_HANDSHAKE", "this is not a handshake", raw), listed=listed)
        return _Reading(raw, listed).result()


@dataclass(frozen=True, slots=True)
class InvalidHandshake:
    """A handshake that nothing can be decided about: its parts disagree, cannot be read, or AWS does not show it."""

    id: str
    """Empty where even that cannot be read."""
    reasons: tuple[Reason, ...]
    finished: bool
    """Whether nobody need care: it says that it is over, or it is not there."""
    listed: bool = False
    """Whether our own list showed it."""


def showable(value: object) -> str:
    """The value itself where it is plainly an identifier, otherwise only what kind of thing it is."""
    if isinstance(value, str):
        return value if _SHOWABLE.fullmatch(value) else f"(text of {len(value)} characters, not shown)"
    return f"({type(value).__name__})"


def is_over(raw: object) -> bool:
    """Whether a raw handshake says plainly which one it is and that nobody can answer it any more.

    `Handshake.from_api` says the same of it then, whatever else is in it; a list can have thousands of these.
    """
    if not isinstance(raw, Mapping):
        return False
    identifier, state = raw.get("Id"), raw.get("State")
    named = isinstance(identifier, str) and HANDSHAKE_ID.fullmatch(identifier) is not None
    return named and isinstance(state, str) and state in _OVER


def invalid_handshake(
    handshake_id: str, code: str, message: str, seen: object, *, finished: bool = False
) -> InvalidHandshake:
    """A handshake that nothing can be decided about, for one reason."""
    return InvalidHandshake(handshake_id, (Reason(code, message, (("seen", showable(seen)),)),), finished)


W = TypeVar("W", bound=StrEnum)


class _Reading:
    """Collects every fault of one raw handshake before anything is said about it."""

    def __init__(self, raw: Mapping[Any, Any], listed: bool) -> None:
        self.raw = raw
        self.listed = listed
        self.faults: list[Reason] = []

    def result(self) -> Handshake | InvalidHandshake:
        identifier = self._identifier()
        arn = self._arn()
        action = self._word(Action, "Action")
        state = self._word(State, "State")
        expires_at = self._expiry()
        if arn is None:
            return self._invalid(identifier, state)
        organization_id, management_account_id = arn["organization"], arn["management_account"]
        if identifier:
            self._agree("Id", identifier, arn["id"])
        if action:
            self._agree("Action", action, arn["action"].upper())
        addressees = self._accounts(organization_id, management_account_id, action)
        if action is Action.INVITE or len(addressees) > 1:
            # It is the sender. It never invites itself, but what is no invitation can be addressed to it alone.
            addressees -= {management_account_id}
        if self.faults or action is None or state is None or expires_at is None:
            return self._invalid(identifier, state)
        return Handshake(
            id=identifier,
            arn=arn.group(),
            action=action,
            state=state,
            partition=arn["partition"],
            organization_id=organization_id,
            management_account_id=management_account_id,
            addressees=addressees,
            expires_at=expires_at,
            listed=self.listed,
            requested_at=timestamp(self.raw.get("RequestedTimestamp")),
        )

    def _invalid(self, identifier: str, state: State | None) -> InvalidHandshake:
        finished = state is not None and not state.pending
        return InvalidHandshake(identifier, tuple(self.faults), finished, self.listed)

    def _fault(self, code: str, message: str, seen: object) -> None:
        self.faults.append(Reason(code, message, (("seen", showable(seen)),)))

    def _identifier(self) -> str:
        value = self.raw.get("Id")
        if isinstance(value, str) and HANDSHAKE_ID.fullmatch(value):
            return value
        self._fault("MALFORMED_ID", "its Id is not a handshake id", value)
        return ""

    def _arn(self) -> re.Match[str] | None:
        value = self.raw.get("Arn")
        match = _ARN.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self._fault("MALFORMED_ARN", "its Arn is not the ARN of a handshake", value)
        return match

    def _word(self, words: type[W], field: str) -> W | None:
        value = self.raw.get(field)
        if isinstance(value, str) and value in words.__members__:
            return words(value)
        self._fault(f"UNKNOWN_{field.upper()}", f"its {field} is none that this version knows", value)
        return None

    def _expiry(self) -> datetime | None:
        value = self.raw.get("ExpirationTimestamp")
        moment = timestamp(value)
        if moment is None:
            self._fault("MALFORMED_EXPIRY", "its ExpirationTimestamp is not a time with a zone", value)
        return moment

    def _agree(self, part: str, seen: object, stated: str) -> None:
        if seen != stated:
            self._fault("CONTRADICTION", f"its {part} does not agree with its Arn, which says {stated}", seen)

    def _accounts(self, organization_id: str, management_account_id: str, action: Action | None) -> frozenset[str]:
        """The accounts that parties and resources name; whatever else they name must agree with the Arn.

        A transfer is between two management accounts, and no text says which of them is its MANAGEMENT_ACCOUNT.
        """
        accounts: set[str] = set()
        of_either_side: list[tuple[str, object]] = []
        for part, kind, value in self._named():
            if kind == "ORGANIZATION":
                self._agree(f"ORGANIZATION {part}", _with_prefix(value), organization_id)
            elif kind == "MANAGEMENT_ACCOUNT" and action is Action.TRANSFER_RESPONSIBILITY:
                of_either_side.append((part, value))
            elif kind == "MANAGEMENT_ACCOUNT":
                self._agree(f"MANAGEMENT_ACCOUNT {part}", value, management_account_id)
            elif kind == "ACCOUNT" and isinstance(value, str) and ACCOUNT_ID.fullmatch(value):
                accounts.add(value)
            elif kind == "ACCOUNT":
                self._fault("MALFORMED_ACCOUNT", f"its ACCOUNT {part} is not an account id", value)
        for part, value in of_either_side:
            if value not in [*accounts]:
                self._agree(f"MANAGEMENT_ACCOUNT {part}", value, management_account_id)
        return frozenset(accounts)

    def _named(self) -> Iterator[tuple[str, object, object]]:
        """Every (part, type, value) among the parties and the resources, which are nested to any depth."""
        for party in self._objects("Parties", self.raw.get("Parties")):
            yield "party", party.get("Type"), party.get("Id")
        waiting = [self.raw.get("Resources")]
        while waiting:
            for resource in self._objects("Resources", waiting.pop()):
                waiting.append(resource.get("Resources"))
                yield "resource", resource.get("Type"), resource.get("Value")

    def _objects(self, part: str, value: object) -> Iterator[Mapping[Any, Any]]:
        if value is None:
            return
        if not isinstance(value, list | tuple):
            self._fault("MALFORMED", f"its {part} are not a list", value)
            return
        for item in value:
            if isinstance(item, Mapping):
                yield item
            else:
                self._fault("MALFORMED", f"one of its {part} is not an object", item)


def _with_prefix(organization: object) -> object:
    """The `ORGANIZATION` party's id is seen with and without the `o-` that belongs to it."""
    if isinstance(organization, str) and not organization.startswith("o-"):
        return f"o-{organization}"
    return organization


_HOURS, _MINUTES = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_RFC_3339 = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_HOURS}:{_MINUTES}:{_MINUTES}(?:[.][0-9]{{1,9}})?)"
    rf"(?:[Zz]|([+-])({_HOURS}):({_MINUTES}))"
)


def timestamp(value: object) -> datetime | None:
    """A time with a zone, in UTC, from a datetime, RFC 3339 text or seconds since 1970; None for anything else.

    botocore gives datetimes, version 2 of the AWS CLI prints text and version 1 prints seconds. Digits of a text
    beyond the microseconds are cut off.
    """
    try:
        if isinstance(value, str):
            return _from_text(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _from_text(text: str) -> datetime | None:
    """Raises `ValueError` and `OverflowError` where there is no such time.

    `datetime.fromisoformat` alone reads more than RFC 3339, and what it reads differs between Python's versions: 3.11
    takes -00:90 for an offset, 3.14 takes 24:00 for the next day's 00:00.
    """
    if not (found := _RFC_3339.fullmatch(text)):
        return None
    local, sign, hours, minutes = found.groups()
    moment = datetime.fromisoformat(local).replace(tzinfo=UTC)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return moment + offset if sign == "-" else moment - offset
