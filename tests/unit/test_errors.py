from __future__ import annotations

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from handshake_core.errors import _ADVICE_BY_REASON, _LATER_REASONS, Remedy, classify
from local.world import client_error

MODEL = botocore.session.get_session().get_service_model("organizations")

# What every modelled error of the operations used means, spelled out once more: a new one fails the test.
EXPECTED = {
    "TooManyRequestsException": Remedy.RETRY_NOW,
    "ConcurrentModificationException": Remedy.RETRY_NOW,
    "ServiceException": Remedy.RETRY_NOW,
    "HandshakeAlreadyInStateException": Remedy.LOOK,
    "InvalidHandshakeTransitionException": Remedy.LOOK,
    "HandshakeNotFoundException": Remedy.LOOK,
    "AccessDeniedException": Remedy.NEEDS_HUMAN,
    "AccessDeniedForDependencyException": Remedy.NEEDS_HUMAN,
    "AWSOrganizationsNotInUseException": Remedy.NEEDS_HUMAN,
    "ConstraintViolationException": Remedy.NEEDS_HUMAN,
    "HandshakeConstraintViolationException": Remedy.NEEDS_HUMAN,
    "InvalidInputException": Remedy.NEEDS_HUMAN,
    "MasterCannotLeaveOrganizationException": Remedy.NEEDS_HUMAN,
}
LATER = {
    "ORGANIZATION_MEMBERSHIP_CHANGE_RATE_LIMIT_EXCEEDED",
    "HANDSHAKE_RATE_LIMIT_EXCEEDED",
    "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
    "WAIT_PERIOD_ACTIVE",
    "ACCOUNT_CREATION_NOT_COMPLETE",
    "ACTIVE_RESPONSIBILITY_TRANSFER_PROCESS",
}
OPERATIONS = (
    "AcceptHandshake",
    "DeclineHandshake",
    "DescribeHandshake",
    "ListHandshakesForAccount",
    "DescribeOrganization",
)


def test_every_modelled_error_has_a_known_meaning() -> None:
    modelled = {shape.name for name in OPERATIONS for shape in MODEL.operation_model(name).error_shapes}
    assert modelled == set(EXPECTED)
    assert {code: classify(client_error(code)).remedy for code in modelled} == EXPECTED


@pytest.mark.parametrize("code", ["HandshakeConstraintViolationException", "ConstraintViolationException"])
def test_every_modelled_constraint_has_advice_or_is_retried_later(code: str) -> None:
    for reason in MODEL.shape_for(f"{code}Reason").enum:
        failure = classify(client_error(code, reason=reason))
        assert failure.remedy is (Remedy.RETRY_LATER if reason in LATER else Remedy.NEEDS_HUMAN)
        assert "does not know" not in failure.advice, reason


def test_every_reason_that_is_spelled_out_is_one_of_the_model() -> None:
    modelled = {
        reason
        for code in ("HandshakeConstraintViolationException", "ConstraintViolationException")
        for reason in MODEL.shape_for(f"{code}Reason").enum
    }
    assert set(_ADVICE_BY_REASON) | _LATER_REASONS <= modelled


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ConcurrentModificationException", "ThrottlingException"])
def test_a_refusal_before_any_effect_is_not_ambiguous(code: str) -> None:
    assert not classify(client_error(code)).ambiguous


@pytest.mark.parametrize(
    "error",
    [
        client_error("ServiceException"),
        client_error("Whatever", status=502),
        ReadTimeoutError(endpoint_url="x"),
        ConnectionClosedError(endpoint_url="x"),
        HTTPClientError(error="x"),
        ResponseParserError("x"),
    ],
)
def test_what_may_come_after_the_effect_is_ambiguous(error: Exception) -> None:
    failure = classify(error)
    assert failure.remedy is Remedy.RETRY_NOW
    assert failure.ambiguous


def test_every_connection_error_of_botocore_is_retried() -> None:
    connection_errors = [
        error
        for error in vars(botocore.exceptions).values()
        if isinstance(error, type)
        and issubclass(error, botocore.exceptions.ConnectionError | botocore.exceptions.HTTPClientError)
    ]
    assert len(connection_errors) > 5
    for kind in connection_errors:
        failure = classify(kind(endpoint_url="x", error="x", proxy_url="x", request=None, last_fault="x"))
        assert failure.remedy is Remedy.RETRY_NOW, kind


def test_an_unknown_error_needs_a_human() -> None:
    assert classify(client_error("NewException")).remedy is Remedy.NEEDS_HUMAN
    assert classify(botocore.exceptions.NoCredentialsError()).remedy is Remedy.NEEDS_HUMAN


def test_a_service_control_policy_is_told_apart_from_the_ceiling() -> None:
    scp = "User is not authorized to perform: x with an explicit deny in a service control policy"
    ceiling = "User is not authorized because no identity-based policy allows the organizations:AcceptHandshake action"
    assert classify(client_error("AccessDeniedException", message=scp)).reason == "SERVICE_CONTROL_POLICY"
    refused = classify(client_error("AccessDeniedException", message=ceiling))
    assert refused.reason == ""
    assert "`origins`" in refused.advice


def test_the_services_own_message_is_never_kept() -> None:
    failure = classify(client_error("InvalidInputException", message="mary@example.com is not valid"))
    assert "mary" not in repr(failure)
