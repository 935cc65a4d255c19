"""One account's row of `status`: what was seen of it, and what that comes to.

It costs seven calls: one to enter the account, one each for stack, parameters, handshakes, organization, schedule and
log. Two more where a StackSet named the stack; a policy of more than ten parameters, or a long list or log, takes a
call for every further page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from handshake_acceptor.observed import LIST_UNREADABLE, ObservedState, is_pending
from handshake_acceptor.policy.decide import InvalidPolicy, Policy
from handshake_acceptor.policy.documents import Mode
from handshake_acceptor.reporting.record import Outcome
from handshake_core import retry
from handshake_core.handshake import Handshake, Role
from handshakectl.account.checks.acceptor import AcceptorChecks
from handshakectl.account.checks.finding import Finding, Unclear, Verdict, Wrong, finding
from handshakectl.account.counting import counts, lapsed
from handshakectl.account.deployment import Deployment, is_look
from handshakectl.account.standing import (
    POLITE_PERIOD,
    USUAL_PERIOD,
    Evidence,
    LastRecord,
    Standing,
    Waiting,
    Why,
    judge,
)
from handshakectl.account.waiting import decided
from handshakectl.output import label
from handshakectl.policy.mistakes import first_of
from handshakectl.policy.parameters import Parameters

NOT_DEPLOYED = "not deployed"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """How one account is. None is what could not be seen."""

    account_id: str | None
    profile: str | None
    verdict: Standing
    why: tuple[Why, ...] = ()
    organization: str = Role.UNKNOWN.value
    deployed: str | None = None
    """The stack's status, or `NOT_DEPLOYED`."""
    mode: str | None = None
    policy_version: str | None = None
    pending: int | None = None
    """How many handshakes wait, strangers' included."""
    last_run: datetime | None = None
    last_look: datetime | None = None
    """When the last run that could list the handshakes ended."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"last_run": _iso(self.last_run), "last_look": _iso(self.last_look)}

    def cells(self) -> list[str]:
        """For a table with `HEADERS`."""
        seen = (self.organization, self.deployed, self.mode, self.policy_version)
        pending = None if self.pending is None else str(self.pending)
        unseen = "-" if self.deployed == NOT_DEPLOYED else "?"
        why = "; ".join(f"{each.code}: {each.message}" for each in self.why)
        cells = (cell or unseen for cell in (*seen, pending, _iso(self.last_look)))
        return [self.verdict, label(self.account_id, self.profile), *cells, why]


HEADERS = ("verdict", "account", "organization", "deployed", "mode", "policy", "pending", "last look", "why")


def row_of(deployed: Deployment, profile: str | None, expected: str | None) -> Row:
    """How the account is. It raises nothing: what cannot be read is part of the answer."""
    now, account_id = datetime.now(UTC), deployed.caller.account_id
    check = AcceptorChecks(deployed)
    findings = [
        finding("region", check.region),
        finding("stack", check.stack),
        finding("organization", lambda: deployed.account.organization),
    ]
    stack, account = _seen(lambda: deployed.stack), _seen(lambda: deployed.account)
    organization = account.organization if account else Role.UNKNOWN.value
    if findings[1].verdict is Verdict.WRONG and stack is None:
        nothing = Evidence(now, USUAL_PERIOD, organization, None, None, None, mistakes=tuple(_mistakes(findings)))
        return Row(account_id, profile, *judge(nothing, expected), organization, NOT_DEPLOYED)
    findings += [
        finding("policy", lambda: str(deployed.parameters.mode)),
        finding("handshakes", lambda: str(len(deployed.handshakes))),
        finding("log", lambda: str(len(deployed.said))),
    ]
    parameters, listed = _seen(lambda: deployed.parameters), _seen(lambda: deployed.handshakes)
    said = _seen(lambda: deployed.said) or []
    runs = [(at, record) for at, record in said if record["message"] == "run"]
    looks = [at for at, record in runs if is_look(record) and not _list_unread(record)]
    polite = any(not is_look(record) for _, record in runs)
    mode, policy = (parameters.shown_mode, parameters.snapshot().policy) if parameters else (None, None)
    valid = policy if isinstance(policy, Policy) else None
    pending = None if listed is None else [each for each in listed if is_pending(each, now)]
    waiting: tuple[Waiting, ...] = ()
    if parameters and account:
        view = ObservedState(tuple(pending or ()), parameters.snapshot(), account, len(pending or ()))
        waiting = tuple(_waiting(view, valid, said, expected))
    known = [each for each in listed or () if isinstance(each, Handshake) and counts(each, valid, expected)]
    mistakes = [*_mistakes(findings), *([] if waiting else _failed(runs))]
    evidence = Evidence(
        now,
        max(deployed.period, POLITE_PERIOD) if polite else deployed.period,
        organization,
        None if mode == "INVALID" else Mode(mode or Mode.OBSERVE),
        _changed(parameters) if parameters else None,
        looks[-1] if looks else None,
        stack.get("CreationTime") if stack else None,
        tuple(mistakes),
        Why("POLICY_INVALID", first_of(policy)) if isinstance(policy, InvalidPolicy) else None,
        waiting,
        lapsed(known, organization, now) if account else None,
    )
    verdict, why = judge(evidence, expected)
    unclear = tuple(_why(each) for each in findings if each.verdict is Verdict.CANNOT_TELL)
    if unclear and verdict is not Standing.JOINED and not mistakes:
        verdict, why = Standing.UNREACHABLE, unclear  # what could not be seen may be what is wrong
    return Row(
        account_id,
        profile,
        verdict,
        why,
        organization,
        stack["StackStatus"] if stack else None,
        mode,
        valid.version if valid else None,
        None if pending is None else len(pending),
        runs[-1][0] if runs else None,
        evidence.last_look,
    )


def standing_of(deployed: Deployment) -> str:
    """The same for `doctor`: what waits here, unless a person is needed for it, which it raises."""
    row = row_of(deployed, None, None)
    why = "; ".join(f"{each.code}: {each.message}" for each in row.why)
    match row.verdict:
        case Standing.UNREACHABLE:
            raise Unclear(why, "ask with credentials that may read it")
        case Standing.STUCK | Standing.WRONG:
            raise Wrong(f"{row.verdict}: {why}", "handshakectl pending says more; the runbook, what to do")
    return f"{row.verdict}: {why}" if why else f"{row.pending} pending, none of them awaited; in {row.organization}"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None


def _mistakes(findings: Iterable[Finding]) -> Iterator[Why]:
    return (_why(each) for each in findings if each.verdict is Verdict.WRONG)


def _failed(runs: list[tuple[datetime, dict[str, Any]]]) -> Iterator[Why]:
    """That the last run failed. Where something waits, what it said of that tells more."""
    if runs and (failures := runs[-1][1].get("failures")):
        yield Why("RUN_FAILED", f"the last run failed: {', '.join(map(str, failures))}")


def _waiting(
    view: ObservedState, policy: Policy | None, said: list[tuple[datetime, dict[str, Any]]], expected: str | None
) -> Iterator[Waiting]:
    """What waits and counts, as the function would decide it now, each with what its last run said."""
    last = {record.get("handshake_id"): (at, record) for at, record in said if record["message"] == "decision"}
    for each in decided(view):
        known = each.handshake if isinstance(each.handshake, Handshake) else None
        # Of one that cannot be read nobody can tell whose it is: it may be the one that is awaited.
        if known is None or counts(known, policy, expected):
            yield Waiting(
                known.requested_at if known else None,
                each.decision.kind,
                Why(each.decision.kind.value, "; ".join(reason.message for reason in each.reasons)),
                _last(*last[each.handshake.id]) if each.handshake.id in last else None,
                each.outcome is Outcome.NEEDS_HUMAN,
            )


def _last(at: datetime, record: dict[str, Any]) -> LastRecord:
    outcome = str(record.get("outcome"))
    return LastRecord(at, outcome, Why(outcome, str(record.get("summary") or outcome)))


def _changed(parameters: Parameters) -> datetime | None:
    dates = (raw.get("LastModifiedDate") for raw in parameters.raw.values())
    return max((each for each in dates if isinstance(each, datetime)), default=None)


def _list_unread(record: dict[str, Any]) -> bool:
    """Whether a run says that it could not list the account's handshakes."""
    told = [*(record.get("failures") or ()), *(record.get("postponed") or ())]
    return any(str(each).startswith(LIST_UNREADABLE) for each in told)


def _why(found: Finding) -> Why:
    advice = f"; {found.advice}" if found.advice else ""
    return Why(found.check.upper().replace(" ", "_"), f"{found.why}{advice}")


def _seen(read: Callable[[], T]) -> T | None:
    """What a check has read already; None where AWS refused it, which is that check's own answer."""
    try:
        return read()
    except retry.READ_FAILURES:
        return None
