"""`handshakectl pending`: which handshakes wait in this account, and what would the function do about each?"""

from typing import Any

import typer

from handshake_acceptor.organizations import Organizations
from handshake_acceptor.plan import Plan
from handshake_acceptor.policy.decide import DecisionKind, InvalidPolicy
from handshake_acceptor.policy.store import PolicySnapshot
from handshake_acceptor.reporting.record import Outcome, Record
from handshake_core import retry
from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws
from handshakectl.account.waiting import BY_HAND, decided, look
from handshakectl.clock import clock
from handshakectl.errors import EXIT_NO, EXIT_YES
from handshakectl.options import Json, Prefix, Profile, Region, prefix
from handshakectl.output import say, say_json, say_table
from handshakectl.policy.parameters import Parameters, read

app = typer.Typer(add_completion=False)

_SHOWN = {
    "handshake": "handshake_id",
    "action": "action",
    "organization": "organization_id",
    "management": "management_account_id",
    "expires": "expires_at",
}
_NOT_YET = ("outcome", "trigger", "attempts")  # keys of a record that only a run can fill


@app.command()
def pending(
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Show the account's pending handshakes, each with the decision it would get, and what the last run said of it.

    Nothing is accepted or declined. Exit status 1 if the policy is invalid, so that nothing can be allowed.
    """
    aws, where = Aws(profile, region), prefix(path)
    caller = aws.caller()
    organizations = Organizations(aws.client("organizations"), clock())
    ssm, parameters = aws.client("ssm"), Parameters(where, {})

    def policy_now() -> PolicySnapshot:
        nonlocal parameters
        parameters = read(ssm, clock(), where)
        return parameters.snapshot()

    view = look(organizations, policy_now, caller)
    mode = parameters.shown_mode
    plans = decided(view)
    policy = view.snapshot.policy
    valid = not isinstance(policy, InvalidPolicy)
    last = _last_words(Deployment(aws, caller, None, where)) if plans else {}
    if as_json:
        say_json(
            {
                "account_id": view.account.id,
                "role": view.account.role.value,
                "organization": view.account.organization,
                "mode": mode,
                "policy_version": None if isinstance(policy, InvalidPolicy) else policy.version,
                "errors": [str(error) for error in policy.told] if isinstance(policy, InvalidPolicy) else [],
                "handshakes": [_as_dict(each) | {"last_run": last.get(each.handshake.id)} for each in plans],
            }
        )
        return EXIT_YES if valid else EXIT_NO
    shown = mode or "missing, which is observe"
    say(f"account {view.account.id}, {view.account.role} in {view.account.organization}, mode {shown}")
    if isinstance(policy, InvalidPolicy):
        for error in policy.told:
            say(f"the policy is invalid: {error}", "red")
    if plans:
        headers = ("decision", "expected", "last run", *_SHOWN, "why")
        say_table(headers, [_row(each, last.get(each.handshake.id)) for each in plans])
    else:
        say("no handshake is pending")
    return EXIT_YES if valid else EXIT_NO


def _expected(planned: Plan) -> Outcome:
    """What a run would make of it, if AWS lets it."""
    if planned.outcome is not None:
        return planned.outcome
    return Outcome.DECLINED if planned.decision.kind is DecisionKind.DECLINE else Outcome.ACCEPTED


def _as_dict(planned: Plan) -> dict[str, Any]:
    """The decision record that a run would write, as far as it is known before."""
    record = Record(
        planned.handshake, planned.decision, _expected(planned), planned.reasons, BY_HAND, planned.mode, attempts=0
    ).as_dict()
    return {"expected": record["outcome"]} | {key: value for key, value in record.items() if key not in _NOT_YET}


def _last_words(deployed: Deployment) -> dict[Any, dict[str, Any]]:
    """What the function's log says last of each handshake; nothing where the caller may not read it."""
    try:
        said = deployed.said
    except retry.READ_FAILURES:
        return {}
    return {
        record.get("handshake_id"): {
            "at": at.isoformat(timespec="seconds"),
            "outcome": str(record.get("outcome")),
            "summary": str(record.get("summary")),
        }
        for at, record in said
        if record["message"] == "decision"
    }


def _row(planned: Plan, last: dict[str, Any] | None) -> list[str]:
    record = _as_dict(planned)
    expected, outcome = record["expected"], last["outcome"] if last else ""
    why = "; ".join(reason["message"] for reason in record["reasons"])
    if last and outcome != expected:
        why = last["summary"]  # what a run met with, which nobody can know before
    return [record["decision"], expected, outcome, *(record[key] or "?" for key in _SHOWN.values()), why]
