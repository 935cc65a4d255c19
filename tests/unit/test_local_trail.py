"""What the embedded AWS records of a call, beside what CloudTrail recorded of the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.service import aws_json, cloudtrail
from local.service.handshake_service import HandshakeService

EVENTS = Path(__file__).parent.parent / "events"
NOW = datetime(2026, 11, 20, 21, 41, 16, tzinfo=UTC)
MANAGEMENT = "111111111111"
NOTES = "This is a request for Mary's account to join Diego's organization."
ACCOUNT = {"Target": {"Type": "ACCOUNT", "Id": "222222222222"}, "Notes": NOTES}
EMAIL = {"Target": {"Type": "EMAIL", "Id": "mary@example.com"}}


def recorded(request: dict[str, Any]) -> dict[str, Any]:
    service = HandshakeService(lambda: NOW)
    service.add_organization("o-exampleorgid", MANAGEMENT)
    service.choose_ids("h-examplehandshakeid111")
    operation = "InviteAccountToOrganization"
    status, _, body = aws_json.answer(service, operation, MANAGEMENT, request)
    assert status == 200
    caller = f"arn:aws:iam::{MANAGEMENT}:user/diego"
    return cloudtrail.record(operation, MANAGEMENT, caller, request, json.loads(body), NOW)


@pytest.mark.parametrize(("request_", "file"), [(ACCOUNT, "invite-account"), (EMAIL, "invite-email")])
def test_a_record_is_what_cloudtrail_recorded(request_: dict[str, Any], file: str) -> None:
    ours = recorded(request_)
    theirs = json.loads((EVENTS / f"{file}.json").read_text())["detail"]
    assert ours.keys() < theirs.keys(), "it leaves out what nothing here reads: request ids, addresses, agents"
    # The sample of the e-mail invitation shows a note in the answer that its request does not have.
    assert without_notes(ours["responseElements"]) == without_notes(theirs["responseElements"])
    assert ours["requestParameters"] == theirs["requestParameters"]
    same = ours.keys() - {"userIdentity", "eventTime", "responseElements", "requestParameters"}
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
    assert ours["userIdentity"]["arn"] == theirs["userIdentity"]["arn"]


def without_notes(answer: dict[str, Any]) -> dict[str, Any]:
    handshake = answer["handshake"]
    return handshake | {"resources": [each for each in handshake["resources"] if each["type"] != "NOTES"]}


def test_times_are_written_for_people() -> None:
    for hour, said in ((0, "12:05:09 AM"), (12, "12:05:09 PM"), (13, "1:05:09 PM")):
        moment = datetime(2026, 2, 3, hour, 5, 9, tzinfo=UTC).timestamp()
        shown = cloudtrail.record(
            "AcceptHandshake", MANAGEMENT, "x", {}, {"Handshake": {"RequestedTimestamp": moment}}, NOW
        )
        assert shown["responseElements"]["handshake"]["requestedTimestamp"] == f"Feb 3, 2026 {said}"
