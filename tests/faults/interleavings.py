"""Every interleaving of a small world: two runs at the same time, one person with three edits, two invitations.

A run is a deterministic function of the answers to its calls. To go on by one call it is executed again with the
answers that it had, and stopped at the first call that has none: no threads, and the scheduler is a loop over states.
Schedules that lead to the same state are counted, not walked one by one: a state is what both runs were answered, what
stands, and what stood since each reading that may still count. A sleep is a step like a call, and so is the choice
which of two readings side by side is faster.

`python -m tests.faults.interleavings` explores the larger bound, and prints schedules and states.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Memory, Reconcile
from handshake_acceptor.reporting.record import Record, Report
from handshake_acceptor.state import StateReader
from handshake_acceptor.trigger import Trigger
from handshake_core.retry import Clock
from local.service.handshake_service import HandshakeService, ServiceError
from local.service.shapes import shown
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    START,
    allow,
    client_error,
    deny,
    document,
)
from tests.faults.fault_world import Client, Wrong
from tests.faults.judge import NOWHERE, Account, Evidence, Moment, PagedParameters, Parameter, State

Json = dict[str, Any]
FIRST, SECOND = "h-firstinvitation", "h-secondinvitation"
CALL = timedelta(seconds=0.05)
"""What a call takes on a run's own clock. Ages are judged elsewhere; here it is order that counts."""
TIMEOUT = timedelta(seconds=30)
LATE = timedelta(hours=1)
"""After an accept was answered it has its effect whenever the scheduler says so."""


# What the two runs and the person act on


class World:
    """One state of the world. There is one object for each, and it remembers what followed from what."""

    def __init__(self, worlds: Worlds, handshakes: Json, organizations: Json, values: dict[str, Parameter]) -> None:
        self.handshakes, self.organizations, self.values = handshakes, organizations, values
        own = next((each for each in organizations.values() if MEMBER in each.members), None)
        account = Account(own.id, own.management_account_id) if own else NOWHERE
        pending = frozenset(each.id for each in handshakes.values() if each.state in ("OPEN", "REQUESTED"))
        self.says = frozenset((name, parameter.text) for name, parameter in values.items())
        """What the policy says, whatever its versions are."""
        self.shows = account, pending
        self.lands = any(each.landing_at and each.id in pending for each in handshakes.values())
        """What list and account show."""
        self.next: dict[object, tuple[World, Answer | None]] = {}
        self._worlds = worlds

    def after(self, step: Step) -> tuple[World, Answer]:
        """What a call leads to, and its answer."""
        if step not in self.next:
            self.next[step] = self._worlds.call(self, step)
        world, answer = self.next[step]
        assert answer is not None
        return world, answer

    def edited(self, number: int, edit: Callable[[Worlds], object]) -> World:
        """What an edit leads to."""
        if number not in self.next:
            self.next[number] = self._worlds.edit(self, number, edit), None
        return self.next[number][0]

    def landed(self) -> World:
        """What follows when accepts that were answered have their effect."""
        if "land" not in self.next:
            self.next["land"] = self._worlds.land(self), None
        return self.next["land"][0]


