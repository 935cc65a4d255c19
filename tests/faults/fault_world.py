"""A world that goes wrong: every call of a run may fail in every way, from a seed, and every step is judged.

The judge shares nothing with the reconcile: it asks the handshake service what is true, and the naive policy what may
be done. `python -m tests.faults.fault_world --runs 10000` prints the matrix of operation by fault.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Literal, NamedTuple

import botocore.session
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import create_parser

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Reconcile
from handshake_acceptor.record import Record, Report
from handshake_acceptor.state import StateReader
from handshake_acceptor.trigger import Trigger
from handshake_core.errors import classify
from handshake_core.retry import CALL_FAILURES, Clock
from local.service.handshake_service import ServiceError
from local.service.shapes import shown
from local.service.values import Organization
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    START,
    SideBySide,
    World,
    allow,
    client_error,
    deny,
    document,
)
from tests.unit import naive_policy

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
_CHANGES = frozenset({"AcceptHandshake", "DeclineHandshake"})


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
class Frame:
    """One run, as the judge saw it."""

    sent: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    """Whose accept or decline was not answered, or answered without being over."""
    effects: Counter[str] = field(default_factory=Counter)
    records: list[Record] = field(default_factory=list)
    interrupted: bool = False
    """Whether another whole run took place during one of its waits, which then took longer than it was meant to."""


class Client:
    """Either client, as the run sees it: every call goes through the world's faults and the judge."""

    def __init__(self, perform: Callable[[str, Json], Json]) -> None:
        self._perform = perform

    def __getattr__(self, name: str) -> Callable[..., Json]:
        operation = "".join(part.capitalize() for part in name.split("_"))
        return lambda **request: self._perform(operation, request)


