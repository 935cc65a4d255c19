"""`handshakectl pending`: which handshakes wait in this account, and what would the function do about each?"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import typer

from cli.aws import PREFIX, Aws, Caller, Prefix, Profile, Region, clock, prefix
from cli.output import Json, say, say_json, say_table
from cli.verbs import NO, YES
from handshake_acceptor.organizations import Organizations, unknown_account
from handshake_acceptor.plan import Plan, plan
from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy
from handshake_acceptor.policy.store import PolicySnapshot, PolicyStore
from handshake_acceptor.record import Outcome, Record
from handshake_acceptor.state import ObservedState, is_pending, urgency
from handshake_acceptor.trigger import Trigger, TriggerKind

app = typer.Typer(add_completion=False)

_TRIGGER = Trigger(TriggerKind.MANUAL, "", None)
_NOT_YET = ("outcome", "trigger", "attempts")  # keys of a record that only a run can fill


@app.command()
def pending(
    profile: Profile = None,
    region: Region = None,
    path: Prefix = PREFIX,
    as_json: Json = False,
) -> int:
    """Show the account's pending handshakes, each with the decision it would get.

    Nothing is accepted or declined. Exit status 1 if the policy is invalid, so that nothing can be allowed.
    """
    aws, where = Aws(profile, region), prefix(path)
    caller = aws.caller()
    organizations = Organizations(aws.client("organizations"), clock())
    view = look(organizations, PolicyStore(aws.client("ssm"), clock(), where).read, caller)
    plans = decided(view)
    policy = view.snapshot.policy
    valid = not isinstance(policy, InvalidPolicy)
    if as_json:
        say_json(
            {
                "account_id": view.account.id,
                "role": view.account.role.value,
                "organization": view.account.organization,
                "mode": view.snapshot.mode.value,
                "policy_version": None if isinstance(policy, InvalidPolicy) else policy.version,
                "errors": [str(error) for error in policy.told] if isinstance(policy, InvalidPolicy) else [],
                "handshakes": [_as_dict(each) for each in plans],
            }
        )
        return YES if valid else NO
    say(f"account {view.account.id}, {view.account.role} in {view.account.organization}, mode {view.snapshot.mode}")
    if isinstance(policy, InvalidPolicy):
        for error in policy.told:
            say(f"the policy is invalid: {error}", "red")
    if plans:
        headers = ("decision", "expected", "handshake", "action", "organization", "management", "expires", "why")
        say_table(headers, [_row(each) for each in plans])
    else:
        say("no handshake is pending")
    return YES if valid else NO


def look(
    organizations: Organizations, read: Callable[[], PolicySnapshot], caller: Caller, *, ask_always: bool = True
) -> ObservedState:
    """The same view that a run of the function begins with; unless `ask_always` it asks, like a run, what it must."""
    listed = organizations.list()
    now = datetime.now(UTC)
    waiting = sorted((each for each in listed.handshakes if is_pending(each, now)), key=urgency)
    of = organizations.account if waiting or ask_always else unknown_account
    account = of(caller.account_id, caller.partition)
    return ObservedState(tuple(waiting), read(), account, listed.count)


def decided(view: ObservedState) -> list[Plan]:
    """Each handshake of a view with the decision it would get now."""
    return plan(view, _TRIGGER, datetime.now(UTC))


def nobody_allows(view: ObservedState) -> int:
    """How many handshakes of a view no statement allows or denies: what the alarm of that name counts."""
    return sum(each.decision.kind in (DecisionKind.NO_MATCH, DecisionKind.INELIGIBLE) for each in decided(view))


def _expected(planned: Plan) -> Outcome:
    """What a run would make of it, if AWS lets it."""
    if planned.outcome is not None:
        return planned.outcome
    return Outcome.DECLINED if planned.decision.kind is DecisionKind.DECLINE else Outcome.ACCEPTED


def _as_dict(planned: Plan) -> dict[str, Any]:
    """The decision record that a run would write, as far as it is known before."""
    record = Record(
        planned.handshake, planned.decision, _expected(planned), planned.reasons, _TRIGGER, planned.mode, attempts=0
    ).as_dict()
    return {"expected": record["outcome"]} | {key: value for key, value in record.items() if key not in _NOT_YET}


def _row(planned: Plan) -> list[str]:
    record = _as_dict(planned)
    why = "; ".join(reason["message"] for reason in record["reasons"])
    keys = ("decision", "expected", "handshake_id", "action", "organization_id", "management_account_id", "expires_at")
    return [*(record[key] or "?" for key in keys), why]