class Worlds:
    """All states of one small world, on one handshake service and one parameter store that go from state to state."""

    def __init__(self, scenario: Scenario) -> None:
        self._known: dict[object, World] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self._edits = 0
        self._now = START
        self._scenario = scenario
        self.service = HandshakeService(lambda: self._now)
        self.service.configure(accept_delay=LATE if scenario.lands_late else timedelta(0))
        self.parameters = PagedParameters(lambda: START + timedelta(minutes=self._edits))
        self.parameters.page_size = scenario.page_size
        self.service.register_account(MEMBER, "mary@example.com")
        for organization, management in ((ORGANIZATION, MANAGEMENT), (OTHER_ORGANIZATION, OTHER_MANAGEMENT)):
            self.service.add_organization(organization, management)
        self.service.choose_ids(FIRST, SECOND)
        for management in (MANAGEMENT, OTHER_MANAGEMENT):
            request = {"Target": {"Type": "ACCOUNT", "Id": MEMBER}}
            self.service.call("InviteAccountToOrganization", management, request)
        self.write("mode", "enforce")
        for name, statements in scenario.policy.items():
            self.write(f"policy/{name}", document(*statements))
        self.first = self._here()

    def write(self, name: str, text: str | None) -> None:
        """Somebody writes a parameter, or deletes it."""
        if text is None:
            del self.parameters.values[PREFIX + name]
        else:
            self.parameters.values[PREFIX + name] = text

    def shown(self, world: World, handshake_id: str) -> Json:
        """A handshake as AWS shows it."""
        return shown(world.handshakes[handshake_id], self.service.settings)

    def call(self, world: World, step: Step) -> tuple[World, Answer]:
        """Performs one call there."""
        self._go(world)
        request = json.loads(step.request)
        content: Json | ClientError
        try:
            if step.name == "GetParametersByPath":
                content = self.parameters.get_parameters_by_path(**request)
            else:
                content = self.service.call(step.name, MEMBER, request)
        except ServiceError as error:
            content = client_error(error.code, step.name, error.reason, error.status, error.message)
        if step.name == self._scenario.lost and isinstance(content, dict):
            content = client_error("ServiceException", step.name, status=500)
        key = str(content) if isinstance(content, ClientError) else json.dumps(content, default=str)
        return self._here(), self._answers.setdefault((step.name, key), Answer(content))

    def edit(self, world: World, number: int, edit: Callable[[Worlds], object]) -> World:
        """Performs an edit there."""
        self._go(world)
        self._edits = number + 1
        edit(self)
        return self._here()

    def land(self, world: World) -> World:
        """Accepts that were answered have their effect there."""
        self._go(world)
        self._now = START + LATE
        self.service.handshakes()  # brings it up to date
        self._now = START
        return self._here()

    def _go(self, world: World) -> None:
        self.service._handshakes, self.service._organizations = dict(world.handshakes), dict(world.organizations)
        self.parameters.values.parameters = world.values
        self.parameters.values.data = {name: parameter.text for name, parameter in world.values.items()}

    def _here(self) -> World:
        handshakes, organizations = dict(self.service._handshakes), dict(self.service._organizations)
        values = self.parameters.values.parameters
        key = (
            tuple((each.id, each.state, each.landing_at, each.accept_effects) for each in handshakes.values()),
            tuple((each.id, tuple(each.members)) for each in organizations.values()),
            tuple(sorted(values.items())),
        )
        if key not in self._known:
            self._known[key] = World(self, handshakes, organizations, values)
        return self._known[key]


# What a run is: all that it was answered


class Step(NamedTuple):
    """What a run asks for next: a call, a sleep, or which of two readings is faster."""

    name: str
    request: str = ""
    choices: int = 0


class Answer:
    """What one step was answered. There is one object for each, so that equal runs have equal answers."""

    def __init__(self, content: Any) -> None:
        self.content = content


DONE = Answer(None)
CHOICES = [Answer(number) for number in range(3)]


class Paused(BaseException):
    """The run goes on when somebody has answered."""


