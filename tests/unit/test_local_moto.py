"""The handshake service behind moto, used as the Lambda uses AWS: through boto3."""

import boto3
import pytest
from botocore.config import Config

from local.adapters.moto import handshakes_in_moto
from local.service.handshake_service import Fault, HandshakeService, ShiftedClock

MANAGEMENT, MEMBER = "111111111111", "222222222222"
HANDSHAKE = "h-examplehandshakeid111"


def client(service, account_id):
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id=account_id,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def service():
    service = HandshakeService(ShiftedClock())
    service.add_organization("o-exampleorgid", MANAGEMENT)
    service.choose_ids(HANDSHAKE)
    with handshakes_in_moto(service):
        target = {"Type": "ACCOUNT", "Id": MEMBER}
        client("organizations", MANAGEMENT).invite_account_to_organization(Target=target)
        yield service


def test_an_invitation_is_listed_and_accepted_by_the_invited_account(service):
    organizations = client("organizations", MEMBER)
    with pytest.raises(organizations.exceptions.AWSOrganizationsNotInUseException):
        organizations.describe_organization()
    (listed,) = organizations.list_handshakes_for_account()["Handshakes"]
    assert listed["RequestedTimestamp"].tzinfo is not None
    assert organizations.accept_handshake(HandshakeId=listed["Id"])["Handshake"]["State"] == "ACCEPTED"
    assert organizations.describe_organization()["Organization"]["Id"] == "o-exampleorgid"
    assert service.accept_effects(HANDSHAKE) == 1


def test_pagination_goes_through_empty_pages(service):
    service.configure(empty_pages=3)
    pages = client("organizations", MEMBER).get_paginator("list_handshakes_for_account").paginate()
    assert [len(page["Handshakes"]) for page in pages] == [0, 0, 0, 1]


def test_errors_surface_as_modelled_exceptions_with_their_reason(service):
    service.inject(
        Fault(operation="AcceptHandshake", code="HandshakeConstraintViolationException", reason="PAST_DUE_INVOICE")
    )
    organizations = client("organizations", MEMBER)
    with pytest.raises(organizations.exceptions.HandshakeConstraintViolationException) as caught:
        organizations.accept_handshake(HandshakeId=HANDSHAKE)
    assert caught.value.response["Reason"] == "PAST_DUE_INVOICE"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_service_exception_is_a_500(service):
    service.inject(Fault(operation="ListHandshakesForAccount", code="ServiceException"))
    organizations = client("organizations", MEMBER)
    with pytest.raises(organizations.exceptions.ServiceException) as caught:
        organizations.list_handshakes_for_account()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_other_services_go_on_working_in_the_callers_account(service):
    ssm = client("ssm", MEMBER)
    ssm.put_parameter(Name="/handshake-acceptor/mode", Value="enforce", Type="String")
    (parameter,) = ssm.get_parameters_by_path(Path="/handshake-acceptor")["Parameters"]
    assert parameter["ARN"] == f"arn:aws:ssm:us-east-1:{MEMBER}:parameter/handshake-acceptor/mode"
    assert client("sts", MEMBER).get_caller_identity()["Account"] == MEMBER


@pytest.mark.parametrize("named_by", ["argument", "environment"])
def test_an_account_can_be_the_default_caller(monkeypatch, named_by):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", MANAGEMENT if named_by == "environment" else "AKIAIOSFODNN7EXAMPLE")
    service = HandshakeService(ShiftedClock())
    service.add_organization("o-exampleorgid", MANAGEMENT)
    with handshakes_in_moto(service, account_id=MANAGEMENT if named_by == "argument" else None):
        described = boto3.client("organizations", region_name="us-east-1").describe_organization()
    assert described["Organization"]["MasterAccountId"] == MANAGEMENT
