from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from handshake_core.errors import TABLE, Failure, OutOfTime, Remedy, classify
from local.world import client_error

FIELD = Path(__file__).parent.parent / "field"
MODEL = botocore.session.get_session().get_service_model("organizations")

# What every row means, spelled out once more: a row that is added, dropped or changed fails the test.
THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
NOW = {*THROTTLED, "ConcurrentModificationException"}
NOW_MAYBE_DONE = {"ServiceException", "InternalServerError", "InternalFailure", "InternalServiceError"}
NOW_MAYBE_DONE |= {"ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException"}
LOOK = {"HandshakeAlreadyInStateException", "InvalidHandshakeTransitionException", "HandshakeNotFoundException"}
LATER = {"SubscriptionRequiredException", "OptInRequired", "FinalizingOrganizationException"}
HUMAN = {
    "AccessDeniedException": "`origins`",
    "AccessDenied": "`origins`",
    "AccessDeniedForDependencyException": "iam:CreateServiceLinkedRole",
    "AWSOrganizationsNotInUseException": "in no organization",
    "ConstraintViolationException": "the reason names which",
    "HandshakeConstraintViolationException": "the reason names which",
    "InvalidInputException": "report it",
    "MasterCannotLeaveOrganizationException": "management account",
}
LATER_REASONS = {
    "ORGANIZATION_MEMBERSHIP_CHANGE_RATE_LIMIT_EXCEEDED",
    "HANDSHAKE_RATE_LIMIT_EXCEEDED",
    "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
    "WAIT_PERIOD_ACTIVE",
    "ACCOUNT_CREATION_NOT_COMPLETE",
    "ACTIVE_RESPONSIBILITY_TRANSFER_PROCESS",
}
HUMAN_REASONS = {
    "SERVICE_CONTROL_POLICY": "exempt the role",
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": "raise the quota",
    "ALREADY_IN_AN_ORGANIZATION": "leave it first",
    "ORGANIZATION_ALREADY_HAS_ALL_FEATURES": "on already",
    "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION": "change under way",
    "PAYMENT_INSTRUMENT_REQUIRED": "payment method",
    "ORGANIZATION_FROM_DIFFERENT_SELLER_OF_RECORD": "sellers of record",
    "MANAGEMENT_ACCOUNT_EMAIL_NOT_VERIFIED": "verify its e-mail address",
    "RESPONSIBILITY_TRANSFER_ALREADY_EXISTS": "end it",
    "SOURCE_AND_TARGET_CANNOT_MATCH": "this account itself",
    "UNUSED_PREPAYMENT_BALANCE": "prepayment",
    "LEGACY_PERMISSIONS_STILL_IN_USE": "legacy billing permissions",
    "PAST_DUE_INVOICE": "past due",
    "TARGET_ACCOUNT_VALIDATION_FAILURE": "validate the account",
    "ACCOUNT_CANNOT_LEAVE_ORGANIZATION": "administrator",
    "ACCOUNT_CANNOT_LEAVE_WITHOUT_EULA": "Customer Agreement",
    "ACCOUNT_CANNOT_LEAVE_WITHOUT_PHONE_VERIFICATION": "verify its phone",
    "MEMBER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": "payment method",
    "MASTER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": "inviting management account",
    "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG": "Deregister",
}
CODES = NOW | NOW_MAYBE_DONE | LOOK | LATER | set(HUMAN)
REASONS = LATER_REASONS | set(HUMAN_REASONS)

OPERATIONS = (
    "AcceptHandshake",
    "DeclineHandshake",
    "DescribeHandshake",
    "ListHandshakesForAccount",
    "DescribeOrganization",
)
CALLS = (*OPERATIONS, "GetParametersByPath")
CONSTRAINTS = ("HandshakeConstraintViolationException", "ConstraintViolationException")


def modelled_reasons(code: str) -> set[str]:
    return set(MODEL.shape_for(f"{code}Reason").enum)


def test_every_row_is_spelled_out_here_and_says_the_same() -> None:
    assert set(TABLE) == CODES | REASONS
    for key, row in TABLE.items():
        expected = (
            Remedy.RETRY_NOW
            if key in NOW | NOW_MAYBE_DONE
            else Remedy.LOOK
            if key in LOOK
            else Remedy.RETRY_LATER
            if key in LATER | LATER_REASONS
            else Remedy.NEEDS_HUMAN
        )
        assert (row.remedy, row.after_effect) == (expected, key in NOW_MAYBE_DONE), key


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_means_what_its_row_says_whichever_call_it_comes_from(code: str, operation: str) -> None:
    failure = classify(client_error(code, operation))
    row = TABLE[code]
    assert failure == Failure(row.remedy, code, "", row.after_effect, row.advice, row.throttled)
    assert HUMAN.get(code, "") in failure.advice


def test_these_codes_alone_ask_for_fewer_calls() -> None:
    assert {code for code, row in TABLE.items() if row.throttled} == THROTTLED