class Replay:
    """Executes a run with the answers that it had, until it asks for one that is not there."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.now = START
        self.steps: list[tuple[Step, datetime, datetime]] = []
        self.next: Step | None = None
        self._answers = answers

    def ask(self, step: Step, seconds: timedelta = CALL) -> Any:
        """The next answer."""
        if self.next is not None or len(self.steps) == len(self._answers):
            self.next = self.next or step
            raise Paused
        content = self._answers[len(self.steps)].content
        began, self.now = self.now, self.now + seconds
        self.steps.append((step, began, self.now))
        if isinstance(content, ClientError):
            raise content
        return content

    def perform(self, operation: str, request: Json) -> Json:
        """One call."""
        answer: Json = self.ask(Step(operation, json.dumps(request, sort_keys=True)))
        return answer

    def run(self) -> tuple[Report | None, list[Record]]:
        """The report, or None if the run waits for an answer; and what it told so far."""
        client = Client(self.perform)
        clock = Clock(
            now=lambda: self.now,
            remaining=lambda: (START + TIMEOUT - self.now).total_seconds(),
            sleep=lambda seconds: self.ask(Step("sleep"), timedelta(seconds=seconds)),
            random=lambda: 0.5,
        )
        organizations, store = Organizations(client, clock), PolicyStore(client, clock, PREFIX)
        states = StateReader(organizations, store, Either(self), clock, MEMBER, "aws")
        records: list[Record] = []
        reconcile = Reconcile(organizations, states, clock, records.append, Memory())
        try:
            return reconcile.run(Trigger.from_event({"source": "aws.scheduler"})), records
        except Paused:
            return None, records


class Either(Executor):
    """Of two readings side by side either is faster: what is submitted is read at once, or when it is asked for.

    The first of a run, the policy's, may also be slower than all that the run waits for.
    """

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._choices = 3

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Later:  # type: ignore[override]
        future, choices, self._choices = Later(partial(function, *args, **kwargs)), self._choices, 2
        with suppress(Paused):  # whatever is asked for next, is paused too
            choice = self._replay.ask(Step("faster", choices=choices), timedelta(0))
            future.slow = choice == 2
            if choice == 0:
                future.read()
        return future


class Later(Future[Any]):
    """What is read when somebody asks for it."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__()
        self.slow = False
        self._function = function

    def read(self) -> None:
        if not super().done():
            try:
                self.set_result(self._function())
            except Exception as error:  # noqa: BLE001 - raised where the result is asked for
                self.set_exception(error)

    def done(self) -> bool:
        if not self.slow:
            self.read()
        return super().done()

    def result(self, timeout: float | None = None) -> Any:
        self.read()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self.read()
        return super().exception(timeout)


class Run:
    """A run that had these answers. There is one object for each."""

    def __init__(self, answers: tuple[Answer, ...] = ()) -> None:
        self.answers = answers
        replay = Replay(answers)
        self.report, self.records = replay.run()
        self.next = replay.next
        self.evidence = Evidence()
        self.moment = Moment(replay.now, len(answers), 0)
        self.sent: list[str] = []
        self.lost: set[str] = set()
        """What of it may have an effect, as far as the run can know."""
        for number, (step, began, ended) in enumerate(replay.steps):
            self._learn(number, step, answers[number].content, began, ended)
        self.readings = self._readings()
        self.serial = next(_SERIALS)
        self._after: dict[int, Run] = {}

    def after(self, answer: Answer) -> Run:
        """The same run with one more answer."""
        key = id(answer)
        if key not in self._after:
            self._after[key] = Run((*self.answers, answer))
        return self._after[key]

    @property
    def begins_reading(self) -> bool:
        """Whether what it asks for next begins a reading."""
        step = self.next
        lists = ("GetParametersByPath", "ListHandshakesForAccount")
        return step is not None and (
            step.name == "DescribeOrganization" or (step.name in lists and "NextToken" not in step.request)
        )

    def _readings(self) -> set[int]:
        """The first steps of those readings that an act may still rest on, now or after the next reading."""
        evidence, policy = self.evidence, self.evidence.policy.last()
        found = [policy, evidence.policy.open("")]
        for readings in (evidence.handshakes, evidence.account):
            found += [*evidence.rests_on(readings, self.moment), readings.open("")]
            found += evidence.rests_on(readings, policy.began) if policy else []
        return {reading.began.number for reading in found if reading is not None}

    def _learn(self, number: int, step: Step, content: Any, began: datetime, ended: datetime) -> None:
        first, last = Moment(began, number, 0), Moment(ended, number, 0)
        readings = {
            "GetParametersByPath": self.evidence.policy,
            "ListHandshakesForAccount": self.evidence.handshakes,
            "DescribeOrganization": self.evidence.account,
        }
        if step.name in readings:
            page = content if isinstance(content, dict) else {}
            token = json.loads(step.request).get("NextToken", "")
            readings[step.name].answered("", token, page, first, last)
        elif step.name in ("AcceptHandshake", "DeclineHandshake"):
            self.sent.append(json.loads(step.request)["HandshakeId"])
            refused = isinstance(content, ClientError) and content.response["ResponseMetadata"]["HTTPStatusCode"] < 500
            if not refused:
                self.lost.add(self.sent[-1])
                self.evidence.last_effect = last


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


