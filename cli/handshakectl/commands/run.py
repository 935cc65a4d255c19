"""`handshakectl run`: wake the deployed function now, and show what it decided."""

import json
from typing import Annotated, Any

import typer
from botocore.config import Config

from handshakectl.account.session import Aws
from handshakectl.commands.options import Json, Profile, Region
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.failures import attempt
from handshakectl.names import NAME
from handshakectl.output import complain, sanitize, say, say_json, say_table

app = typer.Typer(add_completion=False)

_EVENT = {"source": "handshake-acceptor.manual"}
# Longer than the function may run. One attempt: an impatient second one would be a second run.
_PATIENT = Config(read_timeout=330, retries={"total_max_attempts": 1})


@app.command()
def run(
    function: Annotated[str, typer.Option(metavar="NAME", help="The deployed function.")] = NAME,
    profile: Profile = None,
    region: Region = None,
    as_json: Json = False,
) -> int:
    """Invoke the deployed function now and show its decisions. Exit status 1 if it failed."""
    aws = Aws(profile, region)
    client = aws.client("lambda", config=_PATIENT)
    payload = json.dumps(_EVENT).encode()
    answer = attempt(lambda: client.invoke(FunctionName=function, Payload=payload), "ResourceNotFoundException")
    if answer is None:
        raise BadInput(f"there is no function {function} in {aws.region}: deploy it, or give --function or --region")
    result = _parsed(answer["Payload"].read())
    failure = _failure(result) if answer.get("FunctionError") or "decisions" not in result else None
    decisions: list[dict[str, Any]] = [] if failure else result["decisions"]
    mode = None if failure else result.get("mode")
    if as_json:
        say_json({"mode": mode, "decisions": decisions, "error": failure})
    elif failure is None:
        say(f"mode {mode}")
        if decisions:
            headers = ("decision", "outcome", "handshake", "action", "organization", "management", "sids", "why")
            say_table(headers, [_row(each) for each in decisions])
        else:
            say("no handshake is pending")
    if failure:
        complain(f"the function failed: {failure}; its decisions are in the log group /aws/lambda/{function}")
    return EXIT_NO if failure else EXIT_YES


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
