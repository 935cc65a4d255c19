"""Every way a call can fail, and what each means: one table, a row an error.

Codes and reasons are those of botocore's model of Organizations
(https://docs.aws.amazon.com/organizations/latest/APIReference/API_AcceptHandshake.html), and those that every service
of AWS may answer (https://docs.aws.amazon.com/organizations/latest/APIReference/CommonErrors.html). AWS adds new ones
without notice: what is not in the table is for a human.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
)
from botocore.exceptions import ConnectionError as BotocoreConnectionError
from botocore.parsers import ResponseParserError

from handshake_core.handshake import Reason, showable


class OutOfTime(Exception):
    """A call was not begun, for it could have ended after the invocation's deadline."""


class Remedy(StrEnum):
    """What to do about a failure."""

    RETRY_NOW = "RETRY_NOW"
    """Seconds cure it: try again with backoff until the invocation's deadline."""
    RETRY_LATER = "RETRY_LATER"
    """The service wants us to wait, or somebody else's work to finish: the next sweep tries again."""
    NEEDS_HUMAN = "NEEDS_HUMAN"
    """Time alone does not cure it."""
    LOOK = "LOOK"
    """The handshake is not what we took it for: look at it again, then decide again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call, understood."""

    remedy: Remedy
    code: str
    """The service's error code, or the name of the connection error."""
    reason: str
    """The service's own reason for a constraint; empty where it gives none."""
    ambiguous: bool
    """Whether the call may have had its effect all the same."""
    advice: str
    """What a person should do, at once or where waiting does not help; empty where nobody need do anything."""
    throttled: bool = False
    """Whether the service asks for fewer calls by it."""

    def as_reason(self) -> Reason:
        """For the decision record: the reason's code is the service's error code."""
        facts = (("reason", self.reason),) if self.reason else ()
        return Reason(self.code, self.advice or "AWS answers this for now", facts)


@dataclass(frozen=True, slots=True)
class Row:
    """What one error means."""

    remedy: Remedy
    advice: str = ""
    """As in `Failure`."""
    after_effect: bool = False
    """Whether it may come after the call had its effect."""
    throttled: bool = False
    """As in `Failure`."""


_NOW, _LATER, _HUMAN, _LOOK = Remedy.RETRY_NOW, Remedy.RETRY_LATER, Remedy.NEEDS_HUMAN, Remedy.LOOK
_EXPLAINED = "https://docs.aws.amazon.com/organizations/latest/APIReference/API_AcceptHandshake.html explains it."
_CONSTRAINT = f"A rule or a quota of AWS Organizations forbids it: the reason names which, and {_EXPLAINED}"
_REFUSED = (
    "AWS refuses this call to the function's role. If the policy allows more than the setting `origins`, "
    "deploy again with an origin for it, or take it out of the policy."
)
_NEW_ACCOUNT = (
    "AWS answers this for some minutes after an account was made. If it lasts for a day, "
    "finish the account's sign-up: its payment method and its phone number."
)

SERVICE_CONTROL_POLICY = "SERVICE_CONTROL_POLICY"
"""Our own reason for a refusal whose message names a service control policy: AWS has no code or reason for it."""