_SERIALS = _count()


# What the judge remembers of a run: what stood since each reading that may still count

Since = tuple[tuple[int, bool, frozenset[Any]], ...]
"""The number of a reading's first step, whether it is the policy's, and `World.says` or `World.shows` since then."""


@dataclass
class Stood:
    """`History`, of one run."""

    since: dict[int, frozenset[Any]]

    def between(self, first: Moment, last: Moment) -> Iterator[tuple[State, datetime, datetime]]:
        for stood in self.since[first.number]:
            if isinstance(stood, frozenset):
                parameters = {name: Parameter(text, 0, START) for name, text in stood}
                yield State(first.at, parameters, NOWHERE), first.at, last.at
            else:
                yield State(first.at, {}, stood[0]), first.at, last.at


def judge_send(run: Run, since: Since, world: World, worlds: Worlds) -> None:
    """Raises `Wrong` if what the run is about to send must not be sent."""
    step = run.next
    assert step is not None
    handshake_id = json.loads(step.request)["HandshakeId"]
    stood = Stood({number: what for number, _, what in since})

    def pends(moment: Moment) -> bool:
        return any(handshake_id in pending for _, pending in stood.since[moment.number])

    raw = worlds.shown(world, handshake_id)
    complaint = run.evidence.complaint(step.name, raw, pends, run.moment, stood)  # type: ignore[arg-type]
    if complaint:
        raise Wrong(f"{step.name} {handshake_id}: {complaint}")


def judge_end(run: Run, world: World) -> None:
    """Raises `Wrong` if a run that is over told what is not so."""
    assert run.report is not None
    told = {record.handshake.id: record for record in run.records}
    if list(run.report.records) != run.records or len(told) < len(run.records) or set(run.sent) - set(told):
        raise Wrong("not everything is told once")
    for handshake_id, record in told.items():
        state, outcome = world.handshakes[handshake_id].state.value, record.outcome.value
        claims = {"ACCEPTED": "ACCEPTED", "ALREADY_ACCEPTED": "ACCEPTED", "DECLINED": "DECLINED"}
        if state != claims.get(outcome, state) or record.attempts != run.sent.count(handshake_id):
            raise Wrong(f"{record.as_dict()}; it is {state}")
        may_come = handshake_id in run.lost and state in ("OPEN", "REQUESTED")
        if may_come and outcome not in ("ACCEPT_UNCONFIRMED", "RETRY_LATER"):
            raise Wrong(f"what was sent may still have its effect: {record.as_dict()}")


# All schedules


@dataclass(frozen=True)
class Scenario:
    """What stands at first, and what the person does."""

    name: str
    policy: dict[str, list[Json]]
    edits: tuple[Callable[[Worlds], object], ...]
    page_size: int = 10
    never: frozenset[str] = frozenset()
    """Invitations that are never to be accepted or declined, whoever is faster."""
    lost: str = ""
    """The operation whose answers are lost: it has its effect, and reads as 500."""
    lands_late: bool = False
    """Whether an accept is answered before it has its effect."""


@dataclass
class Explored:
    """What came of it."""

    schedules: int = 0
    states: int = 0
    worlds: int = 0
    runs: int = 0
    seconds: float = 0.0
    ends: set[str] = field(default_factory=set)
    """Every way in which the two invitations can end."""


Place = tuple[World, int, tuple[Run, Since], tuple[Run, Since]]


