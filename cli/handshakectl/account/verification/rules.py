"""The deployed rules on recorded events, by EventBridge's own word: each must match its own, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from handshakectl.account.checks.finding import Wrong
from handshakectl.account.deployment import Deployment
from handshakectl.failures import attempt
from handshakectl.names import NAME, PREFIX
from handshakectl.output import plural

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

Event = dict[str, Any]

DEFAULT: Final = "default"
SOMEBODY_ELSE: Final = f"{NAME}-somebody-else"
"""The rule that an alarm watches; it is there unless the setting `alarms` leaves it out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A recorded event, or one that differs from it in one thing."""

    name: str
    event: Event
    wakes: tuple[str, ...] = ()
    """The buses on which one rule, and no other, wakes the function for it."""
    somebody_else: bool = False
    """Whether the alarm's rule matches it."""


def recorded(prefix: str = PREFIX) -> dict[str, Event]:
    """The recorded events, by name, with the parameters of this prefix."""
    text = files(__package__).joinpath("samples.json").read_text("utf-8")
    found: dict[str, Event] = json.loads(text.replace(PREFIX, prefix))
    return found


def samples(prefix: str, role_session: str) -> Iterator[Sample]:
    """What is tried. `role_session` is the ARN of a session of the function's role, whose answers are nobody else's."""
    seen = recorded(prefix)
    hint, record, accept = seen["hint"], seen["record"], seen["accept"]
    changed = seen["parameter changed"]
    refusal = {"errorCode": "DuplicateHandshakeException", "responseElements": None}
    own = {"userIdentity": accept["detail"]["userIdentity"] | {"arn": role_session}}
    yield Sample("a hint of the relay", hint, (NAME,))
    yield Sample("a hint from a stranger's source", hint | {"source": "com.example.stranger"})
    yield Sample("a hint of another detail type", hint | {"detail-type": "Something Else"})
    yield Sample("a hint that names no handshake", hint | {"detail": {"action": "INVITE"}})
    yield Sample("a hint at what is no handshake's id", _with(hint, handshake_id="x-examplehandshakeid111"))
    yield Sample("the record of an invitation", record, (DEFAULT, NAME))
    yield Sample("the record of a refused call", _with(record, **refusal))
    yield Sample("a record with an error code", _with(record, errorCode="DuplicateHandshakeException"))
    yield Sample("the record of a call that creates no handshake", _with(record, eventName="CancelHandshake"))
    yield Sample("such a record from a stranger's source", record | {"source": "com.example.stranger"})
    yield Sample("a parameter of the policy that changed", changed, (DEFAULT,))
    yield Sample("a label on the mode", seen["parameter labelled"], (DEFAULT,))
    yield Sample("a parameter of somebody else that changed", _with(changed, name="/another-project/mode"))
    yield Sample("the record of an accept by somebody else", accept, somebody_else=True)
    yield Sample("the record of an accept by the function", _with(accept, **own))
    yield Sample("the record of an accept that was refused", _with(accept, **refusal))


def _with(event: Event, **detail: Any) -> Event:
    return event | {"detail": event["detail"] | detail}


class Rules:
    """The check of the rules."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._events: EventBridgeClient = deployed.aws.client("events")

    def rules(self) -> str:
        """Asks EventBridge of each deployed rule whether it matches each sample."""
        caller = self._deployed.caller
        session = f"arn:{caller.partition}:sts::{caller.account_id}:assumed-role/{NAME}/{NAME}"
        tried = list(samples(self._deployed.prefix, session))
        patterns = {
            bus: {name: rule["EventPattern"] for name, rule in self._deployed.rules_on(bus)} for bus in (DEFAULT, NAME)
        }
        wrong = [f"no rule on the bus {bus} wakes the function" for bus, found in patterns.items() if not found]
        for bus, found in patterns.items():
            wrong += [text for sample in tried for text in self._mistakes(bus, found, sample)]
        watch = attempt(lambda: self._events.describe_rule(Name=SOMEBODY_ELSE), "ResourceNotFoundException")
        if watch is not None:
            for sample in tried:
                if self._matches(watch["EventPattern"], sample.event) is not sample.somebody_else:
                    wrong.append(f"{SOMEBODY_ELSE} {_says(not sample.somebody_else)} {sample.name}")
        if wrong:
            raise Wrong("; ".join(wrong), "compare the rule's pattern with the template's, then deploy again")
        count = sum(map(len, patterns.values())) + (watch is not None)
        return f"{plural(count, 'rule')} on {plural(len(tried), 'event')}, each as it should"

    def _mistakes(self, bus: str, patterns: dict[str, str], sample: Sample) -> Iterable[str]:
        if not patterns:
            return
        matching = [name for name, pattern in patterns.items() if self._matches(pattern, sample.event)]
        if bus not in sample.wakes:
            yield from (f"{name} on the bus {bus} {_says(True)} {sample.name}" for name in matching)
        elif not matching:
            yield f"no rule on the bus {bus} matches {sample.name}"
        elif len(matching) > 1:
            yield f"{' and '.join(matching)} on the bus {bus} both match {sample.name}"

    def _matches(self, pattern: str, event: Event) -> bool:
        return self._events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]


def _says(matches: bool) -> str:
    return "matches" if matches else "does not match"
