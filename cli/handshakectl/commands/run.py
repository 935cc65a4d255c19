"""`handshakectl run`: wake the deployed function now, in one account or many, and show what it decided."""

import json
from dataclasses import dataclass, replace
from threading import Event
from typing import Annotated, Any

import typer
from botocore.config import Config

from handshakectl.account.session import Aws
from handshakectl.errors import EXIT_INTERRUPTED, EXIT_NO, EXIT_YES, BadInput
from handshakectl.failures import attempt
from handshakectl.fleet.asked import asked
from handshakectl.fleet.grouping import totals
from handshakectl.fleet.parallel import map_parallel
from handshakectl.fleet.selection import Chosen, Target
from handshakectl.names import NAME
from handshakectl.output import complain, label, sanitize, say, say_json, say_table
from handshakectl.verbs import ManyValues

app = typer.Typer(add_completion=False)

_EVENT = {"source": "handshake-acceptor.manual"}
_HEADERS = ("decision", "outcome", "handshake", "action", "organization", "management", "sids", "why")
# Longer than the function may run. One attempt: an impatient second one would be a second run.
_PATIENT = Config(read_timeout=330, retries={"total_max_attempts": 1})


@dataclass(frozen=True, slots=True)
class _Ran:
    """What a run of the function answered, in one account."""

    account_id: str | None
    profile: str | None
    mode: str | None = None
    decisions: tuple[dict[str, Any], ...] = ()
    failure: str | None = None

    @property
    def well(self) -> bool:
        """Whether it did not fail, and nothing waits for a person."""
        return self.failure is None and all(each.get("outcome") != "NEEDS_HUMAN" for each in self.decisions)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"mode": self.mode, "decisions": list(self.decisions), "error": self.failure}


@app.command(cls=ManyValues)
@asked("path")
def run(
    options: Chosen,
    function: Annotated[str, typer.Option(metavar="NAME", help="The deployed function.")] = NAME,
) -> int:
    """Invoke the deployed function now and show its decisions.

    Exit status 1 if it failed in any account, or if a decision needs a person (NEEDS_HUMAN).
    """
    many = options.targets()
    if not many:
        return _alone(Aws(options.profile, options.region), function, options.as_json)
    interrupted = Event()

    def invoke(target: Target) -> _Ran:
        aws, caller = target.enter()
        return _invoke(aws, function, _Ran(caller.account_id, target.profile))

    ran = map_parallel(many, invoke, _not_entered, options.parallel, doing="running", interrupted=interrupted)
    if options.as_json:
        say_json([{"account_id": each.account_id, "profile": each.profile} | each.as_dict() for each in ran])
    else:
        say_table(("result", "account", "mode", *_HEADERS), [row for each in ran for row in _rows(each)])
        say(totals(["ok" if each.well else "wrong" for each in ran], ("ok", "wrong")))
    if interrupted.is_set():
        return EXIT_INTERRUPTED
    return EXIT_YES if all(each.well for each in ran) else EXIT_NO


def _not_entered(target: Target, why: str) -> _Ran:
    return _Ran(target.account_id, target.profile, failure=why)


def _alone(aws: Aws, function: str, as_json: bool) -> int:
    ran = _invoke(aws, function, _Ran(None, None))
    if as_json:
        say_json(ran.as_dict())
    elif ran.failure is None:
        say(f"mode {ran.mode}")
        if ran.decisions:
            say_table(_HEADERS, [_row(each) for each in ran.decisions])
        else:
            say("no handshake is pending")
    if ran.failure:
        complain(f"{ran.failure}; its decisions are in the log group /aws/lambda/{function}")
    return EXIT_YES if ran.well else EXIT_NO


def _invoke(aws: Aws, function: str, ran: _Ran) -> _Ran:
    client = aws.client("lambda", config=_PATIENT)
    payload = json.dumps(_EVENT).encode()
    answer = attempt(lambda: client.invoke(FunctionName=function, Payload=payload), "ResourceNotFoundException")
    if answer is None:
        raise BadInput(f"there is no function {function} in {aws.region}: deploy it, or give --function or --region")
    result = _parsed(answer["Payload"].read())
    if answer.get("FunctionError") or "decisions" not in result:
        failure = f"the function failed: {_failure(result)}"
        return replace(ran, failure=failure)
    return replace(ran, mode=result.get("mode"), decisions=tuple(result["decisions"]))


def _rows(ran: _Ran) -> list[list[str]]:
    """A line for each decision of an account; one line where there is none."""
    begins = ["ok" if ran.well else "wrong", label(ran.account_id, ran.profile), ran.mode or "?"]
    if ran.failure or not ran.decisions:
        nothing = ran.failure or "no handshake is pending"
        return [[*begins, *([""] * (len(_HEADERS) - 1)), nothing]]
    return [[*begins, *_row(each)] for each in ran.decisions]


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        result = json.loads(payload)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}


def _failure(result: dict[str, Any]) -> str:
    """The failure's name; its text only where it is one of the function's own, which holds codes and nothing else."""
    kind = str(result.get("errorType") or "it did not answer as this version does")
    text = str(result.get("errorMessage") or "") if kind == "RunFailed" else ""
    return sanitize(f"{kind}: {text}" if text else kind)


def _row(record: dict[str, Any]) -> list[str]:
    keys = ("decision", "outcome", "handshake_id", "action", "organization_id", "management_account_id")
    sids, why = record.get("sids") or [], [reason.get("message", "") for reason in record.get("reasons") or []]
    return [*(str(record.get(key) or "?") for key in keys), ", ".join(sids), "; ".join(why)]