TABLE: Mapping[str, Row] = {
    # Error codes that seconds cure.
    "TooManyRequestsException": Row(_NOW, throttled=True),
    "ConcurrentModificationException": Row(_NOW),
    "ThrottlingException": Row(_NOW, throttled=True),
    "Throttling": Row(_NOW, throttled=True),
    "RequestLimitExceeded": Row(_NOW, throttled=True),
    "ServiceException": Row(_NOW, after_effect=True),
    "InternalServerError": Row(_NOW, after_effect=True),
    "InternalFailure": Row(_NOW, after_effect=True),
    "InternalServiceError": Row(_NOW, after_effect=True),
    "ServiceUnavailable": Row(_NOW, after_effect=True),
    "ServiceUnavailableException": Row(_NOW, after_effect=True),
    "RequestTimeout": Row(_NOW, after_effect=True),
    "RequestTimeoutException": Row(_NOW, after_effect=True),
    # Error codes of a handshake that changed.
    "HandshakeAlreadyInStateException": Row(_LOOK),
    "InvalidHandshakeTransitionException": Row(_LOOK),
    "HandshakeNotFoundException": Row(_LOOK),
    # Error codes that minutes or an hour cure.
    "SubscriptionRequiredException": Row(_LATER, _NEW_ACCOUNT),
    "OptInRequired": Row(_LATER, _NEW_ACCOUNT),
    "FinalizingOrganizationException": Row(
        _LATER, "AWS answers this for up to an hour after an organization was made. If it lasts, ask AWS Support."
    ),
    # Error codes that need a person.
    "AccessDeniedException": Row(_HUMAN, _REFUSED),
    "AccessDenied": Row(_HUMAN, _REFUSED),
    "AccessDeniedForDependencyException": Row(
        _HUMAN,
        "The role may not create the service-linked role AWSServiceRoleForOrganizations: "
        "look for a service control policy or a permissions boundary that forbids iam:CreateServiceLinkedRole.",
    ),
    "AWSOrganizationsNotInUseException": Row(_HUMAN, "The account is in no organization, which this action needs."),
    "MasterCannotLeaveOrganizationException": Row(
        _HUMAN, "This is the management account of an organization: it cannot join another before its own is deleted."
    ),
    "InvalidInputException": Row(_HUMAN, "AWS does not take the request: report it, with this record."),
    "HandshakeConstraintViolationException": Row(_HUMAN, _CONSTRAINT),
    "ConstraintViolationException": Row(_HUMAN, _CONSTRAINT),
    # From here on reasons, each of which says more than the code that it comes under. First those that time cures.
    "ORGANIZATION_MEMBERSHIP_CHANGE_RATE_LIMIT_EXCEEDED": Row(_LATER),
    "HANDSHAKE_RATE_LIMIT_EXCEEDED": Row(_LATER),
    "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES": Row(_LATER),
    "WAIT_PERIOD_ACTIVE": Row(_LATER),
    "ACCOUNT_CREATION_NOT_COMPLETE": Row(_LATER),
    "ACTIVE_RESPONSIBILITY_TRANSFER_PROCESS": Row(_LATER),
    # Reasons that need a person.
    SERVICE_CONTROL_POLICY: Row(
        _HUMAN,
        "A service control policy of the current organization refuses this call to the function's role: "
        "its administrator must exempt the role, or accept the handshake by hand.",
    ),
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": Row(
        _HUMAN,
        "The inviting organization may have no more accounts. If it is younger than an hour, waiting cures it. "
        "Else its administrator must raise the quota; closed accounts count towards it.",
    ),
    "ALREADY_IN_AN_ORGANIZATION": Row(_HUMAN, "The account is in an organization and must leave it first."),
    "ORGANIZATION_ALREADY_HAS_ALL_FEATURES": Row(
        _HUMAN, "All features are on already: the inviting side should cancel this."
    ),
    "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION": Row(
        _HUMAN, "Wait for the change under way, or cancel it."
    ),
    "PAYMENT_INSTRUMENT_REQUIRED": Row(_HUMAN, "Give the account a payment method, then wait for the next sweep."),
    "ORGANIZATION_FROM_DIFFERENT_SELLER_OF_RECORD": Row(
        _HUMAN, "The two have different sellers of record: ask AWS Support."
    ),
    "MANAGEMENT_ACCOUNT_EMAIL_NOT_VERIFIED": Row(
        _HUMAN, "The inviting management account must verify its e-mail address."
    ),
    "RESPONSIBILITY_TRANSFER_ALREADY_EXISTS": Row(_HUMAN, "A transfer exists already: end it, or decline this one."),
    "SOURCE_AND_TARGET_CANNOT_MATCH": Row(
        _HUMAN, "The invitation is from this account itself: it should be cancelled."
    ),
    "UNUSED_PREPAYMENT_BALANCE": Row(_HUMAN, "The account has an unused prepayment: ask AWS Support."),
    "LEGACY_PERMISSIONS_STILL_IN_USE": Row(_HUMAN, "Migrate the account's legacy billing permissions first."),
    "PAST_DUE_INVOICE": Row(_HUMAN, "Pay the account's invoice that is past due, then wait for the next sweep."),
    "TARGET_ACCOUNT_VALIDATION_FAILURE": Row(_HUMAN, "AWS could not validate the account: ask AWS Support."),
    # Reasons that keep a member from leaving the organization that it is in.
    "ACCOUNT_CANNOT_LEAVE_ORGANIZATION": Row(
        _HUMAN, "The account may not leave its organization: ask that one's administrator."
    ),
    "ACCOUNT_CANNOT_LEAVE_WITHOUT_EULA": Row(
        _HUMAN, "Sign in as the account's root user and accept the AWS Customer Agreement."
    ),
    "ACCOUNT_CANNOT_LEAVE_WITHOUT_PHONE_VERIFICATION": Row(
        _HUMAN, "Sign in as the account's root user and verify its phone."
    ),
    "MEMBER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": Row(
        _HUMAN, "Give the account a payment method, then wait for the next sweep."
    ),
    "MASTER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": Row(
        _HUMAN, "The inviting management account needs a valid payment method."
    ),
    "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG": Row(
        _HUMAN, "Deregister the account as delegated administrator first."
    ),
}
"""What is known of every error, by its code or, where that says more, by its reason."""

_UNKNOWN = Row(_HUMAN, "This version does not know this error: look it up, and accept by hand if that is right.")
_SERVERS_FAULT = Row(_NOW, after_effect=True)
"""What an HTTP status from 500 on means, where the table does not say what time cures it."""


DEADLINE = "DEADLINE"
"""The code of a call that was not begun, and of a run that had no time left for something that seconds cure."""


def classify(error: ClientError | BotoCoreError | ResponseParserError | OutOfTime) -> Failure:
    """Says what a failed call means. The service's free-text message is read, but never kept."""
    if isinstance(error, OutOfTime):
        return _failure(Row(_NOW), DEADLINE)
    if isinstance(error, ClientError):
        return _classify_answer(error)
    code = type(error).__name__
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ProxyConnectionError):
        return _failure(Row(_NOW), code)
    if isinstance(error, BotocoreConnectionError | HTTPClientError | IncompleteReadError | ResponseParserError):
        return _failure(Row(_NOW, after_effect=True), code)
    return _failure(_UNKNOWN, code)


def _classify_answer(error: ClientError) -> Failure:
    code = showable(error.response.get("Error", {}).get("Code", ""))
    reason = error.response.get("Reason", "")
    reason = showable(reason) if reason else ""
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in ("AccessDeniedException", "AccessDenied") and "service control policy" in message:
        reason = SERVICE_CONTROL_POLICY
    row = TABLE.get(reason) or TABLE.get(code) or _UNKNOWN
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if row.remedy is Remedy.NEEDS_HUMAN and isinstance(status, int) and status >= 500:
        row = _SERVERS_FAULT
    return _failure(row, code, reason)


def _failure(row: Row, code: str, reason: str = "") -> Failure:
    return Failure(row.remedy, code, reason, row.after_effect, row.advice, row.throttled)