class FaultWorld(World):
    """`World` with faults, things that happen during waits, kill points, and a judge."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.service._new_id = lambda prefix: f"{prefix}-{self.dice.getrandbits(80):020x}"
        self.faults: list[Fault] = []
        self.happenings: list[Callable[[], object]] = []
        self.injected: Counter[tuple[str, str]] = Counter()
        self.locked_out_once_joined = False
        self.kill_at = -1
        self.step = 0
        self.frames: list[Frame] = []
        self.total_calls = 0
        self.left_before: tuple[Organization | None, datetime] = None, START - timedelta(seconds=40) * 2
        """Where the account was when it was last moved by others, and when that was."""

    # What a run is

    def run(self, event: object = None) -> Report:
        frame = Frame()
        self.frames.append(frame)
        deadline = self.now + timedelta(seconds=self.timeout)
        clock = Clock(
            now=lambda: self.now,
            remaining=lambda: (deadline - self.now).total_seconds(),
            sleep=self.sleep,
            random=self.dice.random,
        )
        organizations = Organizations(Client(self._perform), clock)
        store = PolicyStore(Client(self._perform), clock, PREFIX)
        looker = StateReader(organizations, store, self.reader or SideBySide(self), clock, MEMBER, "aws")
        trigger = Trigger.from_event({"source": "aws.scheduler"} if event is None else event)
        try:
            report = Reconcile(organizations, looker, clock, self._judge_record).run(trigger)
        finally:
            self.frames.pop()
        self._judge_report(frame, report, trigger.handshake_id)
        if self.now >= deadline and not frame.interrupted:
            raise Wrong(f"cut off {self.now - deadline} before its end")
        return report

    def sleep(self, seconds: float) -> None:
        self._kill_point()
        self.now += timedelta(seconds=seconds)
        if self.happenings and len(self.frames) == 1 and self.dice.random() < 0.3:
            was_in = self.service.organization_of(MEMBER)
            self.dice.choice(self.happenings)()
            if was_in != self.service.organization_of(MEMBER):
                self.left_before = was_in, self.now

    def _kill_point(self) -> None:
        self.step += 1
        if self.step == self.kill_at:
            raise Killed

    # What a call is

    def _perform(self, operation: str, request: Json) -> Json:
        self.total_calls += 1
        self._kill_point()
        if operation in _CHANGES:
            self.frames[-1].sent[request["HandshakeId"]] += 1
            self._judge_change(operation, request["HandshakeId"])
        kind = self._fault(operation)
        try:
            answer = self._answer(operation, request, kind)
        except CALL_FAILURES as error:
            if operation in _CHANGES and classify(error).ambiguous:
                self.frames[-1].lost.add(request["HandshakeId"])
            raise
        except (AttributeError, TypeError, ValueError):
            if operation in _CHANGES:
                self.frames[-1].lost.add(request["HandshakeId"])
            raise
        finally:
            self._kill_point()
        if operation in _CHANGES:
            self.frames[-1].lost.add(request["HandshakeId"])
        return answer

    def _fault(self, operation: str) -> Kind | None:
        for fault in self.faults:
            if fault.operation == operation and fault.times and self.dice.random() < fault.share:
                fault.times -= 1
                self.injected[operation, fault.kind] += 1
                return fault.kind
        return None

    def _answer(self, operation: str, request: Json, kind: Kind | None) -> Json:
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
                self._pass(3)
                raise ConnectTimeoutError(endpoint_url="x")
            case Kind.READ_TIMEOUT_BEFORE:
                self._pass(15)
                raise ReadTimeoutError(endpoint_url="x")
            case Kind.RESET_BEFORE:
                raise ConnectionClosedError(endpoint_url="x")
            case Kind.SLOW:
                self._pass(self.dice.uniform(1, 14))
            case Kind.EMPTY_PAGE:
                return {_LISTS[operation]: [], "NextToken": f"empty{self.dice.random()}|{request.get('NextToken', '')}"}
            case Kind.MALFORMED | Kind.NOT_JSON | Kind.OTHER_ANSWER if self.dice.random() < 0.3:
                # Without the effect, as if something in between had answered.
                if operation in _CHANGES:
                    found = self.service.handshake(request["HandshakeId"])
                    answer: Json = {"Handshake": shown(found, self.service.settings)}
                    return self._spoilt(operation, answer, kind)
        answer = self._served(operation, request)
        match kind:
            case Kind.SERVER_AFTER:
                raise client_error("SomethingNew", operation, status=503)
            case Kind.READ_TIMEOUT_AFTER:
                self._pass(15)
                raise ReadTimeoutError(endpoint_url="x")
            case Kind.RESET_AFTER:
                raise ConnectionClosedError(endpoint_url="x")
            case Kind.MALFORMED | Kind.NOT_JSON | Kind.OTHER_ANSWER:
                return self._spoilt(operation, answer, kind)
            case Kind.REPEATED_PAGE:
                answer["NextToken"] = request.get("NextToken") or "empty0|"
        return answer

    def _served(self, operation: str, request: Json) -> Json:
        if (request.get("NextToken") or "").startswith("empty"):
            request = request | {"NextToken": request["NextToken"].partition("|")[2]}
            request = {name: value for name, value in request.items() if value}
        if operation == "GetParametersByPath":
            return self.parameters.get_parameters_by_path(**request)
        joined = self.service.organization_of(MEMBER)
        if self.locked_out_once_joined and joined and joined.id == ORGANIZATION:
            raise client_error("AccessDeniedException", operation, message="... in a service control policy")
        before = self._effects()
        try:
            return self.service.call(operation, MEMBER, request)
        except ServiceError as error:
            raise client_error(error.code, operation, error.reason, error.status, error.message) from None
        finally:
            self.frames[-1].effects += Counter(self._effects()) - Counter(before)

    def _effects(self) -> dict[str, int]:
        return {found.id: found.accept_effects for found in self.service.handshakes()}

    def _pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _spoilt(self, operation: str, answer: Json, kind: Kind) -> Json:
        """The answer as botocore's own parser gives what came over the aws_json."""
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

    def verdict(self, handshake_id: str, was_in: Organization | Literal["here"] | None = "here") -> str:
        """What the policy says now of a handshake as it truly is, for the account as it truly is (or just was)."""
        found = self.service.handshake(handshake_id)
        own = self.service.organization_of(MEMBER) if was_in == "here" else was_in
        role = "MEMBER" if own else "STANDALONE"
        if own and own.management_account_id == MEMBER:
            role = "MANAGEMENT"
        account = {"id": MEMBER, "partition": "aws", "role": role, "organization": own.id if own else "NONE"}
        documents = []
        for name, value in self.parameters.values.items():
            if name.startswith(f"{PREFIX}policy/"):
                try:
                    documents.append(json.loads(value))
                except ValueError:
                    return "POLICY_INVALID"
        raw = shown(found, self.service.settings)
        raw["ExpirationTimestamp"] = raw["ExpirationTimestamp"].isoformat()
        return naive_policy.decision(documents, raw, account, listed=True, now=self.now)

    def _judge_change(self, operation: str, handshake_id: str) -> None:
        found = self.service.handshake(handshake_id)
        verdict = self.verdict(handshake_id)
        wanted = "ACCEPT" if operation == "AcceptHandshake" else "DECLINE"
        if not found.state.value.startswith(("OPEN", "REQUESTED")):
            return  # it can have no effect any more
        if found.landing_at and found.landing_at <= self.now:
            return
        if self.parameters.values.get(f"{PREFIX}mode") != "enforce":
            raise Wrong(f"{operation} while the brake is on")
        was_in, moved_at = self.left_before
        if verdict != wanted and self.now - moved_at <= timedelta(seconds=40):
            verdict = self.verdict(handshake_id, was_in)  # as fresh as any look can be
        if verdict != wanted:
            raise Wrong(f"{operation} of a handshake that the policy gives {verdict}")

    def _judge_record(self, record: Record) -> None:
        frame = self.frames[-1]
        frame.records.append(record)
        handshake_id, outcome = record.handshake.id, record.outcome.value
        known = {found.id: found for found in self.service.handshakes()}
        found = known.get(handshake_id)
        state = found.state.value if found else "NONE"
        told = f"{record.as_dict()}; it is {state}"
        if record.attempts != frame.sent[handshake_id]:
            raise Wrong(f"{frame.sent[handshake_id]} calls were sent: {told}")
        claims = {"ACCEPTED": "ACCEPTED", "ALREADY_ACCEPTED": "ACCEPTED", "DECLINED": "DECLINED"}
        if state != claims.get(outcome, state):
            raise Wrong(told)
        if outcome in ("ACCEPTED", "DECLINED") and not record.attempts:
            raise Wrong(f"nothing was sent: {told}")
        if outcome == "ACCEPTED" and record.decision.kind.value != "ACCEPT":
            raise Wrong(told)
        if outcome == "ACCEPT_UNCONFIRMED" and not record.attempts:
            raise Wrong(f"nothing was sent: {told}")
        may_come = handshake_id in frame.lost and state in ("OPEN", "REQUESTED")
        declines = record.decision.kind.value == "DECLINE"
        if may_come and outcome not in (("RETRY_LATER",) if declines else ("ACCEPT_UNCONFIRMED",)):
            raise Wrong(f"what was sent may still have its effect: {told}")
        if state == "ACCEPTED" and outcome in ("LEFT_PENDING", "OBSERVED", "DECLINED") and frame.effects[handshake_id]:
            raise Wrong(told)

    def _judge_report(self, frame: Frame, report: Report, hinted: str) -> None:
        if list(report.records) != frame.records:
            raise Wrong("not every record was emitted")
        ids = [record.handshake.id for record in report.records if record.handshake.id]
        if len(ids) != len(set(ids)):
            raise Wrong(f"a handshake has two records: {ids}")
        if hinted and hinted not in ids:
            raise Wrong("the hint got no answer")
        if any(record.outcome.value == "ACCEPT_UNCONFIRMED" for record in report.records) and not report.failures:
            raise Wrong("nothing retries an accept that is not confirmed")
        known = {found.id: found for found in self.service.handshakes()}
        moved = [each for each in frame.effects if known[each].action == "INVITE"]
        if len(moved) > 1:
            raise Wrong("two invitations were accepted in one run")

    def judge_now(self) -> None:
        """Nothing was accepted twice."""
        if twice := [found.id for found in self.service.handshakes() if found.accept_effects > 1]:
            raise Wrong(f"accepted twice: {twice}")

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
    """A world of a seed: who invited, what the policy says, and how AWS behaves. No faults yet."""
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
    world.policy(
        allow("Join", action=["INVITE", "ENABLE_ALL_FEATURES"], **window),
        allow("Also", other.organization, other.management),
        deny("Decline", Action="INVITE", Origin=origin, Respond="Decline"),
    )
    if dice.random() < 0.3:
        for number in range(9):
            world.policy(deny(f"F{number}", Origin={"OrganizationId": f"o-filler{number:06}"}), name=f"filler{number}")
    world.policy(allow("Wide", OTHER_ORGANIZATION, OTHER_MANAGEMENT), name="m-wide")
    world.policy(deny("Never", Origin={"OrganizationId": OTHER_ORGANIZATION}), name="zz-deny")

    world.service.configure(
        page_size=dice.choice([1, 2, 20]),
        empty_pages=dice.choice([0, 0, 1, 2]),
        describe_refused_to_standalone=dice.random() < 0.5,
        organization_party_prefix=dice.random() < 0.5,
        accept_delay=timedelta(seconds=dice.choice([0, 0, 0, 5, 60, 400])),
    )
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
    return world


