"""A world as slow and as unkind as AWS: every call takes its time and may fail, people and other runs do not wait.

Everything comes from a seed. Every call may take 0 to 14 s and has its effect somewhere within; meanwhile people edit
policy, mode and handshakes, and other whole runs go on. The judge (`judge.py`) shares nothing with the reconcile.
`python -m tests.faults.fault_world --runs 10000 --seed 0` prints the matrix of operation by fault.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, partial
from typing import Any, NamedTuple, NoReturn

import botocore.session
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import create_parser

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Memory, Reconcile
from handshake_acceptor.reporting.record import Record, Report
from handshake_acceptor.state import StateReader
from handshake_acceptor.sweeps.memory import SweepMemory
from handshake_acceptor.sweeps.polite import PoliteSweeps
from handshake_acceptor.trigger import Trigger
from handshake_core.retry import Clock
from local.service.handshake_service import ServiceError
from local.service.shapes import shown
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    START,
    World,
    allow,
    client_error,
    deny,
    document,
)
from tests.faults.judge import NOWHERE, Account, Evidence, History, Moment, PagedParameters, State, verdict
from tests.faults.virtual_time import Beside, Process, Time

Json = dict[str, Any]

OPERATIONS = (
    "ListHandshakesForAccount",
    "DescribeHandshake",
    "DescribeOrganization",
    "AcceptHandshake",
    "DeclineHandshake",
    "GetParametersByPath",
)
_LISTS = {"ListHandshakesForAccount": "Handshakes", "GetParametersByPath": "Parameters"}
_LEADS_TO = {"AcceptHandshake": "ACCEPTED", "DeclineHandshake": "DECLINED"}
_CHANGES = frozenset(_LEADS_TO)
NOT_IN_USE = "AWSOrganizationsNotInUseException"
MOST_RUNS = 3
"""At the same time."""
MOST_OTHERS = 6
"""In one world."""
MOST_EDITS = 60
"""In one world."""
MOST_CALLS = 10_000
"""In one run."""
MOST_SWEEPS = 26
"""Until the last two looks: two hours and some minutes."""
SHORTEST_CALL = 0.001
"""Seconds. No call takes no time: what came first could not be told from times."""
LONGEST_CALL = 18.0
"""Seconds: 3 to connect, 15 to read."""


class Kind(StrEnum):
    """A way in which a call goes wrong; `after`: it has had its effect all the same."""

    THROTTLED = "throttled"
    CONCURRENT = "concurrent modification"
    SERVER_BEFORE = "5xx before"
    SERVER_AFTER = "5xx after"
    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect timeout"
    READ_TIMEOUT_BEFORE = "read timeout before"
    READ_TIMEOUT_AFTER = "read timeout after"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    SLOW = "slow"
    MALFORMED = "malformed"
    NOT_JSON = "not JSON"
    OTHER_ANSWER = "another handshake's answer"
    EMPTY_PAGE = "empty page"
    REPEATED_PAGE = "repeated page"


def applies(operation: str, kind: Kind) -> bool:
    """Whether AWS could do that there and the caller could notice."""
    if kind in (Kind.EMPTY_PAGE, Kind.REPEATED_PAGE):
        return operation in _LISTS
    # A well-formed lie about the account or the policy cannot be told from the truth.
    return kind is not Kind.OTHER_ANSWER or operation not in ("DescribeOrganization", "GetParametersByPath")


PAIRS = [(operation, kind) for operation in OPERATIONS for kind in Kind if applies(operation, kind)]


@dataclass
class Fault:
    """One way to fail for one operation: `share` of the calls, `times` at most."""

    operation: str
    kind: Kind
    share: float = 1.0
    times: int = 10**6


class Killed(BaseException):
    """The process ends here. Nothing catches this, as nothing catches SIGKILL."""


class Wrong(AssertionError):
    """Something that must never happen."""


@dataclass
class Environment:
    """One process of the function, and what it keeps from run to run; one that is killed takes it along."""

    memory: Memory = field(default_factory=Memory)
    sweeps: SweepMemory = field(default_factory=SweepMemory)
    sent: set[str] = field(default_factory=set)
    """What runs of this process have sent: the judge's, not the function's."""
    taken: dict[str, str] = field(default_factory=dict)
    """What AWS took of that, by handshake id, and the state that it leads to, at once or later."""
    told: set[tuple[str, str]] = field(default_factory=set)
    """(handshake id, outcome) of every record."""


@dataclass
class Frame:
    """One run, as the judge saw it."""

    deadline: datetime
    environment: Environment
    evidence: Evidence = field(default_factory=Evidence)
    sent: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    """Whose accept or decline was not answered, or answered without being over."""
    accepting: set[str] = field(default_factory=set)
    """The same, accepts alone."""
    effects: Counter[str] = field(default_factory=Counter)
    records: list[Record] = field(default_factory=list)
    helpers: list[Process] = field(default_factory=list)
    """What the run does beside itself."""
    calls: int = 0
    kill_at: int = -1
    steps: int = 0
    killed: bool = False


class Client:
    """Either client, as the run sees it: every call goes through the world's faults and the judge."""

    def __init__(self, perform: Callable[[str, Json], Json]) -> None:
        self._perform = perform

    def __getattr__(self, name: str) -> Callable[..., Json]:
        operation = "".join(part.capitalize() for part in name.split("_"))
        return lambda **request: self._perform(operation, request)