def explore(scenario: Scenario, most_steps: int = 10**6) -> Explored:
    """Walks through every state that some schedule leads to, or the first steps of each.

    Raises `Wrong`, with a schedule that leads there.
    """
    began = time.monotonic()
    worlds, first = Worlds(scenario), Run()
    layer: dict[Place, int] = {(worlds.first, 0, (first, ()), (first, ())): 1}
    told = Explored()
    layers: list[dict[Place, tuple[Place, str]]] = []
    while layer:
        told.states += len(layer)
        following: dict[Place, int] = {}
        came_from: dict[Place, tuple[Place, str]] = {}
        for place, schedules in layer.items():
            try:
                steps = list(_steps(place, scenario, worlds)) if len(layers) < most_steps else []
            except Wrong as wrong:
                raise Wrong(f"{scenario.name}: {wrong}\n{_schedule(place, layers)}") from None
            for label, step in steps:
                following[step] = following.get(step, 0) + schedules
                came_from.setdefault(step, (place, label))
            if not steps:
                told.schedules += schedules
                told.ends.add(" ".join(place[0].handshakes[each].state.value for each in (FIRST, SECOND)))
                _judge_last(place[0], scenario)
        layers.append(came_from)
        layer = following
    told.worlds, told.seconds = len(worlds._known), time.monotonic() - began
    return told


def _steps(place: Place, scenario: Scenario, worlds: Worlds) -> Iterator[tuple[str, Place]]:
    """Everything that can happen next."""
    world, edits, *runs = place
    if edits < len(scenario.edits):
        edited = world.edited(edits, scenario.edits[edits])
        yield f"edit {edits + 1}", _place(edited, edits + 1, *((run, _seen(since, edited)) for run, since in runs))
    if world.lands:
        landed = world.landed()
        yield "an accept lands", _place(landed, edits, *((run, _seen(since, landed)) for run, since in runs))
    for number, (run, since) in enumerate(runs):
        step = run.next
        if step is None:
            continue
        other, other_since = runs[1 - number]
        if step.name in ("AcceptHandshake", "DeclineHandshake"):
            judge_send(run, since, world, worlds)
        if step.choices:
            answers = [(world, each) for each in CHOICES[: step.choices]]
        elif step.name == "sleep":
            answers = [(world, DONE)]
        else:
            answers = [world.after(step)]
        for next_world, answer in answers:
            begun = _begun(run, since, world)
            mine = (run.after(answer), _seen(begun, next_world))
            if mine[0].report is not None:
                judge_end(mine[0], next_world)
                mine = (mine[0], ())
            label = f"{run.serial} -> {mine[0].serial}: {step.name} {step.request}"
            yield label, _place(next_world, edits, mine, (other, _seen(other_since, next_world)))


def _place(world: World, edits: int, one: tuple[Run, Since], two: tuple[Run, Since]) -> Place:
    """It does not matter which of two runs is which."""
    if one[0].serial > two[0].serial or (one[0] is two[0] and repr(one[1]) > repr(two[1])):
        one, two = two, one
    return world, edits, one, two


def _seen(since: Since, world: World) -> Since:
    """What stands now has stood since."""
    if all((world.says if says else world.shows) in stood for _, says, stood in since):
        return since
    return tuple((each, says, stood | {world.says if says else world.shows}) for each, says, stood in since)


def _begun(run: Run, since: Since, world: World) -> Since:
    """A reading begins now, where the next step begins one; those that do not count any more are forgotten."""
    if not run.begins_reading:
        return since
    assert run.next is not None
    says = run.next.name == "GetParametersByPath"
    stands = frozenset({world.says if says else world.shows})
    return (*(each for each in since if each[0] in run.readings), (len(run.answers), says, stands))


def _judge_last(world: World, scenario: Scenario) -> None:
    for each in world.handshakes.values():
        if each.accept_effects > 1:
            raise Wrong(f"{scenario.name}: accepted twice: {each.id}")
        if each.id in scenario.never and each.state in ("ACCEPTED", "DECLINED"):
            raise Wrong(f"{scenario.name}: {each.id} is {each.state}")
    if sum(each.state == "ACCEPTED" for each in world.handshakes.values()) > 1:
        raise Wrong(f"{scenario.name}: the account was moved twice")