@pytest.mark.parametrize("code", CONSTRAINTS)
@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_reason_says_more_than_its_code(code: str, reason: str) -> None:
    failure = classify(client_error(code, reason=reason))
    row = TABLE[reason]
    assert failure == Failure(row.remedy, code, reason, row.after_effect, row.advice, row.throttled)
    assert HUMAN_REASONS.get(reason, "") in failure.advice


def test_every_modelled_error_has_a_row() -> None:
    modelled = {shape.name for name in OPERATIONS for shape in MODEL.operation_model(name).error_shapes}
    assert modelled <= CODES


def test_every_reason_for_which_an_accept_may_be_refused_has_a_row() -> None:
    assert modelled_reasons("HandshakeConstraintViolationException") <= REASONS


def test_every_reason_with_a_row_is_one_of_the_model_or_our_own() -> None:
    assert set.union(*map(modelled_reasons, CONSTRAINTS)) >= REASONS - {"SERVICE_CONTROL_POLICY"}


@pytest.mark.parametrize("code", CONSTRAINTS)
def test_a_reason_of_next_year_needs_a_person_who_is_told_where_it_is_explained(code: str) -> None:
    failure = classify(client_error(code, reason="A_REASON_OF_NEXT_YEAR"))
    assert (failure.remedy, failure.reason) == (Remedy.NEEDS_HUMAN, "A_REASON_OF_NEXT_YEAR")
    assert "https://docs.aws.amazon.com/" in failure.advice


def test_a_row_that_needs_a_person_tells_him_what_to_do() -> None:
    assert all(row.advice for row in TABLE.values() if row.remedy is Remedy.NEEDS_HUMAN)


# What the field shows


def field(name: str) -> Iterator[ClientError]:
    for seen in json.loads((FIELD / f"{name}.json").read_text("utf-8")):
        yield ClientError(seen["response"], seen["operation"])


def test_a_full_organization_needs_a_person_who_is_told_both_causes() -> None:
    errors = list(field("10-error-account-limit"))
    assert {error.response["Error"]["Code"] for error in errors} == set(CONSTRAINTS)
    for error in errors:
        failure = classify(error)
        assert failure.remedy is Remedy.NEEDS_HUMAN
        assert "younger than an hour, waiting cures it" in failure.advice
        assert "raise the quota; closed accounts count towards it" in failure.advice


def test_a_new_account_or_organization_is_tried_again_later_and_the_record_shows_the_code() -> None:
    errors = [*field("11-error-finalizing"), *field("12-errors-new-account")]
    assert len(errors) == 4
    for error in errors:
        failure = classify(error)
        assert (failure.remedy, failure.ambiguous) == (Remedy.RETRY_LATER, False)
        assert failure.as_reason().code == error.response["Error"]["Code"]
        assert "If it lasts" in failure.as_reason().message


def test_a_failure_as_a_reason_has_the_services_reason_beside_the_code() -> None:
    failure = classify(client_error("ConstraintViolationException", reason="WAIT_PERIOD_ACTIVE"))
    assert failure.as_reason().as_dict() == {
        "code": "ConstraintViolationException",
        "message": "AWS answers this for now",
        "reason": "WAIT_PERIOD_ACTIVE",
    }


# What may have had its effect


@pytest.mark.parametrize("code", ["InvalidInputException", "AccessDenied", "ErrorOfNextYear"])
def test_a_servers_fault_is_tried_again_at_once_whatever_its_code(code: str) -> None:
    failure = classify(client_error(code, status=500))
    assert (failure.remedy, failure.ambiguous, failure.advice) == (Remedy.RETRY_NOW, True, "")


def test_what_waiting_cures_is_not_tried_again_at_once_for_its_status() -> None:
    assert classify(client_error("SubscriptionRequiredException", status=503)).remedy is Remedy.RETRY_LATER


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


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OutOfTime(), Failure(Remedy.RETRY_NOW, "DEADLINE", "", ambiguous=False, advice="")),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://example.com"),
            Failure(Remedy.RETRY_NOW, "EndpointConnectionError", "", ambiguous=False, advice=""),
        ),
        (
            botocore.exceptions.NoCredentialsError(),
            Failure(
                Remedy.NEEDS_HUMAN,
                "NoCredentialsError",
                "",
                ambiguous=False,
                advice="This version does not know this error: look it up, and accept by hand if that is right.",
            ),
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_no_answer_of_the_service_is_told_by_its_name(error: Exception, failure: Failure) -> None:
    assert classify(error) == failure  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [{}, {"Error": {}}, {"Error": {"Code": ""}, "ResponseMetadata": {}}])
def test_an_answer_that_says_nothing_needs_a_human(answer: Any) -> None:
    failure = classify(ClientError(answer, "AcceptHandshake"))
    assert (failure.remedy, failure.code, failure.reason) == (
        Remedy.NEEDS_HUMAN,
        "(text of 0 characters, not shown)",
        "",
    )


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_a_service_control_policy_is_named_under_both_codes(code: str) -> None:
    message = "with an explicit deny in a service control policy"
    assert classify(client_error(code, message=message)).reason == "SERVICE_CONTROL_POLICY"


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
