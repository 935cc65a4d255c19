"""What wakes the function, and what it is told: the rules are run on recorded events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handshake_acceptor.trigger import Trigger, TriggerKind
from handshake_acceptor_cdk.names import NAME, RECORD_DETAIL_TYPE, RECORD_SOURCE
from handshake_relay.hint import from_record
from handshakectl.account.verification import rules as verified
from handshakectl.account.verification.bus import RECORD
from tests.support.rules import CUSTOM, DEFAULT, matches, recorded, told
from tests.support.synthesis import Deployed


def hint() -> dict[str, Any]:
    """The relay's hint, as EventBridge delivers it."""
    sent = from_record(recorded("invite-account"))
    assert sent
    entry = sent.entry("handshake-acceptor")
    return {
        "version": "0",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": "111111111111",
        "time": "2026-11-20T21:41:18Z",
        "detail": json.loads(entry["Detail"]),
    }


INVITED = {
    "source": "aws.organizations",
    "time": "2026-11-20T21:41:17Z",
    "event_name": "InviteAccountToOrganization",
    "handshake_id": "h-examplehandshakeid111",
}
OWN_CALL = {name: value for name, value in INVITED.items() if name != "handshake_id"}
"""Of a call by this account itself: what it invites is not its own to answer, and a hint at it would fail the run."""
HINTED = {
    "source": "handshake-acceptor.relay",
    "time": "2026-11-20T21:41:18Z",
    "event_name": "Handshake Hint",
    "handshake_id": "h-examplehandshakeid111",
}
CHANGED = {
    "source": "aws.ssm",
    "time": "2026-11-20T22:00:00Z",
    "event_name": "Parameter Store Change",
    "parameter_name": "/handshake-acceptor/policy/allowlist",
}


@pytest.mark.parametrize(
    ("bus", "event", "expected"),
    [
        (DEFAULT, recorded("invite-account"), OWN_CALL),
        (CUSTOM, recorded("invite-account"), INVITED),
        (CUSTOM, recorded("05c-record-inviter-is-a-party", "field"), INVITED),
        (CUSTOM, recorded("invite-email"), INVITED),
        (
            DEFAULT,
            recorded("invite-account", eventName="EnableAllFeatures"),
            OWN_CALL | {"event_name": "EnableAllFeatures"},
        ),
        (
            CUSTOM,
            recorded("invite-account", eventName="InviteOrganizationToTransferResponsibility"),
            INVITED | {"event_name": "InviteOrganizationToTransferResponsibility"},
        ),
        (CUSTOM, hint(), HINTED),
        (DEFAULT, recorded("policy-parameter-changed"), CHANGED),
        (
            DEFAULT,
            recorded("policy-parameter-changed", name="/handshake-acceptor/mode"),
            CHANGED | {"parameter_name": "/handshake-acceptor/mode"},
        ),
    ],
)
def test_the_function_is_told_these_few_fields_once(
    deployed: Deployed, bus: str, event: dict[str, Any], expected: dict[str, str]
) -> None:
    """So neither an e-mail address nor a note, both of which the records have, ever reaches the function."""
    assert told(deployed, bus, event) == [expected]


@pytest.mark.parametrize(
    ("bus", "event"),
    [
        (DEFAULT, recorded("invite-refused")),
        (CUSTOM, recorded("invite-refused")),
        (DEFAULT, recorded("19-duplicate-invite-record", "field")),
        (CUSTOM, recorded("19-duplicate-invite-record", "field")),
        (DEFAULT, recorded("accept-by-someone-else")),
        (CUSTOM, recorded("accept-by-someone-else")),
        (DEFAULT, recorded("invite-account", eventName="ListHandshakesForAccount")),
        (DEFAULT, recorded("invite-account", responseElements=None)),
        (DEFAULT, recorded("invite-account", responseElements={"handshake": {"id": {"an": "object"}}})),
        (DEFAULT, recorded("invite-account") | {"source": "example.organizations"}),
        (DEFAULT, hint()),
        (CUSTOM, hint() | {"detail-type": "Something Else"}),
        (CUSTOM, hint() | {"detail": {}}),
        (DEFAULT, recorded("policy-parameter-changed", name="/handshake-acceptor-of-others/policy")),
        (DEFAULT, recorded("policy-parameter-changed", name="/other/handshake-acceptor/mode")),
        (CUSTOM, recorded("policy-parameter-changed")),
    ],
)
def test_nothing_else_wakes_the_function(deployed: Deployed, bus: str, event: dict[str, Any]) -> None:
    assert told(deployed, bus, event) == []


@pytest.mark.parametrize(
    ("bus", "event", "kind", "handshake_id"),
    [
        (CUSTOM, recorded("invite-account"), TriggerKind.HINT, "h-examplehandshakeid111"),
        (DEFAULT, recorded("invite-account"), TriggerKind.HINT, ""),
        (CUSTOM, hint(), TriggerKind.HINT, "h-examplehandshakeid111"),
        (DEFAULT, recorded("policy-parameter-changed"), TriggerKind.POLICY_CHANGED, ""),
    ],
)
def test_the_function_understands_what_it_is_told(
    deployed: Deployed, bus: str, event: dict[str, Any], kind: TriggerKind, handshake_id: str
) -> None:
    (input_,) = told(deployed, bus, event)
    trigger = Trigger.from_event(input_)
    assert isinstance(trigger, Trigger)
    assert (trigger.kind, trigger.handshake_id) == (kind, handshake_id)
    assert trigger.sent_at is not None


def test_the_sweep_says_that_it_is_one_and_when(deployed: Deployed) -> None:
    schedule = deployed.only("AWS::Scheduler::Schedule")
    assert json.loads(schedule["Target"]["Input"]) == {
        "source": "aws.scheduler",
        "event_name": "Scheduled Event",
        "time": "<aws.scheduler.scheduled-time>",
    }
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    input_ = schedule["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-20T22:05:00Z")
    assert Trigger.from_event(json.loads(input_)).kind is TriggerKind.SWEEP


def test_every_input_transformer_quotes_nothing(deployed: Deployed) -> None:
    """EventBridge quotes a text by itself; quotes of the template's own would make it no JSON."""
    for rule in deployed.wake_up_rules().values():
        assert '"<' not in rule["Targets"][0]["InputTransformer"]["InputTemplate"]


def test_what_verify_tries_the_deployed_rules_with_is_what_they_are_for(deployed: Deployed) -> None:
    rules = deployed.wake_up_rules().values()
    for sample in verified.samples("/handshake-acceptor/", "arn:aws:sts::222222222222:assumed-role/other/session"):
        for bus, name in ((DEFAULT, verified.DEFAULT), (CUSTOM, NAME)):
            matching = [
                rule for rule in rules if rule.get("EventBusName", DEFAULT) == bus and matches(rule, sample.event)
            ]
            assert len(matching) == (name in sample.wakes), (bus, sample.name)


def test_verify_has_the_recorded_events_and_knows_what_the_bus_admits() -> None:
    events = verified.recorded()
    assert events["record"] == recorded("invite-account")
    assert events["accept"] == recorded("accept-by-someone-else")
    assert events["parameter changed"] == recorded("policy-parameter-changed")
    assert events["hint"]["detail"] == hint()["detail"]
    assert (RECORD_SOURCE, RECORD_DETAIL_TYPE) == RECORD