def edit_at_random(world: FaultWorld) -> Callable[[], None]:
    """Lets people and other runs do things while a run waits; what is given back puts policy and mode right again."""
    kept = dict(world.parameters.values)
    values = world.parameters.values

    def cancel() -> None:
        pending = [f for f in world.service.handshakes() if f.state.value == "OPEN" and not f.landing_at]
        if pending:
            found = world.dice.choice(pending)
            world.service.call("CancelHandshake", found.sender, {"HandshakeId": found.id})

    def invite() -> None:
        with suppress(ServiceError):  # it is invited already
            world.invite(world.dice.choice(list(ORIGINS.values())).management)

    def join_by_hand() -> None:
        with suppress(ServiceError):
            world.join(ORIGINS["unlisted"].management)

    def second_run() -> None:
        world.frames[-1].interrupted = True
        world.run()

    world.happenings = [
        lambda: values.update({f"{PREFIX}policy/brake": document(deny("Brake"))}),
        lambda: values.pop(f"{PREFIX}policy/brake", None),
        lambda: values.update({f"{PREFIX}mode": "observe"}),
        lambda: values.update({f"{PREFIX}mode": "enforce"}),
        lambda: values.update({f"{PREFIX}policy/half": '{"Version": "2026-01-01", "Sta'}),
        lambda: values.pop(f"{PREFIX}policy/half", None),
        lambda: values.pop(f"{PREFIX}policy/m-wide", None),
        cancel,
        invite,
        second_run,
        second_run,
        join_by_hand,
    ]

    def put_right() -> None:
        world.happenings = []
        values.clear()
        values.update(kept)

    return put_right


