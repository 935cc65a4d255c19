from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handshake_acceptor.trigger import Trigger
from handshake_relay.hint import Hint, from_record

TESTS = Path(__file__).parent.parent


def recorded(name: str, folder: str = "events") -> dict[str, Any]:
    event: dict[str, Any] = json.loads((TESTS / folder / f"{name}.json").read_text())
    return event


def test_an_invitation_becomes_a_hint_for_the_invited_account() -> None:
    hint = Hint("222222222222", "h-examplehandshakeid111", "INVITE", "2026-11-20T21:41:17Z")
    assert from_record(recorded("invite-account")) == hint


def test_the_inviter_among_the_parties_is_the_sender_and_is_sent_no_hint() -> None:
    hint = from_record(recorded("05c-record-inviter-is-a-party", "field"))
    assert hint == Hint("222222222222", "h-examplehandshakeid111", "INVITE", "2026-11-20T21:41:17Z")


def test_an_invitation_by_email_cannot_be_addressed() -> None:
    hint = from_record(recorded("invite-email"))
    assert hint is not None
    assert hint.account_id == ""


def test_a_refused_call_gives_no_hint() -> None:
    assert from_record(recorded("invite-refused")) is None
    assert from_record(recorded("19-duplicate-invite-record", "field")) is None


def test_a_refused_call_gives_no_hint_whatever_else_its_record_says() -> None:
    event = recorded("invite-account")
    assert from_record(event) is not None
    event["detail"]["errorCode"] = "DuplicateHandshakeException"
    assert from_record(event) is None


@pytest.mark.parametrize("event", [{}, {"detail": None}, {"detail": {"responseElements": {"handshake": {"id": "x"}}}}])
def test_a_record_without_a_handshake_gives_no_hint(event: dict[str, Any]) -> None:
    assert from_record(event) is None


def test_an_entry_carries_no_personal_data_and_the_acceptor_understands_it() -> None:
    hint = from_record(recorded("invite-account"))
    assert hint is not None
    entry = hint.entry("handshake-acceptor")
    assert not any(word in json.dumps(entry) for word in ("@", "diego", "Mary", "request for"))
    event = {"source": entry["Source"], "detail": json.loads(entry["Detail"])}
    assert Trigger.from_event(event).handshake_id == "h-examplehandshakeid111"
