"""The function's entry point: makes the parts, runs them, and fails only for what a minute may cure."""

from __future__ import annotations

import gc

# What imports make is kept. The collector would look through all of it again and again: a fourteenth of a cold start.
gc.disable()

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import botocore.session
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.policy.store import PolicyStore
from handshake_acceptor.reconcile import Memory, Reconcile
from handshake_acceptor.reporting.record import Report
from handshake_acceptor.reporting.telemetry import Telemetry
from handshake_acceptor.state import StateReader
from handshake_acceptor.sweeps.memory import LONGEST_PERIOD, SweepMemory
from handshake_acceptor.sweeps.polite import PoliteSweeps
from handshake_acceptor.trigger import Trigger
from handshake_core import retry

if TYPE_CHECKING:
    from handshake_acceptor.reporting.decision_bus import DecisionBus

_SWEEP_MINUTES = int(os.environ.get("SWEEP_MINUTES", "5"))
_PREFIX = os.environ.get("POLICY_PATH", "/handshake-acceptor/")
_CONFIG = retry.client_config("handshake-acceptor")
_SESSION = botocore.session.get_session()
_ORGANIZATIONS = _SESSION.create_client("organizations", config=_CONFIG)
_SSM = _SESSION.create_client("ssm", config=_CONFIG)
_READER = ThreadPoolExecutor(max_workers=2)
_MEMORY = Memory()
_SWEEPS = SweepMemory()


def _decision_bus() -> DecisionBus | None:
    """The bus that is told what becomes of handshakes. Where there is none, nobody waits for its code to load."""
    if not (bus := os.environ.get("DECISION_BUS")):
        return None
    from handshake_acceptor.reporting.decision_bus import DecisionBus

    return DecisionBus(bus, partial(_SESSION.create_client, "events", config=_CONFIG))


_TOLD = _decision_bus()

logger = Logger()
metrics = Metrics()

gc.freeze()
gc.enable()


class RunFailed(Exception):
    """The run left something undone that a minute may cure; every decision is in the log."""


@logger.inject_lambda_context
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Reconciles this account's handshakes with the policy, whatever the event is.

    Answers with the run's decision records. Raises `RunFailed` at the very end, so that an asynchronous invocation is
    retried and then goes to the failure queue.
    """
    trigger = Trigger.from_event(event)
    clock = retry.real_clock(lambda: context.get_remaining_time_in_millis() / 1000)
    telemetry = Telemetry(logger, metrics, clock.now)
    # The account is read off the function itself, never off the event: arn:partition:lambda:region:account:function:…
    _, partition, _, _, account_id, *_ = context.invoked_function_arn.split(":")
    run_id = context.aws_request_id
    working = clock
    if _TOLD:
        _TOLD.catch_up(clock, telemetry.refused)
        working = _TOLD.leaves_time(clock)
    store = PolicyStore(_SSM, working, _PREFIX)

    def look(organizations: Organizations) -> Report:
        states = StateReader(organizations, store, _READER, working, account_id, partition)
        return Reconcile(organizations, states, working, telemetry.decision, _MEMORY, run_id).run(trigger)

    # What was sent and is not confirmed is not left for an hour.
    insists = bool(_MEMORY.unconfirmed) or _SWEEP_MINUTES > LONGEST_PERIOD
    sweeps = PoliteSweeps(_SWEEPS, _ORGANIZATIONS, store, working, account_id)
    report = sweeps.run(trigger, look, insists=insists)
    if _TOLD:
        unsent = _TOLD.tell(clock, report, account_id, run_id, telemetry.refused)
        report = replace(report, failures=report.failures + unsent)
    telemetry.run(report, trigger)
    if report.failures:
        raise RunFailed(", ".join(report.failures))
    return {
        "mode": report.snapshot.mode.value,
        "decisions": [record.as_dict() for record in report.records],
    }