class FaultWorld(World):
    """`World` with slow calls, faults, people and other runs that do things meanwhile, kill points, and a judge."""

    def __init__(self, seed: int) -> None:
        self.time = Time(START)
        self.history = History()
        super().__init__()
        self.parameters: PagedParameters = PagedParameters(lambda: self.now)
        self.parameters.values[f"{PREFIX}mode"] = "enforce"
        self.parameters.values.noted = self.note
        self.dice = random.Random(seed)
        self.service._new_id = lambda prefix: f"{prefix}-{self.dice.getrandbits(80):020x}"
        self.pace: Callable[[str], float] = lambda operation: 0.0
        """How many seconds a call takes that nothing is wrong with."""
        self.faults: list[Fault] = []
        self.happenings: list[Callable[[], object]] = []
        self.unrest = 0.3, 0.1
        """How likely something happens during a wait, and during either half of a call."""
        self.injected: Counter[tuple[str, str]] = Counter()
        self.seen: Counter[str] = Counter()
        """What the matrix tells of a world besides its faults."""
        self.locked_out_once_joined = False
        self.organization_lags = timedelta(0)
        """How long DescribeOrganization goes on with the old answer after the account has joined."""
        self.kill_when: tuple[str, str] = "", ""
        """The operation at which to kill a run, and `before` it was sent or `after` its effect."""
        self.running: list[Frame] = []
        self.others: list[Process] = []
        self.idle: list[Environment] = []
        self.complaints: list[str] = []
        self.note()

    @property
    def now(self) -> datetime:  # type: ignore[override]
        return self.time.now

    @now.setter
    def now(self, now: datetime) -> None:
        self.time.wait((now - self.time.now).total_seconds())

    # What stands

    def note(self) -> None:
        """Something may have changed: from now on this stands."""
        self.service.handshakes()  # brings it up to date
        own = self.service.organization_of(MEMBER)
        account = Account(own.id, own.management_account_id) if own else NOWHERE
        self.history.note(State(self.now, self.parameters.values.parameters, account))

    def moment(self) -> Moment:
        """Now. What stands now has been noted."""
        return self.history.moment(self.now)

    # What a run is

    def run(self, event: object = None, kill_at: int = -1) -> Report:
        """One run of the function, from its beginning to its end. Raises `Killed`, or `Wrong`."""
        frame = Frame(self.now + timedelta(seconds=self.timeout), self.idle.pop() if self.idle else Environment())
        frame.kill_at = kill_at
        self.running.append(frame)
        try:
            report = self._whole_run(frame, Trigger.from_event({"source": "aws.scheduler"} if event is None else event))
        finally:
            self.running.remove(frame)
            for helper in frame.helpers:
                helper.ended = True  # whatever it is at, the process stands still now
        self.idle.append(frame.environment)
        if self.complaints:
            raise Wrong(self.complaints[0])  # somebody caught it
        return report

    def _whole_run(self, frame: Frame, trigger: Trigger) -> Report:
        clock, emit = self.clock_of(frame), partial(self._judge_record, frame)
        memory = frame.environment.memory
        store = PolicyStore(self.client_of(frame), clock, PREFIX)
        reader = Beside(partial(self._start_beside, frame))

        def look(organizations: Organizations) -> Report:
            states = StateReader(organizations, store, reader, clock, MEMBER, "aws")
            return Reconcile(organizations, states, clock, emit, memory).run(trigger)

        sweeps = PoliteSweeps(frame.environment.sweeps, self.client_of(frame), store, clock, MEMBER)
        report = sweeps.run(trigger, look, insists=bool(memory.unconfirmed))
        self._judge_stepping_back(frame, trigger, report)
        self._judge_report(frame, report, trigger.handshake_id)
        if self.now >= frame.deadline:
            self._wrong(f"cut off {self.now - frame.deadline} before its end")
        return report

    def _judge_stepping_back(self, frame: Frame, trigger: Trigger, report: Report) -> None:
        told = report.unlooked
        if told is None:
            return
        self.seen["skipped" if told.skipped else "gave up"] += 1
        if trigger.kind != "sweep" or frame.sent or report.records:
            self._wrong(f"a run for {trigger.kind} stepped back, and sent {frame.sent}")
        if told.skipped and report.failures:
            self._wrong(f"skipped, and failed: {report.failures}")

    def client_of(self, frame: Frame) -> Client:
        """What one run calls AWS with."""
        return Client(partial(self._perform, frame))

    def clock_of(self, frame: Frame) -> Clock:
        """The time of one run."""
        return Clock(
            now=lambda: self.now,
            remaining=lambda: (frame.deadline - self.now).total_seconds(),
            sleep=partial(self._sleep, frame),
            random=self.dice.random,
        )

    def _start_beside(self, frame: Frame, function: Callable[[], Any]) -> Process:
        process = self.time.start(function)
        frame.helpers.append(process)
        return process

    def _sleep(self, frame: Frame, seconds: float) -> None:
        self._step(frame)
        self._pass(seconds, self.unrest[0])

    def _step(self, frame: Frame, operation: str = "", when: str = "") -> None:
        """A point at which the run may be killed."""
        frame.steps += 1
        if frame.steps == frame.kill_at or (operation and (operation, when) == self.kill_when):
            frame.killed = True
        if frame.killed:
            raise Killed

    def run_beside(self, kill_at: int = -1) -> None:
        """Another whole run begins now, and goes on side by side with whatever goes on."""

        def whole() -> None:
            with suppress(Killed):
                self.run(kill_at=kill_at)

        if len(self.running) < MOST_RUNS and self.seen["other runs"] < MOST_OTHERS:
            self.seen["other runs"] += 1
            self.others.append(self.time.start(whole))

    def wait_for_others(self) -> None:
        """Until no other run goes on. Raises what one of them raised."""
        while self.others:
            self.others.pop().result()

    # What a call is

    def _perform(self, frame: Frame, operation: str, request: Json) -> Json:
        frame.calls += 1
        if frame.calls > MOST_CALLS:
            self._wrong(f"{MOST_CALLS} calls, and no end")
        self._step(frame, operation, "before")
        self.note()
        began = self.moment()
        if frame.deadline - self.now < timedelta(seconds=LONGEST_CALL):
            self._wrong(f"{operation} begins {(frame.deadline - self.now).total_seconds()} s before the deadline")
        if operation in _CHANGES:
            frame.sent[request["HandshakeId"]] += 1
            frame.environment.sent.add(request["HandshakeId"])
            self._judge_change(frame, operation, request["HandshakeId"], began)
        kind = self._fault(operation)
        seconds = self._duration(operation, kind)
        before = self.dice.random() * seconds
        self._pass(before, self.unrest[1])
        try:
            answer = self._answer(frame, operation, request, kind)
        except BaseException as error:  # noqa: BLE001 - it arrives later
            answer = error
        if operation in _CHANGES:
            self.note()
        self._step(frame, operation, "after")
        self._pass(seconds - before, self.unrest[1])
        return self._arrived(frame, operation, request, answer, began)

    def _arrived(
        self, frame: Frame, operation: str, request: Json, answer: Json | BaseException, began: Moment
    ) -> Json:
        """What comes back to the run, and what the judge learns from it."""
        if operation in _CHANGES and not _certainly_failed(answer):
            frame.lost.add(request["HandshakeId"])
            if operation == "AcceptHandshake":
                frame.accepting.add(request["HandshakeId"])
            frame.evidence.last_effect = self.moment()
        in_none = isinstance(answer, ClientError) and answer.response["Error"]["Code"] == NOT_IN_USE
        if operation == "DescribeOrganization" and (in_none or isinstance(answer, dict)):
            frame.evidence.account.answered(self.time.current, "", {}, began, self.moment())
        if isinstance(answer, BaseException):
            raise answer
        if operation == "ListHandshakesForAccount" and isinstance(answer.get("NextToken", ""), str):
            frame.evidence.handshakes.answered(
                self.time.current, request.get("NextToken", ""), answer, began, self.moment()
            )
        if operation == "GetParametersByPath" and _is_page_of_parameters(answer):
            frame.evidence.policy.answered(
                self.time.current, request.get("NextToken", ""), answer, began, self.moment()
            )
        return answer

    def _fault(self, operation: str) -> Kind | None:
        for fault in self.faults:
            if fault.operation == operation and fault.times and self.dice.random() < fault.share:
                fault.times -= 1
                self.injected[operation, fault.kind] += 1
                return fault.kind
        return None

    def _duration(self, operation: str, kind: Kind | None) -> float:
        match kind:
            case Kind.CONNECT_TIMEOUT:
                return 3.0
            case Kind.READ_TIMEOUT_BEFORE | Kind.READ_TIMEOUT_AFTER:
                return self.dice.choice([15.0, 18.0])
            case Kind.SLOW:
                return self.dice.uniform(1, 14)
        return max(self.pace(operation), SHORTEST_CALL)

    def _answer(self, frame: Frame, operation: str, request: Json, kind: Kind | None) -> Json:
        """The effect of a call, and its answer."""
        match kind:
            case Kind.THROTTLED:
                code = "ThrottlingException" if operation == "GetParametersByPath" else "TooManyRequestsException"
                raise client_error(code, operation)
            case Kind.CONCURRENT:
                raise client_error("ConcurrentModificationException", operation)
            case Kind.REFUSED:
                raise client_error("AccessDeniedException", operation)
            case Kind.SERVER_BEFORE:
                raise client_error("ServiceException", operation, status=500)
            case Kind.CONNECT_TIMEOUT:
                raise ConnectTimeoutError(endpoint_url="x")
            case Kind.READ_TIMEOUT_BEFORE:
                raise ReadTimeoutError(endpoint_url="x")
            case Kind.RESET_BEFORE:
                raise ConnectionClosedError(endpoint_url="x")
            case Kind.EMPTY_PAGE:
                return {_LISTS[operation]: [], "NextToken": f"empty{self.dice.random()}|{request.get('NextToken', '')}"}
            case Kind.MALFORMED | Kind.NOT_JSON | Kind.OTHER_ANSWER if self.dice.random() < 0.3:
                # Without the effect, as if something in between had answered.
                if operation in _CHANGES:
                    found = self.service.handshake(request["HandshakeId"])
                    answer: Json = {"Handshake": shown(found, self.service.settings)}
                    return self._spoilt(operation, answer, kind)
        answer = self._served(frame, operation, request)
        match kind:
            case Kind.SERVER_AFTER:
                raise client_error("SomethingNew", operation, status=503)
            case Kind.READ_TIMEOUT_AFTER:
                raise ReadTimeoutError(endpoint_url="x")
            case Kind.RESET_AFTER:
                raise ConnectionClosedError(endpoint_url="x")
            case Kind.MALFORMED | Kind.NOT_JSON | Kind.OTHER_ANSWER:
                return self._spoilt(operation, answer, kind)
            case Kind.REPEATED_PAGE:
                answer["NextToken"] = request.get("NextToken") or "empty0|"
        return answer

    def _served(self, frame: Frame, operation: str, request: Json) -> Json:
        if (request.get("NextToken") or "").startswith("empty"):
            request = request | {"NextToken": request["NextToken"].partition("|")[2]}
            request = {name: value for name, value in request.items() if value}
        if operation == "GetParametersByPath":
            return self.parameters.get_parameters_by_path(**request)
        if self.locked_out_once_joined and self.history.states[-1].account.organization == ORGANIZATION:
            raise client_error("AccessDeniedException", operation, message="... in a service control policy")
        caller = MEMBER
        if operation == "DescribeOrganization" and self.organization_lags and (joined_from := self._still_seen_in()):
            if joined_from == NOWHERE:
                raise client_error(NOT_IN_USE, operation)
            caller = joined_from.management
        before = self._effects() if operation == "AcceptHandshake" else Counter()
        try:
            answer = self.service.call(operation, caller, request)
        except ServiceError as error:
            raise client_error(error.code, operation, error.reason, error.status, error.message) from None
        else:
            if operation in _CHANGES:
                frame.environment.taken[request["HandshakeId"]] = _LEADS_TO[operation]
            return answer
        finally:
            if operation == "AcceptHandshake":
                frame.effects += self._effects() - before
                self.land_in_time()

    def _still_seen_in(self) -> Account | None:
        """Where the account was before it accepted the invitation that brought it here, for a while after."""
        here = self.history.states[-1].account
        arrived = [
            found.finished_at
            for found in self.service.handshakes()
            if found.state == "ACCEPTED" and found.action == "INVITE" and found.organization_id == here.organization
        ]
        arrived_at = max((at for at in arrived if at is not None), default=None)
        if here == NOWHERE or arrived_at is None or self.now - arrived_at >= self.organization_lags:
            return None
        return next(state.account for state in reversed(self.history.states) if state.account != here)

    def land_in_time(self) -> None:
        """What was answered before it has its effect changes the world at a time of its own."""
        for found in self.service.handshakes():
            if found.landing_at and found.landing_at > self.now:
                self.time.at((found.landing_at - self.now).total_seconds(), self.note)

    def _effects(self) -> Counter[str]:
        return Counter({found.id: found.accept_effects for found in self.service.handshakes()})

    def _pass(self, seconds: float, unrest: float) -> None:
        if self.happenings and self.running and self.seen["edits"] < MOST_EDITS and self.dice.random() < unrest:
            self.seen["edits"] += 1
            self.time.at(self.dice.random() * seconds, self.dice.choice(self.happenings))
        self.time.wait(seconds)

    def _spoilt(self, operation: str, answer: Json, kind: Kind) -> Json:
        """The answer as botocore's own parser gives what came over the wire."""
        answer = json.loads(json.dumps(answer, default=datetime.timestamp))
        text = json.dumps(answer)
        if kind is Kind.OTHER_ANSWER:
            others = [found for found in self.service.handshakes() if found.id != answer.get("Handshake", {}).get("Id")]
            others = [found for found in others if operation in _CHANGES or found.target.id != MEMBER] or others
            other = json.loads(json.dumps(shown(others[0], self.service.settings), default=datetime.timestamp))
            if operation in _LISTS:
                if others[0].target.id == "999999999999":
                    answer[_LISTS[operation]].insert(0, other)
            else:
                answer = {"Handshake": other}
            text = json.dumps(answer)
        elif kind is Kind.NOT_JSON:
            text = self.dice.choice(["", "null", "[]", '"x"', "7", "<html>502</html>", text[: len(text) // 2], "{}"])
        else:
            text = json.dumps(_mutated(answer, self.dice))
        return parsed(operation, text.encode())

    # What the judge knows

    def _wrong(self, text: str) -> NoReturn:
        self.complaints.append(text)
        raise Wrong(text)

    def verdict(self, handshake_id: str) -> str:
        """What the policy says now of a handshake as it truly is, for the account as it truly is."""
        self.note()
        found = self.service.handshake(handshake_id)
        _, parameters, account = self.history.states[-1]
        return verdict(parameters, shown(found, self.service.settings), account, self.now)

    def _judge_change(self, frame: Frame, operation: str, handshake_id: str, now: Moment) -> None:
        self.seen["sent"] += 1
        found = self.service.handshake(handshake_id)
        raw = shown(found, self.service.settings)
        finished_at = found.finished_at

        def pends(moment: Moment) -> bool:
            return finished_at is None or finished_at >= moment.at

        if complaint := frame.evidence.complaint(operation, raw, pends, now, self.history):
            self._wrong(f"{operation}: {complaint}")
        known = {each.id: each for each in self.service.handshakes()}
        moving = [each for each in frame.accepting if known[each].action == "INVITE" and known[each].state == "OPEN"]
        if operation == "DeclineHandshake" and moving:
            self._wrong(f"an accept that was sent may yet move the account, and {handshake_id} is declined")

    def _judge_record(self, frame: Frame, record: Record) -> None:
        frame.records.append(record)
        handshake_id, outcome = record.handshake.id, record.outcome.value
        frame.environment.told.add((handshake_id, outcome))
        known = {found.id: found for found in self.service.handshakes()}
        found = known.get(handshake_id)
        state = found.state.value if found else "NONE"
        told = f"{record.as_dict()}; it is {state}"
        if record.attempts != frame.sent[handshake_id]:
            self._wrong(f"{frame.sent[handshake_id]} calls were sent: {told}")
        if len(set(record.reasons)) < len(record.reasons):
            self._wrong(f"a reason is given twice: {told}")
        claims = {"ACCEPTED": "ACCEPTED", "ALREADY_ACCEPTED": "ACCEPTED", "DECLINED": "DECLINED"}
        if state != claims.get(outcome, state):
            self._wrong(told)
        if outcome in ("ACCEPTED", "DECLINED", "ACCEPT_UNCONFIRMED") and handshake_id not in frame.environment.sent:
            self._wrong(f"nothing was sent: {told}")
        if outcome == "ACCEPTED" and record.attempts and record.decision.kind.value != "ACCEPT":
            self._wrong(told)
        may_come = handshake_id in frame.lost and state in ("OPEN", "REQUESTED")
        declines = record.decision.kind.value == "DECLINE"
        if may_come and outcome not in (("RETRY_LATER",) if declines else ("ACCEPT_UNCONFIRMED",)):
            self._wrong(f"what was sent may still have its effect: {told}")
        if state == "ACCEPTED" and outcome in ("LEFT_PENDING", "OBSERVED", "DECLINED") and frame.effects[handshake_id]:
            self._wrong(told)

    def _judge_report(self, frame: Frame, report: Report, hinted: str) -> None:
        if list(report.records) != frame.records:
            self._wrong("not every record was emitted")
        ids = [record.handshake.id for record in report.records if record.handshake.id]
        if len(ids) != len(set(ids)):
            self._wrong(f"a handshake has two records: {ids}")
        if hinted and hinted not in ids:
            self._wrong("the hint got no answer")
        if silent := set(frame.sent) - set(ids):
            self._wrong(f"nothing is told of what was sent: {silent}")
        told = {reason.code for record in report.records for reason in record.reasons}
        told |= {record.outcome.value for record in report.records}
        if unsettled := told & {"ACCEPT_UNCONFIRMED", "POLICY_UNSTABLE", "EVIDENCE_TOO_SLOW"}:
            self.seen.update(unsettled)
            if not report.failures:
                self._wrong(f"nothing retries what ended as {sorted(unsettled)}")
        known = {found.id: found for found in self.service.handshakes()}
        moved = [each for each in frame.effects if known[each].action == "INVITE"]
        if len(moved) > 1:
            self._wrong("two invitations were accepted in one run")

    def judge_now(self) -> None:
        """Nothing was accepted twice."""
        if twice := [found.id for found in self.service.handshakes() if found.accept_effects > 1]:
            self._wrong(f"accepted twice: {twice}")

    def unheard(self) -> list[str]:
        """What the process that ran last has done, and never told."""
        process = self.idle[-1]
        return [
            f"{found.id} {found.action} {found.state}"
            for found in self.service.handshakes()
            if process.taken.get(found.id) == found.state and (found.id, found.state) not in process.told
        ]

    def unsettled(self) -> list[str]:
        """Handshakes that are not where the policy says; invitations of two organizations at once are a person's."""
        pending = [f for f in self.service.handshakes() if f.state.value in ("OPEN", "REQUESTED")]
        pending = [f for f in pending if self.service._is_recipient(MEMBER, f)]
        says = {f.id: self.verdict(f.id) for f in pending}
        inviting = {f.organization_id for f in pending if says[f.id] == "ACCEPT" and f.action == "INVITE"}
        return [
            f"{f.id} {f.action} {says[f.id]}"
            for f in pending
            if says[f.id] == "DECLINE" or (says[f.id] == "ACCEPT" and not (f.action == "INVITE" and len(inviting) > 1))
        ]


def _certainly_failed(answer: Json | BaseException) -> bool:
    """Whether a call can have had no effect, as far as its caller can know."""
    if isinstance(answer, ClientError):
        return bool(answer.response["ResponseMetadata"]["HTTPStatusCode"] < 500)
    return isinstance(answer, ConnectTimeoutError)


def _is_page_of_parameters(answer: Json) -> bool:
    """Whether a page can be read: what is missing there could be a Deny."""
    found = answer.get("Parameters")
    return (
        isinstance(found, list)
        and isinstance(answer.get("NextToken", ""), str)
        and all(isinstance(raw, dict) for raw in found)
        and all(isinstance(raw.get(key), str) for raw in found for key in ("Name", "Value", "Type"))
        and all(raw["Name"].startswith(PREFIX) for raw in found)
    )


@cache
def _parser_and_shapes() -> tuple[Any, dict[str, Any]]:
    session = botocore.session.get_session()
    shapes = {}
    for service in ("organizations", "ssm"):
        model = session.get_service_model(service)
        shapes |= {
            name: model.operation_model(name).output_shape for name in OPERATIONS if name in model.operation_names
        }
    return create_parser("json"), shapes


def parsed(operation: str, body: bytes) -> Json:
    """What botocore makes of an answer's body."""
    parser, shapes = _parser_and_shapes()
    response = {"body": body, "headers": {}, "status_code": 200}
    answer: Json = parser.parse(response, shapes[operation])
    return answer


def _mutated(answer: Json, dice: random.Random) -> Json:
    """One value of it is missing or of another type. What would be a believable lie is left out."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            if key != "NextToken":
                places.append((value, key))
            walk(inner)

    walk(answer)
    if not places:
        return answer
    holder, key = dice.choice(places)
    wrong = [None, 5, -1.5, True, "x", {"a": {}}, [[]], {}, "\u0000\n", 10**30]
    if isinstance(holder, dict) and dice.random() < 0.4:
        del holder[key]
    else:
        holder[key] = dice.choice([value for value in wrong if type(value) is not type(holder[key])])
    if "NextToken" in answer and dice.random() < 0.1:
        answer["NextToken"] = dice.choice([5, {"a": 1}, ["b"], True])
    return answer


class Origin(NamedTuple):
    organization: str
    management: str


ORIGINS = {
    "allowed": Origin(ORGANIZATION, MANAGEMENT),
    "denied": Origin(OTHER_ORGANIZATION, OTHER_MANAGEMENT),
    "unlisted": Origin("o-unlisted0001", "444444444444"),
    "also allowed": Origin("o-alsoallowed1", "555555555555"),
    "declinable": Origin("o-declinable01", "666666666666"),
}


def random_world(seed: int) -> FaultWorld:
    """A world of a seed: who invited, what the policy says, how slow AWS is. No faults yet, and nobody acts."""
    world = FaultWorld(seed)
    dice = world.dice
    for name, origin in ORIGINS.items():
        if name not in ("allowed", "denied"):
            world.service.add_organization(origin.organization, origin.management)
    declinable, other = ORIGINS["declinable"], ORIGINS["also allowed"]
    origin = {"OrganizationId": declinable.organization, "ManagementAccountId": declinable.management}
    window = {}
    if dice.random() < 0.2:
        ends = (world.now + timedelta(seconds=dice.uniform(1, 100))).isoformat().replace("+00:00", "Z")
        window = {"Condition": {"NotAfter": ends}}
    in_none = {"Condition": {"CurrentOrganization": "NONE"}} if dice.random() < 0.5 else {}
    world.policy(
        allow("Join", action=["INVITE", "ENABLE_ALL_FEATURES"], **window),
        allow("Also", other.organization, other.management),
        deny("Decline", Action="INVITE", Origin=origin, Respond="Decline", **in_none),
    )
    for number in range(dice.choice([0, 0, 0, 9, 9, 17])):
        filler = deny(f"F{number}", Origin={"OrganizationId": f"o-filler{number:06}"})
        world.policy(filler, name=f"filler{number:02}")
    world.policy(allow("Wide", OTHER_ORGANIZATION, OTHER_MANAGEMENT), name="m-wide")
    world.policy(deny("Never", Origin={"OrganizationId": OTHER_ORGANIZATION}), name="zz-deny")
    world.parameters.tokens_are_places = dice.random() < 0.5

    world.service.configure(
        page_size=dice.choice([1, 2, 20]),
        empty_pages=dice.choice([0, 0, 1, 2]),
        describe_refused_to_standalone=dice.random() < 0.5,
        organization_party_prefix=dice.random() < 0.5,
        accept_delay=timedelta(seconds=dice.choice([0, 0, 0, 5, 60, 400])),
    )
    if dice.random() < 0.2:
        world.organization_lags = timedelta(seconds=dice.uniform(1, 50))
    world.invite(target="999999999999")
    weights = {"allowed": 0.9, "denied": 0.5, "unlisted": 0.4, "also allowed": 0.15, "declinable": 0.4}
    if dice.random() < 0.1:
        world.service.add_organization(
            "o-billingonly", "777777777777", members=[MEMBER], feature_set="CONSOLIDATED_BILLING"
        )
        world.service.call("EnableAllFeatures", "777777777777", {})
        world.policy(allow("Enable", "o-billingonly", "777777777777", "ENABLE_ALL_FEATURES"), name="enable")
    names = [name for name, share in weights.items() if dice.random() < share]
    dice.shuffle(names)
    for name in names:
        target = "mary@example.com" if dice.random() < 0.3 else MEMBER
        world.invite(ORIGINS[name].management, target)
        world.now += timedelta(seconds=1)
    if "allowed" in names and dice.random() < 0.1:
        world.service.add_handshake("INVITE", ORGANIZATION, "mary@example.com")
    world.locked_out_once_joined = dice.random() < 0.1
    world.pace = random_pace(world)
    return world


def random_pace(world: FaultWorld) -> Callable[[str], float]:
    """How long calls take: some or all of them up to 14 s."""
    dice = world.dice
    share, slowest = dice.choice([0, 0.3, 1]), dice.choice([0.5, 4, 14])

    def pace(operation: str) -> float:
        if dice.random() >= share:
            return 0.0
        world.seen["slow calls"] += 1
        return dice.uniform(0, slowest)

    return pace


def edit_at_random(world: FaultWorld) -> Callable[[], None]:
    """Lets people and other runs do things while a run waits or calls. What is given back puts policy and mode right.

    Where a policy has several pages, nobody takes back a document that was made meanwhile but by writing another text:
    see `judge.py` for what no reading of several pages can see.
    """
    kept = dict(world.parameters.values)
    values, dice = world.parameters.values, world.dice
    several_pages = len(kept) > 8
    nothing = document()
    not_them = deny("NotThem", Origin={"OrganizationId": OTHER_ORGANIZATION})

    def write(name: str, text: str) -> Callable[[], object]:
        return lambda: values.update({f"{PREFIX}{name}": text})

    def take(name: str) -> Callable[[], object]:
        return write(name, nothing) if several_pages else lambda: values.pop(f"{PREFIX}{name}", None)

    def later(function: Callable[[], object]) -> None:
        world.time.at(dice.choice([0.0, 0.5, 3.0]) * dice.random(), lambda: world.running and function())

    def move_deny() -> None:
        """To a page before, and back: added first, removed second."""
        there, here = f"{PREFIX}policy/aa-deny", f"{PREFIX}policy/zz-deny"
        if here in values:
            values[there] = document(not_them)
            later(lambda: values.pop(here, None))
        elif not several_pages:
            values[here] = kept[here]
            later(lambda: values.pop(there, None))

    def recreate() -> None:
        name = f"{PREFIX}policy/allowlist"
        values.pop(name, None)
        later(lambda: values.update({name: kept[name]}))

    def cancel() -> None:
        pending = [f for f in world.service.handshakes() if f.state.value == "OPEN" and not f.landing_at]
        if pending:
            found = dice.choice(pending)
            world.service.call("CancelHandshake", found.sender, {"HandshakeId": found.id})

    def invite() -> None:
        with suppress(ServiceError):  # it is invited already
            world.invite(dice.choice(list(ORIGINS.values())).management)

    def join_by_hand() -> None:
        with suppress(ServiceError):
            world.join(ORIGINS["unlisted"].management)
        world.note()
        world.land_in_time()

    def leave() -> None:
        with suppress(ServiceError):
            world.service.call("LeaveOrganization", MEMBER, {})
        world.note()

    def other_run() -> None:
        world.run_beside(kill_at=dice.randint(1, 40) if dice.random() < 0.2 else -1)

    world.unrest = dice.choice([(0.3, 0.02), (0.3, 0.1), (0.5, 0.3)])
    world.happenings = [
        write("policy/brake", document(deny("Brake"))),
        write("policy/zz-brake", document(deny("LastBrake"))),
        take("policy/brake"),
        take("policy/zz-brake"),
        write("mode", "observe"),
        write("mode", "enforce"),
        write("mode", "enforce"),
        lambda: values.pop(f"{PREFIX}mode", None),
        write("policy/half", '{"Version": "2026-01-01", "Sta'),
        take("policy/half"),
        lambda: values.pop(f"{PREFIX}policy/m-wide", None),
        write("policy/allowlist", nothing),
        write("policy/allowlist", kept[f"{PREFIX}policy/allowlist"]),
        recreate,
        move_deny,
        move_deny,
        move_deny,
        cancel,
        invite,
        join_by_hand,
        leave,
        other_run,
        other_run,
        other_run,
    ]

    if world.organization_lags:
        world.happenings += [join_by_hand] * 6

    def put_right() -> None:
        values.clear()
        values.update(kept)

    return put_right


def settle(world: FaultWorld) -> None:
    """The faults are over: two sweeps that look, and everything must be where the policy says.

    A process that was throttled skips the others: it looks once an hour.
    """
    world.faults, world.kill_when, world.locked_out_once_joined = [], ("", ""), False
    seconds = world.dice.choice([0.0, 0.1, 0.5])
    world.pace = lambda operation: seconds
    looks = 0
    for _ in range(MOST_SWEEPS):
        world.now += timedelta(minutes=5)
        looks += world.run().unlooked is None
        world.judge_now()
        if looks == 2:
            break
    world.now += timedelta(minutes=10)  # what was answered, lands
    if left := world.unsettled():
        raise Lost(f"after {looks} looks: {left}")
    if looks < 2:
        raise Lost(f"{looks} looks in two hours")
    if unheard := world.unheard():
        raise Lost(f"no record says so: {unheard}")


class Lost(AssertionError):
    """Something that was never finished."""


def fault_run(seed: int, pair: tuple[str, Kind] | None = None) -> FaultWorld:
    """One scenario: a world, faults (of one pair, or several at random), one or two runs under them, two without."""
    world = random_world(seed)
    try:
        _fault_run(world, pair)
    finally:
        world.time.close()
    return world


def _fault_run(world: FaultWorld, pair: tuple[str, Kind] | None) -> None:
    dice = world.dice
    pairs = [pair] if pair else dice.sample(PAIRS, dice.randint(1, 6))
    for operation, kind in pairs:
        for_good = 50 if kind is Kind.EMPTY_PAGE else 10**6  # a list without an end has a test of its own
        world.faults.append(
            Fault(operation, kind, dice.choice([0.15, 0.5, 0.8, 1.0]), dice.choice([1, 2, 5, for_good]))
        )
    put_right = edit_at_random(world) if dice.random() < 0.6 else lambda: None
    ours = [found for found in world.service.handshakes() if found.target.id == MEMBER]
    steps_back = ("ListHandshakesForAccount", Kind.THROTTLED) in pairs
    for _ in range(dice.randint(1, 8 if steps_back else 2)):
        event = world.hint(dice.choice(ours).id) if ours and dice.random() < 0.3 else None
        world.run(event)
        world.judge_now()
        world.now += timedelta(seconds=60)
    world.happenings = []
    world.wait_for_others()
    put_right()
    settle(world)


@dataclass
class Row:
    """One line of the matrix."""

    runs: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Row) -> Row:
        return Row(self.runs + other.runs, self.seen + other.seen)


COLUMNS = ("faults", "slow calls", "edits", "other runs", "sent", "skipped", "gave up", "wrong", "lost", "cut off")


def row_of(seed: int) -> tuple[str, tuple[str, Kind] | None]:
    """Every pair in turn, then pairs at random."""
    turns: list[tuple[str, Kind] | None] = [*PAIRS, *[None] * len(PAIRS)]
    pair = turns[seed % len(turns)]
    return " x ".join(pair) if pair else "several at random", pair


def matrix(seeds: range) -> tuple[dict[str, Row], list[str]]:
    """A row for every pair; and what went wrong, each with the seed that shows it again."""
    rows: dict[str, Row] = {}
    failures: list[str] = []
    for seed in seeds:
        name, pair = row_of(seed)
        row = rows.setdefault(name, Row())
        row.runs += 1
        try:
            world = fault_run(seed, pair)
            row.seen += world.seen
            row.seen["faults"] += world.injected.total()
        except Lost as lost:
            row.seen["lost"] += 1
            failures.append(f"seed {seed} {pair}: lost: {lost}")
        except Exception as error:  # noqa: BLE001 - whatever a run raises is the finding
            row.seen["cut off" if str(error).startswith("cut off") else "wrong"] += 1
            failures.append(f"seed {seed} {pair}: {type(error).__name__}: {error}")
    return rows, failures


def parallel_matrix(seeds: range, processes: int) -> tuple[dict[str, Row], list[str]]:
    """The same, on all processors; the order does not depend on who was faster."""
    parts = [seeds[start : start + 200] for start in range(0, len(seeds), 200)]
    rows: dict[str, Row] = {}
    failures: list[str] = []
    # An executor, for it raises where a process is killed; a `Pool` would wait for ever.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for done, (some_rows, some_failures) in enumerate(pool.map(matrix, parts), 1):
            for name, row in some_rows.items():
                rows[name] = rows.get(name, Row()) + row
            failures += some_failures
            if done % 25 == 0 and done < len(parts):
                print(f"{done * 200} runs, {len(failures)} wrong or lost", file=sys.stderr, flush=True)
    order = dict.fromkeys(row_of(seed)[0] for seed in range(2 * len(PAIRS)))
    return {name: rows[name] for name in order if name in rows}, failures


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0, help="the first one")
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    rows, failures = parallel_matrix(range(given.seed, given.seed + given.runs), given.processes)
    print(f"{'operation x fault':46} {'runs':>6} " + " ".join(f"{name:>10}" for name in COLUMNS))
    total = sum(rows.values(), Row())
    for name, row in [*rows.items(), ("all", total)]:
        print(f"{name:46} {row.runs:6} " + " ".join(f"{row.seen[column]:10}" for column in COLUMNS))
    print(*failures[:50], sep="\n")
    print(f"{given.runs} runs, seeds {given.seed} to {given.seed + given.runs - 1}, {len(failures)} wrong or lost")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
