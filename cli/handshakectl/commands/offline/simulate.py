"""`handshakectl simulate`: what would be decided about this handshake? Offline, with the Lambda's own code."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from handshake_acceptor.policy.decide import NONE, Decision, DecisionKind, decide
from handshake_acceptor.policy.documents import Mode, load, load_mode
from handshake_core.handshake import (
    ACCOUNT_ID,
    ORGANIZATION_ID,
    Account,
    Action,
    Handshake,
    InvalidHandshake,
    Role,
    timestamp,
)
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.options import Json
from handshakectl.output import complain, say, say_json, word
from handshakectl.policy.files import read_documents, read_json
from handshakectl.policy.mistakes import of_all
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)

# Keys that nothing of describe-handshake has: of CloudTrail's answers, files and events, and of a record down to the
# handshake in it, which spells its keys in another case.
_CLOUDTRAIL = {"Events", "Records", "detail", "responseElements", "handshake", "arn"}
_SOME_ACCOUNT = "0" * 12  # for a handshake that names no account: one sent to an e-mail address


@app.command(cls=ManyValues)
def simulate(
    policy: Annotated[
        list[Path], typer.Option("--policy", metavar="FILE...", help="Policy documents, taken together.")
    ],
    handshake: Annotated[
        Path, typer.Option(metavar="FILE", help="A handshake as describe-handshake prints it; - is standard input.")
    ],
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="This account.", show_default="the one it is addressed to")
    ] = None,
    organization: Annotated[
        str, typer.Option(metavar="NONE|o-…", help="The organization this account is in now.")
    ] = NONE,
    management: Annotated[bool, typer.Option("--management", help="It is that organization's management account.")] = (
        False
    ),
    at: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 with a zone.", show_default="now")] = None,
    mode: Annotated[str, typer.Option(metavar="MODE", help="enforce or observe.")] = Mode.ENFORCE.value,
    as_json: Json = False,
) -> int:
    """Decide about one handshake, offline.

    Exit status 0 only for ACCEPT. The handshake is taken as one that this account's own list shows.
    """
    documents = read_documents(policy)
    found = Handshake.from_api(_raw(handshake), listed=True)
    now = _time(at)
    situation = _account(found, account, organization, management)
    # As in Parameter Store, a mode that is none makes the whole policy invalid.
    loaded = load(documents)
    taken = of_all(load_mode("--mode", mode), loaded) or loaded
    decision = decide(found, taken, situation, now)
    if as_json:
        say_json(
            {
                "decision": decision.kind.value,
                "sids": list(decision.sids),
                "reasons": [reason.as_dict() for reason in decision.reasons],
                "policy_version": decision.policy_version or None,
            }
        )
    else:
        _tell(found, decision, situation, now, mode)
    if management and organization == NONE:
        complain("note: a management account is always in an organization: say which with --organization")
    return EXIT_YES if decision.kind is DecisionKind.ACCEPT else EXIT_NO


def _raw(path: Path) -> Any:
    raw = read_json(path)
    if isinstance(raw, dict) and isinstance(raw.get("Handshakes"), list):
        raise BadInput(f"{path}: holds a list of handshakes; give one of them")
    if isinstance(raw, dict) and "Handshake" in raw:
        raw = raw["Handshake"]
    if isinstance(raw, dict) and raw.keys() & _CLOUDTRAIL:
        raise BadInput(f"{path}: a record of CloudTrail, not a handshake as describe-handshake prints it")
    if not isinstance(raw, dict):
        raise BadInput(f"{path}: not a handshake: must be an object as describe-handshake prints it")
    return raw


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    moment = timestamp(text)
    if moment is None:
        raise BadInput(f"--at: {text!r} is not a time with a zone, such as 2027-03-31T00:00:00Z")
    return moment


def _account(
    handshake: Handshake | InvalidHandshake, account: str | None, organization: str, management: bool
) -> Account:
    if account is not None and not ACCOUNT_ID.fullmatch(account):
        raise BadInput(f"--account: {account!r} is not an account id: 12 digits")
    if organization != NONE and not ORGANIZATION_ID.fullmatch(organization):
        raise BadInput(f"--organization: {organization!r} is neither NONE nor an organization id")
    member_or_not = Role.STANDALONE if organization == NONE else Role.MEMBER
    role = Role.MANAGEMENT if management else member_or_not
    partition = handshake.partition if isinstance(handshake, Handshake) else "aws"
    return Account(account or _own_account(handshake, management), partition, role, organization)


def _own_account(handshake: Handshake | InvalidHandshake, management: bool) -> str:
    """The account that the handshake is addressed to."""
    if isinstance(handshake, InvalidHandshake):
        return _SOME_ACCOUNT
    if not handshake.addressees and management and handshake.action is Action.APPROVE_ALL_FEATURES:
        return handshake.management_account_id  # the origin asks itself
    return min(handshake.addressees, default=_SOME_ACCOUNT)


def _tell(
    handshake: Handshake | InvalidHandshake, decision: Decision, account: Account, now: datetime, mode: str
) -> None:
    what = handshake.id or "the handshake"
    if isinstance(handshake, Handshake):
        origin = f"{handshake.organization_id} (management account {handshake.management_account_id})"
        what = f"{what}, {handshake.action} from {origin}"
    typer.echo(f"{word(decision.kind.value)}  {what}")
    for reason in decision.reasons:
        say(f"  {reason.message}")
    say(f"  for account {account.id}, {account.role} in {account.organization}, at {now.isoformat(timespec='seconds')}")
    if decision.policy_version:
        say(f"  policy version {decision.policy_version}")
    if decision.kind in (DecisionKind.ACCEPT, DecisionKind.DECLINE) and mode == Mode.OBSERVE:
        say("  mode is observe: it would be recorded, and nothing sent")