def settle(world: FaultWorld) -> None:
    """The faults are over: two sweeps, and everything must be where the policy says."""
    world.faults, world.kill_at, world.locked_out_once_joined = [], -1, False
    for _ in range(2):
        world.now += timedelta(minutes=5)
        world.run()
        world.judge_now()
    world.now += timedelta(minutes=10)  # what was answered, lands
    if left := world.unsettled():
        raise Lost(f"after two sweeps: {left}")


class Lost(AssertionError):
    """Something that was never finished."""


def fault_run(seed: int, pair: tuple[str, Kind] | None = None) -> FaultWorld:
    """One scenario: a world, faults (of one pair, or several at random), one or two runs under them, two without."""
    world = random_world(seed)
    dice = world.dice
    pairs = [pair] if pair else dice.sample(PAIRS, dice.randint(1, 6))
    for operation, kind in pairs:
        world.faults.append(Fault(operation, kind, dice.choice([0.15, 0.5, 0.8, 1.0]), dice.choice([1, 2, 5, 10**6])))
    put_right = edit_at_random(world) if dice.random() < 0.5 else lambda: None
    ours = [found for found in world.service.handshakes() if found.target.id == MEMBER]
    for _ in range(dice.randint(1, 2)):
        event = world.hint(dice.choice(ours).id) if ours and dice.random() < 0.3 else None
        world.run(event)
        world.judge_now()
        world.now += timedelta(seconds=60)
    put_right()
    settle(world)
    return world


@dataclass
class Row:
    """One line of the matrix."""

    runs: int = 0
    injected: int = 0
    wrong: int = 0
    lost: int = 0


def matrix(seeds: range) -> tuple[dict[str, Row], list[str]]:
    """Every pair in turn, then pairs at random; and what went wrong, each with the seed that shows it again."""
    rows: dict[str, Row] = {}
    failures: list[str] = []
    turns: list[tuple[str, Kind] | None] = [*PAIRS, *[None] * len(PAIRS)]
    for seed in seeds:
        pair = turns[seed % len(turns)]
        row = rows.setdefault(" x ".join(pair) if pair else "several at random", Row())
        row.runs += 1
        try:
            world = fault_run(seed, pair)
            row.injected += world.injected.total()
        except Lost as lost:
            row.lost += 1
            failures.append(f"seed {seed} {pair}: lost: {lost}")
        except Exception as error:  # noqa: BLE001 - whatever a run raises is the finding
            row.wrong += 1
            failures.append(f"seed {seed} {pair}: {type(error).__name__}: {error}")
    return rows, failures


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0, help="the first one")
    given = arguments.parse_args()
    rows, failures = matrix(range(given.seed, given.seed + given.runs))
    print(f"{'operation x fault':60} {'runs':>6} {'faults':>7} {'wrong':>6} {'lost':>5}")
    for name, row in rows.items():
        print(f"{name:60} {row.runs:6} {row.injected:7} {row.wrong:6} {row.lost:5}")
    print(*failures[:50], sep="\n")
    print(f"{given.runs} runs, seeds {given.seed} to {given.seed + given.runs - 1}, {len(failures)} wrong or lost")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
