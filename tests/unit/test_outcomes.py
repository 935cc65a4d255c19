"""What becomes of each decision and each outcome, wherever one is told from another.

A new one fails here until it is said what every consumer makes of it; so does a consumer that is not known here.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from aws_lambda_powertools import Logger, Metrics

from handshake_acceptor.policy.decide import DecisionKind
from handshake_acceptor.reporting.decision_events import EXPIRES_SOON, with_expiry
from handshake_acceptor.reporting.metric import NAMESPACE, Metric
from handshake_acceptor.reporting.record import MORE_REASONS, Outcome, Record, Report
from handshake_acceptor.reporting.telemetry import Telemetry
from handshake_acceptor.sweeps.memory import LastLook
from handshake_acceptor.trigger import Trigger
from handshake_core.handshake import Reason, invalid_handshake
from handshakectl.output import COLOURS
from local.cloudwatch.metrics import read
from local.world import World, allow, deny
from tests.support.told import REFUSED

ROOT = Path(__file__).parents[2]

# Whether the handshake still waits; its own metric; its colour in a terminal; whether the query `retries` has it.
OUTCOMES: dict[Outcome, tuple[bool, Metric | None, str | None, bool]] = {
    Outcome.ACCEPTED: (False, Metric.ACCEPTED, "green", False),
    Outcome.ALREADY_ACCEPTED: (False, None, "green", False),
    Outcome.ACCEPT_UNCONFIRMED: (True, None, None, True),
    Outcome.OBSERVED: (True, None, None, False),
    Outcome.DECLINED: (False, Metric.DECLINED, "red", False),
    Outcome.LEFT_PENDING: (True, None, None, False),
    Outcome.RETRY_LATER: (True, None, None, True),
    Outcome.NEEDS_HUMAN: (True, Metric.NEEDS_HUMAN, "red", False),
}
SKIPPED_OVER = {Outcome.OBSERVED, Outcome.LEFT_PENDING}
"""What may wait while a polite process skips its list: no later run brings it further by itself."""
# Whether it counts as a near miss, if it is one, and whether its expiry is told; its colour in a terminal.
DECISIONS: dict[DecisionKind, tuple[bool, bool, str | None]] = {
    DecisionKind.ACCEPT: (False, True, "green"),
    DecisionKind.DENY: (False, False, "red"),
    DecisionKind.DECLINE: (False, True, "red"),
    DecisionKind.NO_MATCH: (True, True, None),
    DecisionKind.INELIGIBLE: (True, True, None),
    DecisionKind.POLICY_INVALID: (False, True, "red"),
}
CONSUMERS = {
    "lambda/handshake_acceptor/plan.py",  # which are acted on, and what becomes of the others
    "lambda/handshake_acceptor/policy/decide.py",
    "lambda/handshake_acceptor/reconcile.py",
    "lambda/handshake_acceptor/reporting/decision_events.py",
    "lambda/handshake_acceptor/reporting/record.py",
    "lambda/handshake_acceptor/reporting/telemetry.py",
    "infra/handshake_acceptor_cdk/events/hub_bus.py",  # which become a message
    "lambda/handshake_acceptor/sweeps/memory.py",
    "infra/handshake_acceptor_cdk/monitoring/alarms.py",  # in words
    "infra/handshake_acceptor_cdk/monitoring/saved_queries.py",
    "cli/handshakectl/account/standing.py",
    "cli/handshakectl/commands/pending.py",
    "cli/handshakectl/commands/run.py",
    "cli/handshakectl/commands/offline/simulate.py",
    "cli/handshakectl/account/status.py",
    "cli/handshakectl/account/verification/wakes.py",  # of the hint that it made up
    "cli/handshakectl/output.py",
    "cli/handshakectl/policy/unreachable.py",
    "local/demo/__main__.py",
    "bench/policy_scale.py",
    "bench/simulation/fleet.py",
}
ALSO_STATES = {"ACCEPTED", "DECLINED"}
"""Of a handshake: who names only these may mean the state."""


@pytest.fixture(scope="module")
def record() -> Record:
    """Of a handshake that waits."""
    world = World()
    world.policy(deny())
    world.invite()
    (found,) = world.run().records
    return found


def metrics_of(record: Record) -> set[str]:
    metrics = Metrics(namespace=NAMESPACE, service="test-outcomes")
    now = World().now
    telemetry = Telemetry(Logger(service="test-outcomes", stream=StringIO()), metrics, lambda: now)
    out = StringIO()
    snapshot = World().run().snapshot
    with redirect_stdout(out):
        telemetry.decision(record)
        telemetry.run(Report((record,), (), 1, snapshot), Trigger.from_event({}))
    return {datum.name for line in out.getvalue().splitlines() for datum in read(line)}


def test_each_is_said_here() -> None:
    assert set(OUTCOMES) == set(Outcome)
    assert set(DECISIONS) == set(DecisionKind)


@pytest.mark.parametrize("outcome", Outcome)
def test_what_an_outcome_means_to_others(record: Record, outcome: Outcome) -> None:
    pending, metric, colour, retried = OUTCOMES[outcome]
    told = replace(record, outcome=outcome)
    assert told.pending is pending
    own = {Metric.ACCEPTED, Metric.DECLINED, Metric.NEEDS_HUMAN}
    assert metrics_of(told) & own == ({metric} if metric else set())
    assert COLOURS.get(outcome) == colour
    queries = (ROOT / "infra/handshake_acceptor_cdk/monitoring/saved_queries.py").read_text("utf-8")
    retries = queries.partition("RETRIES")[2].partition("Query(")[2].partition("stats")[0]
    assert (f'outcome = "{outcome}"' in retries) is retried


@pytest.mark.parametrize("outcome", [each for each, (pending, *_) in OUTCOMES.items() if pending])
def test_whether_a_sweep_may_skip_what_waits(record: Record, outcome: Outcome) -> None:
    snapshot, now = World().run().snapshot, World().now
    last = LastLook(now, snapshot, (replace(record, outcome=outcome),))
    assert last.wants_another(snapshot, now) is (outcome not in SKIPPED_OVER)


@pytest.mark.parametrize("kind", DecisionKind)
def test_what_a_decision_means_to_others(record: Record, kind: DecisionKind) -> None:
    unnamed, expiry, colour = DECISIONS[kind]
    for near_miss in (True, False):
        decision = replace(record.decision, kind=kind, near_miss=near_miss)
        metrics = metrics_of(replace(record, decision=decision))
        told = (unnamed, expiry) if near_miss or not unnamed else (False, False)
        assert (Metric.NOT_ALLOWED in metrics, Metric.HOURS_LEFT in metrics) == told
    assert COLOURS.get(kind) == colour


@pytest.mark.parametrize("kind", DecisionKind)
@pytest.mark.parametrize("outcome", Outcome)
def test_who_needs_a_person(record: Record, outcome: Outcome, kind: DecisionKind) -> None:
    wanted = outcome is Outcome.NEEDS_HUMAN or (
        outcome in (Outcome.LEFT_PENDING, Outcome.OBSERVED)
        and kind in (DecisionKind.ACCEPT, DecisionKind.POLICY_INVALID)
    )
    told = replace(record, outcome=outcome, decision=replace(record.decision, kind=kind))
    assert told.needs_person is wanted
    assert told.summary.partition(": ")[2]


def test_who_cannot_be_believed_needs_a_person_while_it_waits(record: Record) -> None:
    decision = replace(record.decision, kind=DecisionKind.INELIGIBLE)
    for finished in (False, True):
        unknown = invalid_handshake("h-examplehandshakeid111", "ARN", "is not one", "", finished=finished)
        told = replace(record, handshake=unknown, decision=decision, outcome=Outcome.LEFT_PENDING)
        assert told.needs_person is not finished
        assert told.summary.startswith("A handshake")


def test_a_summary_is_one_line_of_bounded_length(record: Record) -> None:
    reasons = (Reason("LONG", "x" * 1000),)
    assert len(replace(record, reasons=reasons).summary) == 600


def test_a_summary_is_plain_text_whatever_a_policy_quotes(record: Record) -> None:
    reasons = (Reason("POLICY_INVALID", 'at "a\\b":\n\tnot\x0b\x00 one'),)
    assert replace(record, reasons=reasons).summary.endswith(": at 'a/b': not one.")


def test_a_record_tells_of_the_first_twenty_statements_and_counts_the_others() -> None:
    """Ten documents of the greatest size, each with as many statements as it holds. A line of the log has 256 KB:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html, and so have ten events:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html.
    """
    world = World()
    for letter in "abcdefghij":
        world.policy(*(deny(f"{letter}{number:03}") for number in range(200)), name=letter)
    world.invite()
    (record,) = world.run().records
    told = record.as_dict()
    assert told["sids"] == [f"a{number:03}" for number in range(20)]
    assert [each.get("sid") for each in told["reasons"]] == [*told["sids"], None]
    more = {"code": MORE_REASONS, "message": "and 1,980 more reasons", "count": "1980"}
    assert told["reasons"][-1] == more
    assert record.summary.endswith(": left pending: a000 denies it (LeavePending); and 1,980 more reasons.")
    assert len(record.decision.sids) == len(record.decision.reasons) == 2_000
    assert len(json.dumps(told)) < 256_000 / 10


@pytest.mark.parametrize(("allows", "more"), [(20, 0), (21, 1), (30, 10)])
def test_a_record_keeps_every_reason_that_is_not_the_policys(allows: int, more: int) -> None:
    world = World()
    world.policy(*(allow(f"Join{number:02}") for number in range(allows)))
    world.invite()
    world.now += timedelta(days=14)
    world.service.inject(REFUSED)
    (record,) = world.run().records
    reasons = with_expiry(record, world.now).as_dict()["reasons"]
    codes = [EXPIRES_SOON, *["ALLOWED"] * 20, *[MORE_REASONS] * bool(more), REFUSED.code]
    assert [each["code"] for each in reasons] == codes
    assert [each["count"] for each in reasons if each["code"] == MORE_REASONS] == [str(more)] * bool(more)
    assert "Give the account a payment method" in record.summary


@pytest.mark.parametrize(("heading", "kinds"), [("decision", DecisionKind), ("outcome", Outcome)])
def test_the_readme_explains_each(heading: str, kinds: type[DecisionKind] | type[Outcome]) -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition(f"| {heading} | means |\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(kinds)


def test_the_policys_page_names_each() -> None:
    page = (ROOT / "docs" / "policy.md").read_text("utf-8").partition("## Reading a decision")[2].partition("\n## ")[0]
    assert [each for each in (*DecisionKind, *Outcome) if f"`{each}`" not in page] == []


def test_each_outcome_can_come() -> None:
    folder = ROOT / "lambda" / "handshake_acceptor"
    text = "".join((folder / name).read_text("utf-8") for name in ("plan.py", "reconcile.py"))
    assert [each for each in Outcome if f"Outcome.{each.name}" not in text] == []


def named(path: Path) -> Iterator[str]:
    """The decisions and outcomes that a module names, as members or in texts."""
    words = re.compile("|".join(rf"\b{each}\b" for each in (*DecisionKind, *Outcome)))
    tree = ast.parse(path.read_text("utf-8"))
    imported = {each.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for each in node.names}
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in {"DecisionKind", "Outcome"} & imported and node.attr in {*DecisionKind, *Outcome}:
                yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from words.findall(node.value)


def test_every_consumer_is_known() -> None:
    elsewhere = {"service", "handshake_core"}  # the model of AWS, and what it names
    paths = [path for top in ("lambda", "infra", "cli", "local", "bench") for path in (ROOT / top).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): set(named(path)) for path in paths if not elsewhere & set(path.parts)}
    assert {path for path, names in found.items() if names - ALSO_STATES} == CONSUMERS
