"""What each outcome and each reason is called wherever it is told: docs/outcomes.md, made from runs of the function.

`status`, `doctor`, `pending`, `run`, the alarms and the events must not disagree: nowhere is something well that is
stuck elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from handshake_acceptor.observed import ObservedState, is_pending
from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.decide import DecisionKind
from handshake_acceptor.reporting.metric import NAMESPACE
from handshake_acceptor.reporting.record import Outcome, Record, Report
from handshake_acceptor.reporting.telemetry import Telemetry
from handshake_acceptor.trigger import Trigger
from handshake_core.errors import SERVICE_CONTROL_POLICY, TABLE
from handshake_core.handshake import Handshake
from handshake_core.retry import Clock
from handshakectl.account.checks.finding import Verdict, finding
from handshakectl.account.session import Caller
from handshakectl.account.standing import Standing
from handshakectl.account.status import row_of, standing_of
from handshakectl.account.waiting import decided
from handshakectl.commands import pending, run
from handshakectl.policy.parameters import Parameters
from local.cloudwatch.metrics import read
from local.world import (
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OTHER_MANAGEMENT,
    OTHER_ORGANIZATION,
    PREFIX,
    World,
    allow,
    client_error,
    deny,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "outcomes.md"
HEADERS = ("decision", "outcome", "`status`", "`doctor`", "`run` exits", "rings", "asks for a person", "when")

ON_ITS_WAY = (Standing.JOINED, Standing.OK, Standing.WAITING, Standing.NOT_INVITED)
_ALARMS = dict(
    re.findall(
        r'AlarmSpec\(\s*"([a-z-]+)".*?metric=own\(Metric\.(\w+)',
        (ROOT / "infra/handshake_acceptor_cdk/monitoring/alarms.py").read_text("utf-8").partition("def _specs")[2],
        re.DOTALL,
    )
)


@dataclass(frozen=True)
class Told:
    """One situation, and what each says of it."""

    situation: str
    record: Record
    failed: bool
    status: Standing
    expecting: Standing
    doctor: Verdict
    pending: tuple[str, ...]
    ran_well: bool
    rings: tuple[str, ...]

    def cells(self) -> tuple[str, ...]:
        """A row of the table, but for when it is so."""
        words = (self.record.decision.kind, self.record.outcome, self.status, self.doctor)
        ran = "0" if self.ran_well and not self.failed else "1"
        person = "yes" if self.record.needs_person else ""
        return (*(f"`{each}`" for each in words), ran, ", ".join(f"`{each}`" for each in self.rings), person)


def world() -> World:
    made = World(now=datetime.now(UTC) - timedelta(minutes=1), timeout=30.0)
    made.policy(allow())
    return made


def refusing(code: str, reason: str | None = None, message: str = "") -> World:
    """AWS answers every attempt to accept with this."""
    made = world()
    made.invite()

    def before(operation: str) -> None:
        if operation == "AcceptHandshake":
            raise client_error(code, reason=reason, message=message)

    made.client.before = before
    return made


def errors() -> Iterator[tuple[str, World]]:
    """Every row of the table of errors: a reason of AWS, or else a code."""
    for name in TABLE:
        if name == SERVICE_CONTROL_POLICY:
            refusal = "with an explicit deny in a service control policy"
            yield f"`{name}`", refusing("AccessDeniedException", message=refusal)
        elif name.isupper():
            yield f"`{name}`", refusing("HandshakeConstraintViolationException", name)
        else:
            yield f"`{name}`", refusing(name)
    yield "an error that nobody knows", refusing("SomethingNewException")


def _allowed(made: World) -> None:
    made.invite()


def _by_hand(made: World) -> object:
    handshake_id = made.invite()
    made.service.call("AcceptHandshake", MEMBER, {"HandshakeId": handshake_id})
    return made.hint(handshake_id)


def _braked(made: World) -> None:
    made.mode("observe")
    made.invite()


def _denied(made: World) -> None:
    made.policy(allow(), deny())
    made.invite()


def _declined(made: World) -> None:
    made.policy(
        deny(
            Action="INVITE",
            Origin={"OrganizationId": ORGANIZATION, "ManagementAccountId": MANAGEMENT},
            Respond="Decline",
        )
    )
    made.invite()


def _a_stranger(made: World) -> None:
    made.invite(OTHER_MANAGEMENT)


def _nothing_allowed(made: World) -> None:
    made.policy()
    made.invite()


def _nearly_allowed(made: World) -> None:
    made.policy(allow(Condition={"NotAfter": "2026-01-31T00:00:00Z"}))
    made.invite()


def _mistaken(made: World) -> None:
    made.parameters.values[f"{PREFIX}policy/allowlist"] = "{"
    made.invite()


def _ambiguous(made: World) -> None:
    made.policy(allow(organization=[ORGANIZATION, OTHER_ORGANIZATION], account=[MANAGEMENT, OTHER_MANAGEMENT]))
    made.invite()
    made.invite(OTHER_MANAGEMENT)


def _ineligible(made: World) -> None:
    made.service.call("CreateOrganization", MEMBER, {"FeatureSet": "ALL"})
    made.invite()


SITUATIONS: dict[str, Callable[[World], object]] = {
    "allowed": _allowed,
    "accepted already, by hand or by another run": _by_hand,
    "allowed, and the mode is `observe`": _braked,
    "a Deny leaves it": _denied,
    "a Deny declines it": _declined,
    "a stranger's, of which no statement speaks": _a_stranger,
    "nothing is allowed at all": _nothing_allowed,
    "an Allow names its origin, and does not match": _nearly_allowed,
    "the policy has a mistake": _mistaken,
    "two organizations are allowed at once": _ambiguous,
    "this account's role may not accept it": _ineligible,
}


def told(situation: str, made: World, event: object = None) -> Told:
    """What each says of the first handshake after one run."""
    report = made.run(event)
    record = report.records[0]
    made.client.before = lambda operation: None
    deployed = _deployed(made, report)
    waiting = tuple(each for each in deployed.handshakes if is_pending(each, datetime.now(UTC)))
    plans = decided(ObservedState(waiting, report.snapshot, deployed.account, len(waiting)))
    last = {"outcome": record.outcome.value, "summary": record.summary}
    answered = run._Ran(None, None, "enforce", tuple(each.as_dict() for each in report.records))
    return Told(
        situation,
        record,
        bool(report.failures),
        row_of(deployed, None, None).verdict,
        row_of(deployed, None, record.as_dict()["organization_id"]).verdict,
        finding("handshakes", lambda: standing_of(deployed)).verdict,
        tuple(pending._row(plans[0], last)[:3]) if plans else (),
        answered.well,
        tuple(_rings(report, made.now)),
    )


def _deployed(made: World, report: Report) -> Any:
    """What `handshakectl` reads of the account after the run."""
    at = made.now
    clock = Clock(now=lambda: at, remaining=lambda: 100.0, sleep=lambda _: None, random=lambda: 1.0)
    raw = made.client.list_handshakes_for_account()["Handshakes"]
    parameters = {n: {"Name": n, "Value": v, "Type": "String"} for n, v in made.parameters.values.items()}
    said = [(at, {"message": "decision"} | each.as_dict()) for each in report.records]
    ended = {"message": "run", "failures": list(report.failures), "postponed": list(report.postponed)}
    return SimpleNamespace(
        aws=SimpleNamespace(region="us-east-1"),
        caller=Caller(MEMBER, "aws", "mary"),
        prefix=PREFIX,
        name="handshake-acceptor",
        stack={"StackName": "HandshakeAcceptor", "StackStatus": "CREATE_COMPLETE", "CreationTime": at},
        outputs={},
        account=Organizations(made.client, clock).account(MEMBER, "aws"),
        parameters=Parameters(PREFIX, parameters),
        snapshot=Parameters(PREFIX, parameters).snapshot(),
        handshakes=[Handshake.from_api(each, listed=True) for each in raw],
        said=[*said, (at, ended)],
        period=timedelta(minutes=5),
    )


def _rings(report: Report, now: datetime) -> Iterator[str]:
    """The alarms that hear the run's metrics at once."""
    out = StringIO()
    metrics = Metrics(namespace=NAMESPACE, service="test-told")
    telemetry = Telemetry(Logger(service="test-told", stream=StringIO()), metrics, lambda: now)
    with redirect_stdout(out):
        for record in report.records:
            telemetry.decision(record)
        telemetry.run(report, Trigger.from_event({}))
    seen = {datum.name for line in out.getvalue().splitlines() for datum in read(line)}
    for alarm, metric in _ALARMS.items():
        if metric.title().replace("_", "") in seen and metric != "HOURS_LEFT":
            yield alarm
    if report.failures:
        yield "runs-fail"


