"""Every way a call can fail, and what each means: one table, three answers.

Codes and reasons are those of botocore's model of Organizations
(https://docs.aws.amazon.com/organizations/latest/APIReference/API_AcceptHandshake.html). AWS adds new ones without
notice: what is not in the table is for a human.
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

from handshake_core.handshake import showable


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
    """What a person should do; empty where nobody need do anything."""


# A failure of these may come after the effect.
_NOW: Mapping[str, bool] = {
    "TooManyRequestsException": False,
    "ConcurrentModificationException": False,
    "ServiceException": True,
    "InternalServerError": True,
    "InternalFailure": True,
    "InternalServiceError": True,
    "ServiceUnavailable": True,
    "ServiceUnavailableException": True,
    "ThrottlingException": False,
    "Throttling": False,
    "RequestLimitExceeded": False,
    "RequestTimeout": True,
    "RequestTimeoutException": True,
}

_LOOK = frozenset(
    {"HandshakeAlreadyInStateException", "InvalidHandshakeTransitionException", "HandshakeNotFoundException"}
)

_LATER_REASONS = frozenset(
    {
        "ORGANIZATION_MEMBERSHIP_CHANGE_RATE_LIMIT_EXCEEDED",
        "HANDSHAKE_RATE_LIMIT_EXCEEDED",
        "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
        "WAIT_PERIOD_ACTIVE",
        "ACCOUNT_CREATION_NOT_COMPLETE",
        "ACTIVE_RESPONSIBILITY_TRANSFER_PROCESS",
    }
)

_REFUSED = (
    "AWS refuses this call to the function's role. If the policy allows more than the setting `origins`, "
    "deploy again with an origin for it, or take it out of the policy."
)
_REFUSED_BY_SCP = (
    "A service control policy of the current organization refuses this call to the function's role: "
    "its administrator must exempt the role, or accept the handshake by hand."
)
_ADVICE_BY_CODE: Mapping[str, str] = {
    "AccessDeniedException": _REFUSED,
    "AccessDenied": _REFUSED,
    "AccessDeniedForDependencyException": (
        "The role may not create the service-linked role AWSServiceRoleForOrganizations: "
        "look for a service control policy or a permissions boundary that forbids iam:CreateServiceLinkedRole."
    ),
    "AWSOrganizationsNotInUseException": "The account is in no organization, which this action needs.",
    "MasterCannotLeaveOrganizationException": (
        "This is the management account of an organization: it cannot join another before its own is deleted."
    ),
    "ConstraintViolationException": (
        "A rule or a quota of AWS Organizations forbids it: the reason names which, and "
        "https://docs.aws.amazon.com/organizations/latest/APIReference/API_AcceptHandshake.html explains it."
    ),
    "InvalidInputException": "AWS does not take the request: report it, with this record.",
}
_ADVICE_BY_REASON: Mapping[str, str] = {
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": "The inviting organization is full: its administrator must raise the quota.",
    "ALREADY_IN_AN_ORGANIZATION": "The account is in an organization and must leave it first.",
    "ORGANIZATION_ALREADY_HAS_ALL_FEATURES": "All features are on already: the inviting side should cancel this.",
    "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION": "Wait for the change under way, or cancel it.",
    "PAYMENT_INSTRUMENT_REQUIRED": "Give the account a payment method, then wait for the next sweep.",
    "ORGANIZATION_FROM_DIFFERENT_SELLER_OF_RECORD": "The two have different sellers of record: ask AWS Support.",
    "MANAGEMENT_ACCOUNT_EMAIL_NOT_VERIFIED": "The inviting management account must verify its e-mail address.",
    "RESPONSIBILITY_TRANSFER_ALREADY_EXISTS": "A transfer exists already: end it, or decline this one.",
    "SOURCE_AND_TARGET_CANNOT_MATCH": "The invitation is from this account itself: it should be cancelled.",
    "UNUSED_PREPAYMENT_BALANCE": "The account has an unused prepayment: ask AWS Support.",
    "LEGACY_PERMISSIONS_STILL_IN_USE": "Migrate the account's legacy billing permissions first.",
    "PAST_DUE_INVOICE": "Pay the account's invoice that is past due, then wait for the next sweep.",
    "TARGET_ACCOUNT_VALIDATION_FAILURE": "AWS could not validate the account: ask AWS Support.",
    # Of ConstraintViolationException: what keeps a member from leaving the organization that it is in.
    "ACCOUNT_CANNOT_LEAVE_ORGANIZATION": "The account may not leave its organization: ask that one's administrator.",
    "ACCOUNT_CANNOT_LEAVE_WITHOUT_EULA": "Sign in as the account's root user and accept the AWS Customer Agreement.",
    "ACCOUNT_CANNOT_LEAVE_WITHOUT_PHONE_VERIFICATION": "Sign in as the account's root user and verify its phone.",
    "MEMBER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": "Give the account a payment method, then wait for the next sweep.",
    "MASTER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": "The inviting management account needs a valid payment method.",
    "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG": "Deregister the account as delegated administrator first.",
}
_UNKNOWN = "This version does not know this error: look it up, and accept by hand if that is right."


DEADLINE = "DEADLINE"
"""The code of a call that was not begun, and of a run that had no time left for something that seconds cure."""


def classify(error: ClientError | BotoCoreError | ResponseParserError | OutOfTime) -> Failure:
    """Says what a failed call means. The service's free-text message is read, but never kept."""
    if isinstance(error, OutOfTime):
        return Failure(Remedy.RETRY_NOW, DEADLINE, "", ambiguous=False, advice="")
    if isinstance(error, ClientError):
        return _classify_answer(error)
    code = type(error).__name__
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ProxyConnectionError):
        return Failure(Remedy.RETRY_NOW, code, "", ambiguous=False, advice="")
    if isinstance(error, BotocoreConnectionError | HTTPClientError | IncompleteReadError | ResponseParserError):
        return Failure(Remedy.RETRY_NOW, code, "", ambiguous=True, advice="")
    return Failure(Remedy.NEEDS_HUMAN, code, "", ambiguous=False, advice=_UNKNOWN)


def _classify_answer(error: ClientError) -> Failure:
    code = showable(error.response.get("Error", {}).get("Code", ""))
    reason = error.response.get("Reason", "")
    reason = showable(reason) if reason else ""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _NOW:
        return Failure(Remedy.RETRY_NOW, code, reason, _NOW[code], "")
    if code in _LOOK:
        return Failure(Remedy.LOOK, code, reason, ambiguous=False, advice="")
    if reason in _LATER_REASONS:
        return Failure(Remedy.RETRY_LATER, code, reason, ambiguous=False, advice="")
    if isinstance(status, int) and status >= 500:
        return Failure(Remedy.RETRY_NOW, code, reason, ambiguous=True, advice="")
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in ("AccessDeniedException", "AccessDenied") and "service control policy" in message:
        return Failure(Remedy.NEEDS_HUMAN, code, "SERVICE_CONTROL_POLICY", ambiguous=False, advice=_REFUSED_BY_SCP)
    advice = _ADVICE_BY_REASON.get(reason) or _ADVICE_BY_CODE.get(code) or _UNKNOWN
    return Failure(Remedy.NEEDS_HUMAN, code, reason, ambiguous=False, advice=advice)
