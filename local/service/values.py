"""The words of the handshake service: its states and parties, and what a test may set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Action(StrEnum):
    """What happens when the recipient accepts."""

    INVITE = "INVITE"
    ENABLE_ALL_FEATURES = "ENABLE_ALL_FEATURES"
    APPROVE_ALL_FEATURES = "APPROVE_ALL_FEATURES"
    ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE = "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"
    TRANSFER_RESPONSIBILITY = "TRANSFER_RESPONSIBILITY"


class State(StrEnum):
    """The six states; the first two are pending."""

    REQUESTED = "REQUESTED"
    OPEN = "OPEN"
    CANCELED = "CANCELED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


PENDING = frozenset({State.REQUESTED, State.OPEN})


class PartyType(StrEnum):
    """How a party of a handshake is named."""

    ACCOUNT = "ACCOUNT"
    ORGANIZATION = "ORGANIZATION"
    EMAIL = "EMAIL"


class FeatureSet(StrEnum):
    """What an organization may govern."""

    ALL = "ALL"
    CONSOLIDATED_BILLING = "CONSOLIDATED_BILLING"


class Effect(StrEnum):
    """Whether an injected failure comes instead of the effect or after it."""

    BEFORE = "before"
    AFTER = "after"


class ServiceError(Exception):
    """An error as the service answers it; `injected` ones come from the fault plan, not from a rule."""

    def __init__(
        self, code: str, message: str, reason: str | None = None, status: int = 400, *, injected: bool = False
    ) -> None:
        super().__init__(f"{code}: {message}" if reason is None else f"{code} ({reason}): {message}")
        self.code, self.message, self.reason, self.status, self.injected = code, message, reason, status, injected


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What AWS does in one way here and in another there; change with `HandshakeService.configure`."""

    page_size: int = 20
    # List pages "can occasionally return an empty set of results even when more results are available".
    empty_pages: int = 0
    # DescribeHandshake is documented for "any account in the organization", so a standalone one may be refused.
    describe_refused_to_standalone: bool = False
    # The ORGANIZATION party's id is seen with and without `o-`.
    organization_party_prefix: bool = True
    # AWS's samples do not show the inviting management account among an invitation's parties; two public emulators do.
    inviter_is_a_party: bool = False
    # AcceptHandshake can answer before the handshake reads ACCEPTED.
    accept_delay: timedelta = timedelta(0)
    # A member accepts another organization's invitation without leaving first (since late 2025).
    direct_transfer: bool = True
    # Recorded invitations read OPEN at once, other handshakes REQUESTED.
    invite_state: State = State.OPEN
    # These accounts have no payment method, so that they cannot join: HandshakeConstraintViolationException.
    without_payment: Sequence[str] = ()
    partition: str = "aws"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The next `times` calls of `operation` fail; `after` means the effect happened and the answer was lost."""

    operation: str
    code: str
    reason: str | None = None
    effect: Effect = Effect.BEFORE
    times: int = 1
    message: str = "Injected by the fault plan."


@dataclass(frozen=True)
class Call:
    """One line of the journal; `code` is `OK` or the error that the caller saw."""

    account_id: str
    operation: str
    time: datetime
    code: str
    handshake_id: str | None = None


@dataclass(frozen=True)
class Account:
    """An account as the world knows it, in an organization or not."""

    id: str
    email: str
    name: str


@dataclass(frozen=True)
class Organization:
    """An organization; `members` holds when each account joined, the management account included."""

    id: str
    management_account_id: str
    feature_set: FeatureSet
    members: Mapping[str, datetime]


@dataclass(frozen=True)
class Party:
    """One party of a handshake."""

    type: PartyType
    id: str


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """A handshake; `landing_at` is when an accept that was already answered takes effect."""

    id: str
    arn: str
    action: Action
    organization_id: str
    sender: str
    target: Party
    state: State
    requested_at: datetime
    expires_at: datetime
    resources: Sequence[Json]
    parent_id: str | None = None
    finished_at: datetime | None = None
    landing_at: datetime | None = None
    accept_effects: int = 0


@dataclass
class ShiftedClock:
    """A clock that tests and the demo move forward."""

    base: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Now."""
        return self.base() + self.offset

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.offset += by