@pytest.fixture(scope="module")
def rows() -> list[Told]:
    found = [told(situation, made) for situation, made in errors()]
    for situation, prepare in SITUATIONS.items():
        made = world()
        event = prepare(made)
        found.append(told(situation, made, event))
    return found


def test_every_outcome_decision_and_error_is_there(rows: list[Told]) -> None:
    assert {one.record.decision.kind for one in rows} == set(DecisionKind)
    assert {one.record.outcome for one in rows} == set(Outcome)
    assert len(rows) == len(TABLE) + 1 + len(SITUATIONS)


def test_nowhere_is_well_what_is_stuck_elsewhere(rows: list[Told]) -> None:
    for one in rows:
        needs_somebody = one.record.needs_person or not one.ran_well or bool({*one.rings} - {"runs-fail"})
        for verdict in (one.status, one.expecting):
            assert not (needs_somebody and verdict in ON_ITS_WAY), one
        assert (one.doctor is Verdict.OK) is (one.status in ON_ITS_WAY), one
        if one.status not in ON_ITS_WAY and one.pending:
            assert one.pending[0] != "ACCEPT" or one.pending[2] != "ACCEPTED", one


def test_the_page_has_the_table(rows: list[Told]) -> None:
    when: dict[tuple[str, ...], list[str]] = {}
    for one in rows:
        when.setdefault(one.cells(), []).append(one.situation)
    table = [HEADERS, ("---",) * len(HEADERS), *((*cells, ", ".join(each)) for cells, each in when.items())]
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    page = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    assert page == lines, "\n".join(["docs/outcomes.md is to have:", *lines])