def _schedule(place: Place, layers: list[dict[Place, tuple[Place, str]]]) -> str:
    labels = []
    for came_from in reversed(layers):
        place, label = came_from[place]
        labels.append(label)
    return "\n".join(reversed(labels))


# What the person does


def write(name: str, *statements: Json) -> Callable[[Worlds], object]:
    return lambda worlds: worlds.write(f"policy/{name}", document(*statements))


def delete(name: str) -> Callable[[Worlds], object]:
    return lambda worlds: worlds.write(f"policy/{name}", None)


def mode(mode: str) -> Callable[[Worlds], object]:
    return lambda worlds: worlds.write("mode", mode)


def cancel(worlds: Worlds) -> None:
    if worlds.service._handshakes[FIRST].state in ("OPEN", "REQUESTED"):
        worlds.service.call("CancelHandshake", MANAGEMENT, {"HandshakeId": FIRST})


ORIGIN = {"OrganizationId": OTHER_ORGANIZATION, "ManagementAccountId": OTHER_MANAGEMENT}
DECLINE = deny("No", Action="INVITE", Origin=ORIGIN, Respond="Decline")
BOTH = [allow(), allow("Other", OTHER_ORGANIZATION, OTHER_MANAGEMENT)]
DENY = write("deny", deny("Never"))

SMALL = (
    Scenario("a Deny comes, goes, and the brake", {"a": [allow(), DECLINE]}, (DENY, delete("deny"), mode("observe"))),
    Scenario("the brake comes, goes, and a Deny", {"a": [allow(), DECLINE]}, (mode("observe"), mode("enforce"), DENY)),
    Scenario("cancelled while the brake is on", {"a": [allow(), DECLINE]}, (mode("observe"), cancel, mode("enforce"))),
    Scenario(
        "two allowed, and one no longer",
        {"a": BOTH},
        (write("a", allow()), DENY, delete("deny")),
    ),
    Scenario(
        "a Deny moves between two pages",
        {"b": [allow()], "z": [deny("Guard")]},
        (write("a", deny("AlsoGuard")), delete("z"), mode("observe")),
        page_size=2,
        never=frozenset({FIRST, SECOND}),
    ),
)
LARGE = (
    *SMALL,
    Scenario(
        "a Deny moves between two pages, and something to decline",
        {"b": [allow(), DECLINE], "z": [deny("Guard")]},
        (write("a", deny("AlsoGuard")), delete("z"), delete("a")),
        page_size=2,
    ),
    Scenario(
        "the answers to accepts are lost",
        {"a": [allow(), DECLINE]},
        (DENY, mode("observe"), mode("enforce")),
        lost="AcceptHandshake",
    ),
    Scenario(
        "the answers to declines are lost",
        {"a": [allow(), DECLINE]},
        (DENY, delete("deny"), mode("observe")),
        lost="DeclineHandshake",
    ),
    Scenario(
        "accepts land late",
        {"a": [allow()]},
        (mode("observe"), DENY, delete("deny")),
        lands_late=True,
    ),
    Scenario(
        "four edits",
        {"a": [allow(), DECLINE]},
        (DENY, mode("observe"), mode("enforce"), delete("deny")),
    ),
)


def main() -> int:
    schedules = states = 0
    for scenario in LARGE:
        explored = explore(scenario)
        schedules, states = schedules + explored.schedules, states + explored.states
        told = f"{explored.schedules:,} schedules, {explored.states:,} states, {explored.worlds} worlds"
        print(
            f"{scenario.name}: {told}, {explored.seconds:.1f} s; ends: {', '.join(sorted(explored.ends))}", flush=True
        )
    print(f"{schedules:,} schedules, {states:,} states, 0 wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
