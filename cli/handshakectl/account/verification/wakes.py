"""What wakes the function, each tried for real and found again in its log: a hint, a policy change, a sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from handshake_acceptor.observed import NOT_SEEN
from handshake_acceptor.reporting.record import Outcome
from handshake_acceptor.trigger import TriggerKind
from handshake_core import retry
from handshake_relay import hint
from handshakectl.account.checks.finding import Unclear, Wrong
from handshakectl.account.deployment import Deployment
from handshakectl.account.verification.proof import lacks
from handshakectl.clock import clock
from handshakectl.failures import DENIED, error_code, explained
from handshakectl.names import NAME
from handshakectl.policy.parameters import Parameters, read

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_ssm import SSMClient

T = TypeVar("T")

_EVERY_SECONDS = 5.0
_SOON_SECONDS = 300.0
_LOOKED_BACK = timedelta(hours=1)
_AGE = timedelta(hours=1)
"""Of the made-up hint: an old one names a handshake that is not coming, so that the run does not fail for it."""
_QUIET = timedelta(minutes=2)
"""How long nobody must have written the policy: what that wakes comes within seconds, and is not to pass for ours."""
_MOST_READINGS = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait for something to show in the log, and how long."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    seconds: float

    @property
    def soon(self) -> float:
        """How many seconds to wait for what takes seconds as a rule."""
        return min(self.seconds, _SOON_SECONDS)

    def until(self, look: Callable[[], T | None], seconds: float | None = None) -> T | None:
        """What the look finds, so many seconds from now at the latest, or soon; None if there is nothing."""
        end = self.now() + timedelta(seconds=self.soon if seconds is None else seconds)
        while (found := look()) is None and self.now() < end:
            self.sleep(_EVERY_SECONDS)
        return found


def made_up(name: str, at: datetime, bus: str) -> dict[str, Any]:
    """The entry of PutEvents for a hint at a handshake that does not exist, for a bus by name or ARN."""
    detail = {"handshake_id": name, "action": "INVITE", "created_at": at.isoformat(timespec="seconds")}
    return {
        "Source": hint.SOURCE,
        "DetailType": hint.DETAIL_TYPE,
        "Detail": json.dumps(detail),
        "Time": at,
        "EventBusName": bus,
    }


class Wakes:
    """The checks of what wakes the function."""

    def __init__(self, deployed: Deployment, patience: Patience, name: Callable[[], str]) -> None:
        """`name` gives each time other letters and digits, which no handshake and no label has."""
        self._deployed = deployed
        self._patience = patience
        self._name = name
        self._began = patience.now()

    def hint(self) -> str:
        """Sends a hint at a handshake that does not exist, and looks for the run that it wakes."""
        handshake_id, sent_at = f"h-{self._name()}", self._patience.now()
        events: EventBridgeClient = self._deployed.aws.client("events")
        entry: Any = made_up(handshake_id, sent_at - _AGE, NAME)
        [answer] = events.put_events(Entries=[entry])["Entries"]
        if code := answer.get("ErrorCode"):
            if code in DENIED:
                raise Unclear(f"EventBridge refuses the hint: {code}", lacks("PutEvents"))
            raise Wrong(f"EventBridge refuses the hint: {code}", "look at the bus, then deploy again")
        record = self._patience.until(lambda: self.told_of(handshake_id))
        if record is None:
            why = f"no run within {self._patience.soon:.0f} s says anything of {handshake_id}"
            raise Wrong(why, "look at the rules of the hint bus and their targets, and at the failure queue")
        codes = {reason.get("code") for reason in record.get("reasons") or ()}
        if record.get("trigger") != TriggerKind.HINT:
            why = f"its run says trigger {record.get('trigger')}: the source did not travel"
            raise Wrong(why, "compare the rule's input transformer with the template, then deploy again")
        if record.get("outcome") == Outcome.RETRY_LATER:
            if NOT_SEEN in codes:
                why = "its run took an hour-old hint for a young one, and failed: it was told another time"
                raise Wrong(why, "compare the rule's input transformer with the template, then deploy again")
            raise Unclear(f"its run could not look: {', '.join(sorted(map(str, codes)))}", "try again in some minutes")
        seen = ", ".join(str(reason["seen"]) for reason in record.get("reasons") or () if reason.get("seen"))
        return f"{handshake_id} was looked for; AWS says of it: {seen or 'nothing'}"

    def told_of(self, handshake_id: str) -> dict[str, Any] | None:
        """What the log says of a handshake that was hinted at within the hour; None if nothing."""
        pattern = f'{{ $.handshake_id = "{handshake_id}" }}'
        since = self._patience.now() - _LOOKED_BACK
        records = self._deployed.records(since, "decision", pattern=pattern)
        return next((record for _, record in records if record.get("handshake_id") == handshake_id), None)

    def policy_change(self) -> str:
        """Puts a label on the version of `mode` that stands, looks for the run that it wakes, and takes it off again.

        A label changes no value, so that it cannot race with a brake, and is told as a change is: the operation
        `LabelParameterVersion` of the event "Parameter Store Change"
        (https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html).
        """
        seen = self._quiet()
        name = f"{self._deployed.prefix}mode"
        if name not in seen.raw:
            raise Unclear(f"{name} is not there, so that nothing can be labelled", "deploy: cdk deploy")
        version, label = seen.raw[name]["Version"], f"handshakectl-verify-{self._name()}"
        known = self._woken(TriggerKind.POLICY_CHANGED, self._patience.now() - _LOOKED_BACK)
        with self._labelled(name, version, label):
            woken = self._patience.until(
                lambda: self._woken(TriggerKind.POLICY_CHANGED, self._patience.now() - _LOOKED_BACK) - known or None
            )
        if self._versions(self._read()) != self._versions(seen):
            raise Unclear("somebody wrote the policy meanwhile, which wakes the function too", "try again")
        if woken is None:
            why = f"a label on {name}, version {version}, woke no run within {self._patience.soon:.0f} s"
            advice = "such events are sent by best effort: try again; then look at the rule on the default bus"
            raise Wrong(why, advice)
        return f"a label on {name}, version {version}, woke a run, and is off again"

    @contextmanager
    def _labelled(self, name: str, version: int, label: str) -> Iterator[None]:
        """A label that is taken off again whatever happens. Raises `Unclear` if it may be there still."""
        ssm: SSMClient = self._deployed.aws.client("ssm")
        put = True
        try:
            ssm.label_parameter_version(Name=name, ParameterVersion=version, Labels=[label])
            yield
        except ClientError as error:
            put = error.operation_name != "LabelParameterVersion" or error_code(error) not in DENIED
            raise
        finally:
            if put:
                self._unlabel(ssm, name, version, label)

    def _unlabel(self, ssm: SSMClient, name: str, version: int, label: str) -> None:
        try:
            ssm.unlabel_parameter_version(Name=name, ParameterVersion=version, Labels=[label])
        except retry.CALL_FAILURES as error:
            command = f"aws ssm unlabel-parameter-version --name {name} --parameter-version {version} --labels {label}"
            missing = isinstance(error, ClientError) and error_code(error) in DENIED
            needed = f"{lacks('UnlabelParameterVersion')}; " if missing else ""
            raise Unclear(f"{explained(error)}; the label may be there still", f"{needed}{command}") from error

    def _quiet(self) -> Parameters:
        """The policy's parameters, once nobody wrote them for a while. Raises `Unclear` if somebody always does."""
        for _ in range(_MOST_READINGS):
            seen = self._read()
            dates = [each["LastModifiedDate"] for each in seen.raw.values() if "LastModifiedDate" in each]
            rest = max((date + _QUIET - self._patience.now() for date in dates), default=timedelta(0))
            if rest <= timedelta(0):
                return seen
            self._patience.sleep(rest.total_seconds())
        raise Unclear("somebody writes the policy all the time, which wakes the function too", "try again later")

    def _read(self) -> Parameters:
        return read(self._deployed.aws.client("ssm"), clock(), self._deployed.prefix)

    @staticmethod
    def _versions(parameters: Parameters) -> dict[str, Any]:
        return {name: raw.get("Version") for name, raw in parameters.raw.items()}

    def sweep(self) -> str:
        """Waits for the next sweep."""
        schedule, period = self._deployed.schedule, self._deployed.period
        if schedule["State"] != "ENABLED":
            raise Wrong("the sweep is disabled", "enable it in Scheduler")
        needed = 2 * period.total_seconds() + 60
        waited = min(self._patience.seconds, needed)
        woken = self._patience.until(lambda: self._woken(TriggerKind.SWEEP, self._began) or None, waited)
        if woken:
            return f"{NAME}-sweep, {schedule['ScheduleExpression']}, woke a run"
        if waited < needed:
            raise Unclear(f"no sweep within {waited:.0f} s; it may take {needed:.0f}", "give --wait more minutes")
        raise Wrong(f"no sweep within {waited:.0f} s", "look at the schedule's role and its target, and deploy again")

    def _woken(self, trigger: TriggerKind, since: datetime) -> frozenset[tuple[int, str]]:
        """The runs since then that say this of what woke them."""
        records = self._deployed.records(since, "run", pattern=f'{{ $.trigger = "{trigger.value}" }}')
        return frozenset(
            (at, str(record.get("function_request_id"))) for at, record in records if record.get("trigger") == trigger
        )
