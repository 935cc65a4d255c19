"""`make demo`: three invitations reach an account, and one is accepted. `make aws` leaves it running.

Everything is real but AWS: the CDK CLI, the stacks, the function's process, HTTP between them, IAM in force.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from handshake_relay import hint
from local import observed
from local.aws import EmbeddedAws, embedded_aws, wait_for
from local.emulator import ROOT, NotStarted

MEMBER = "222222222222"
HERE = Path(__file__).parent
PICTURE = ROOT / "build" / "dashboard.svg"


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation of the demo, and what the policy says about it."""

    organization_id: str
    management_account_id: str
    about: str
    decision: str
    outcome: str
    state: str


INVITATIONS = (
    Invitation("o-exampleorgid", "111111111111", "allowed", "ACCEPT", "ACCEPTED", "ACCEPTED"),
    Invitation("o-foreign00001", "444444444444", "in no statement", "NO_MATCH", "LEFT_PENDING", "OPEN"),
    Invitation("o-sandbox0001", "333333333333", "explicitly denied", "DENY", "LEFT_PENDING", "OPEN"),
)


def main() -> int:
    """Runs the demo; 0 only if every handshake ended as the policy says."""
    parser = argparse.ArgumentParser(prog="local.demo", description="An embedded AWS with handshake-acceptor in it.")
    parser.add_argument("--keep", action="store_true", help="deploy, say how to play with it, and wait for Ctrl-C")
    keep = parser.parse_args().keep
    for ending in (signal.SIGINT, signal.SIGTERM):  # in the background, SIGINT is ignored unless asked for
        signal.signal(ending, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    try:
        with embedded_aws(port=4566 if keep else None) as aws:
            _deploy(console, aws)
            if keep:
                _keep(console, aws)
                return 0
            summary = _play(console, aws)
    except KeyboardInterrupt:
        console.print("stopped")
        return 0 if keep else 130
    except NotStarted as error:
        console.print(str(error), markup=False)
        return 1
    summary["seconds"] = round(time.monotonic() - began, 1)
    print(f"demo: {json.dumps(summary)}")
    return 0 if summary == {"accepted": 1, "left_pending": 2, "wrong": 0, "seconds": summary["seconds"]} else 1


def _deploy(console: Console, aws: EmbeddedAws) -> None:
    console.print(f"[bold]1.[/] an embedded AWS is up at {aws.endpoint}, with IAM in force")
    for invitation in INVITATIONS:
        aws.admin.add_organization(
            organization_id=invitation.organization_id, management_account_id=invitation.management_account_id
        )
    aws.admin.register_account(account_id=MEMBER, email="mary@example.com")
    console.print(f"[bold]2.[/] cdk bootstrap, cdk deploy into account {MEMBER} …")
    aws.bootstrap(MEMBER)
    outputs = aws.deploy(MEMBER)
    allowlist = (HERE / "allowlist.json").read_text()
    aws.client("ssm", MEMBER).put_parameter(Name=outputs["PolicyParameterName"], Value=allowlist, Overwrite=True)
    console.print(f"[bold]3.[/] the owner writes an allowlist to {outputs['PolicyParameterName']}, which wakes it")
    wait_for(
        "a run after the change of the policy",
        lambda: any(run["trigger"] == "policy-changed" for run in aws.log_records(MEMBER, "run")),
    )


def _play(console: Console, aws: EmbeddedAws) -> dict[str, Any]:
    began = datetime.now(UTC)
    recorded = json.loads((HERE / "recorded" / "invite-account.json").read_text())
    announced = hint.from_record(recorded)
    if announced is None:
        raise AssertionError("the recorded event names a handshake")
    sent: dict[str, Invitation] = {}
    decided: dict[str, dict[str, Any]] = {}

    aws.admin.choose_ids(ids=[announced.handshake_id])
    first, *others = INVITATIONS
    sent[_invite(aws, first)] = first
    console.print("[bold]4.[/] one invitation is sent, and the recorded CloudTrail event becomes a hint on the bus")
    aws.client("events", MEMBER).put_events(Entries=[announced.entry("handshake-acceptor")])
    _follow(console, aws, sent, decided)

    for other in others:
        sent[_invite(aws, other)] = other
    console.print("[bold]5.[/] two more are sent, and no event tells of them: the sweep is brought forward")
    aws.sweep_now(MEMBER)
    _follow(console, aws, sent, decided)

    console.print(_table(sent, decided))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(observed.dashboard(aws, MEMBER, began))
    console.print(f"[bold]6.[/] the dashboard, drawn from its metrics and its log: {PICTURE.relative_to(ROOT)}")
    return _judge(aws, sent, decided)


def _invite(aws: EmbeddedAws, invitation: Invitation) -> str:
    organizations = aws.client("organizations", invitation.management_account_id)
    answer = organizations.invite_account_to_organization(
        Target={"Type": "ACCOUNT", "Id": MEMBER}, Notes="A note that must not show up anywhere."
    )
    handshake_id: str = answer["Handshake"]["Id"]
    return handshake_id


def _follow(
    console: Console, aws: EmbeddedAws, sent: dict[str, Invitation], decided: dict[str, dict[str, Any]]
) -> None:
    """Prints decisions as they fall, until there is one for every invitation sent."""

    def look() -> bool:
        for record in aws.log_records(MEMBER):
            if record["handshake_id"] not in decided:
                decided[record["handshake_id"]] = record
                line = f"{record['decision']} → {record['outcome']}, woken by {record['trigger']}"
                console.print(f"   {record['handshake_id']}: {line}")
        return set(sent) <= set(decided)

    wait_for("a decision for every invitation", look)


def _table(sent: dict[str, Invitation], decided: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="What became of the invitations, and why", title_justify="left", show_lines=True)
    table.add_column("invitation", no_wrap=True)
    table.add_column("decision\noutcome", no_wrap=True)
    table.add_column("reasons")
    for handshake_id, invitation in sent.items():
        record = decided[handshake_id]
        reasons = "\n".join(reason["message"] for reason in record["reasons"])
        table.add_row(
            f"{invitation.organization_id}\n{invitation.about}", f"{record['decision']}\n{record['outcome']}", reasons
        )
    return table


def _judge(aws: EmbeddedAws, sent: dict[str, Invitation], decided: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the world says, not what the function says: the two must agree."""
    ended = {handshake["id"]: handshake for handshake in aws.admin.snapshot()}
    wrong = 0
    for handshake_id, expected in sent.items():
        record, handshake = decided[handshake_id], ended[handshake_id]
        seen = (record["decision"], record["outcome"], handshake["state"], handshake["accept_effects"])
        should = (expected.decision, expected.outcome, expected.state, int(expected.state == "ACCEPTED"))
        if seen != should:
            wrong += 1
            print(f"wrong: {handshake_id}: {seen}, should be {should}", file=sys.stderr)
    states = [handshake["state"] for handshake in ended.values()]
    return {"accepted": states.count("ACCEPTED"), "left_pending": states.count("OPEN"), "wrong": wrong}


def _keep(console: Console, aws: EmbeddedAws) -> None:
    console.print(
        f"""
It is yours until Ctrl-C. In another terminal, as the invited account {MEMBER}:

  export AWS_ENDPOINT_URL={aws.endpoint} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID={MEMBER} AWS_SECRET_ACCESS_KEY=test
  .venv/bin/handshakectl pending
  .venv/bin/handshakectl run

Send an invitation as a management account ({", ".join(each.management_account_id for each in INVITATIONS)}):

  AWS_ACCESS_KEY_ID=111111111111 .venv/bin/python -c 'import boto3; print(boto3.client("organizations")
    .invite_account_to_organization(Target={{"Type": "ACCOUNT", "Id": "{MEMBER}"}})["Handshake"]["Id"])'
""",
        soft_wrap=True,
    )
    signal.pause()


if __name__ == "__main__":
    sys.exit(main())
