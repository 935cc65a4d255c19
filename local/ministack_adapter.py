"""Puts the handshake service into ministack, the embedded AWS, and starts it on loopback.

    .venv-aws/bin/python -m local.ministack_adapter --port 4566 [--world FILE.json]

What ministack reads from its environment stays as it is (`AUTH`, `LAMBDA_ASYNC_RETRY_BASE_SECONDS`,
`LAMBDA_ASYNC_RETRY_MAX_SECONDS`, `LOG_LEVEL`, …). The additions hook into private names, so the version is pinned
and a start with another one is refused. Besides the handshakes they close seven gaps between ministack and AWS:

- IAM knows the ARN of a handshake and of a path of parameters, the operations that take no resource, and which
  organization a caller is in.
- A connection on loopback counts as a secure transport, for policies that demand TLS.
- Organizations names a refusal by IAM `AccessDeniedException`.
- Parameter Store emits "Parameter Store Change".
- A rule or schedule invokes a function asynchronously: with retries and the on-failure destination.
- What a function logs in the embedded metric format becomes metrics, and every run of it is counted.
- CloudFormation takes `AWS::Logs::QueryDefinition`, and does nothing with it.

Operations that are not in `OPERATIONS` (organizational units, policies, CreateAccount) remain ministack's, in an
organization of its own that has nothing to do with this one.
"""

import argparse
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from local import wire
from local.control import PREFIX, Door
from local.handshake_service import OPERATIONS
from local.metrics import read

PINNED = "1.5.33"
LOOPBACK = "127.0.0.1"

# Service Authorization Reference: these take a handshake, ListHandshakesForAccount and DescribeOrganization only `*`.
# The rest of ours, which no function calls, is checked on `*` too.
_ON_A_HANDSHAKE = frozenset({"AcceptHandshake", "DeclineHandshake", "DescribeHandshake", "CancelHandshake"})

_HOOKS = {
    "ministack.app": ("app", "main"),
    "ministack.core.iam_actions": ("extract_resource_arn", "_DENIED_CODES"),
    "ministack.core.iam_evaluator": ("_principal_org_id", "_resolve_condition_key"),
    "ministack.core.responses": ("get_account_id", "get_region"),
    "ministack.services.cloudformation.provisioners": ("_RESOURCE_HANDLERS",),
    "ministack.services.cloudwatch": ("record_metric",),
    "ministack.services.eventbridge": ("_put_events", "_dispatch_to_lambda"),
    "ministack.services.lambda_svc": (
        "invoke_async_with_retry",
        "_get_func_record_for_ref",
        "_execution_record_for_config",
        "_emit_lambda_logs",
        "_emit_lambda_metrics",
    ),
    "ministack.services.organizations": ("_DISPATCH", "reset"),
    "ministack.services.ssm": ("_put_parameter", "_delete_parameter", "_delete_parameters", "_lookup_parameter"),
}

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Ministack = dict[str, Any]
"""The modules of `_HOOKS`, by the last part of their name."""


def refuse_unless_pinned(installed: str) -> None:
    """Say what to do instead of failing somewhere inside."""
    if installed != PINNED:
        raise SystemExit(
            f"local.ministack_adapter is written for ministack {PINNED}, and {installed} is installed: "
            "install local/requirements.txt, or look at every name in _HOOKS and move the pin."
        )


def load(importer: Callable[[str], ModuleType] = importlib.import_module) -> Ministack:
    """The modules that are hooked into; a name that moved ends the start with a sentence that names it."""
    modules = {name: importer(name) for name in _HOOKS}
    missing = [f"{name}.{hook}" for name, hooks in _HOOKS.items() for hook in hooks if not hasattr(modules[name], hook)]
    dispatch = getattr(modules["ministack.services.organizations"], "_DISPATCH", None)
    if not missing and not (isinstance(dispatch, dict) and callable(dispatch.get("DescribeOrganization"))):
        missing = ["ministack.services.organizations._DISPATCH (from operation to handler)"]
    if missing:
        raise SystemExit(f"ministack {PINNED} has no {', '.join(missing)}: look where it moved and follow it.")
    return {name.rpartition(".")[2]: module for name, module in modules.items()}


def install(aws: Ministack, door: Door) -> None:
    """Everything that is added, before the server starts."""
    _add_handshakes(aws, door)
    _teach_iam(aws, door)
    _emit_parameter_changes(aws["ssm"], aws["eventbridge"])
    _invoke_asynchronously(aws["eventbridge"], aws["lambda_svc"])
    _read_metrics(aws["lambda_svc"], aws["cloudwatch"])
    aws["provisioners"]._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda logical_id, properties, stack: (logical_id, {"QueryDefinitionId": logical_id}),
        "update": lambda physical_id, old, new, stack: (physical_id, {"QueryDefinitionId": physical_id}),
        "delete": lambda physical_id, properties: None,
    }
    aws["app"].app = _with_door(aws["app"].app, door)


def _add_handshakes(aws: Ministack, door: Door) -> None:
    organizations, account_id = aws["organizations"], aws["responses"].get_account_id

    def handler(operation: str) -> Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]:
        def handle(payload: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            status, headers, body = wire.answer(door.service, operation, account_id(), payload)
            return status, headers, body.encode()

        return handle

    organizations._DISPATCH.update({operation: handler(operation) for operation in OPERATIONS})
    reset_organizations = organizations.reset

    def reset() -> None:  # `/_ministack/reset` is for the whole world
        reset_organizations()
        door.reset()

    organizations.reset = reset


def _teach_iam(aws: Ministack, door: Door) -> None:
    iam_actions, iam_evaluator = aws["iam_actions"], aws["iam_evaluator"]
    arn_of_others = iam_actions.extract_resource_arn

    def extract_resource_arn(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "ssm" and operation == "GetParametersByPath":
            # AWS checks the path, as it is named; ministack knows a resource only for `Name`.
            path_arn = f"arn:aws:ssm:{aws['responses'].get_region()}:{aws['responses'].get_account_id()}:parameter"
            return path_arn + str(json.loads(body or b"{}").get("Path", "/"))
        if service != "organizations" or operation not in OPERATIONS:
            return str(arn_of_others(service, method, path, headers, body, *rest))
        if operation not in _ON_A_HANDSHAKE:
            return "*"
        wanted = json.loads(body or b"{}").get("HandshakeId")
        # A handshake that nobody sent has no ARN, so only a statement on `*` allows to ask for it.
        return next((found.arn for found in door.service.handshakes() if found.id == wanted), "*")

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions._DENIED_CODES["organizations"] = "AccessDeniedException"
    iam_evaluator._principal_org_id = door.organization_of
    resolve = iam_evaluator._resolve_condition_key

    def resolve_condition_key(key: str, context: Any) -> Any:
        # Loopback without TLS stands for a secure transport: CDK's own bucket refuses any other.
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_condition_key


def _emit_parameter_changes(ssm: Any, eventbridge: Any) -> None:
    """As AWS does for PutParameter and the deletes; best effort there, at once here."""
    put, delete, delete_many, lookup = (getattr(ssm, name) for name in _HOOKS["ministack.services.ssm"])

    def emit(operation: str, parameter: dict[str, Any]) -> None:
        detail = {"operation": operation, "name": parameter["Name"], "type": parameter["Type"]}
        event = {
            "Source": "aws.ssm",
            "DetailType": "Parameter Store Change",
            "Detail": json.dumps(detail),
            "Resources": [parameter["ARN"]],
        }
        eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)

    def put_parameter(request: dict[str, Any]) -> Any:
        existed = lookup(request.get("Name") or "")[1]
        answer = put(request)
        if answer[0] == 200:
            emit("Update" if existed else "Create", lookup(request["Name"])[1])
        return answer

    def deleting(operation: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def deletes(request: dict[str, Any]) -> Any:
            names = request.get("Names") or [request.get("Name") or ""]
            before = [parameter for parameter in (lookup(name)[1] for name in names) if parameter]
            answer = operation(request)
            for parameter in before:
                if lookup(parameter["Name"])[1] is None:
                    emit("Delete", parameter)
            return answer

        return deletes

    ssm._put_parameter = put_parameter
    ssm._delete_parameter, ssm._delete_parameters = deleting(delete), deleting(delete_many)


def _invoke_asynchronously(eventbridge: Any, lambda_svc: Any) -> None:
    """Ministack runs a target function once and forgets a failure; its own asynchronous path does not."""
    dispatch = eventbridge._dispatch_to_lambda

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            dispatch(arn, payload)  # says in the log that there is none
            return
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def _read_metrics(lambda_svc: Any, cloudwatch: Any) -> None:
    """Ministack forgets what a function logs of its own metrics, and its runs that nobody waits for."""
    logs, counts = lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics

    def emit_lambda_logs(
        function: dict[str, Any], request_id: str, text: str, error: bool, duration_ms: int, **more: Any
    ) -> None:
        logs(function, request_id, text, error, duration_ms, **more)
        name = (function.get("config") or function)["FunctionName"]
        counts(name, duration_ms=duration_ms, error=error, throttle=False)
        for line in (text or "").splitlines():
            for datum in read(line):
                cloudwatch.record_metric(datum.namespace, datum.name, datum.value, datum.unit, dict(datum.dimensions))

    def emit_lambda_metrics(name: str, *, throttle: bool, **counted: Any) -> None:
        if throttle:  # every other run is counted with its log
            counts(name, throttle=throttle, **counted)

    lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics = emit_lambda_logs, emit_lambda_metrics


def _with_door(app: Asgi, door: Door) -> Asgi:
    async def with_door(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        status, answer = _through_the_door(door, scope, await _body(receive))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return with_door


def _through_the_door(door: Door, scope: Scope, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = dict(scope["headers"])
    # A page in a browser cannot send this content type to another origin without asking first.
    if (scope.get("client") or ("",))[0] != LOOPBACK or headers.get(b"content-type") != b"application/json":
        return 403, {"error": "the door opens for JSON from this machine only"}
    if scope["method"] != "POST":
        return 405, {"error": "the door takes POST"}
    try:
        return 200, {"result": door.open(scope["path"].removeprefix(PREFIX), json.loads(body or b"{}"))}
    except (LookupError, TypeError, ValueError) as mistake:
        return 400, {"error": str(mistake)}


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _end_with_parent() -> None:
    # Not through sys.stdin: a thread that waits in there spoils the interpreter's end.
    while os.read(0, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with the processes of the functions: there is nothing to save
    os.kill(os.getpid(), signal.SIGTERM)


def main(argv: list[str] | None = None) -> None:
    """Start, and serve until the process is told to end."""
    parser = argparse.ArgumentParser(prog="local.ministack_adapter", description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--world", type=Path, help="requests to the control door, made now and after every reset")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args(argv)
    refuse_unless_pinned(version("ministack"))
    # Read at import, and by the processes of the Lambda functions.
    os.environ.update(GATEWAY_PORT=str(arguments.port), BIND_HOST=LOOPBACK)
    door = Door(json.loads(arguments.world.read_text()) if arguments.world else ())
    aws = load()
    install(aws, door)
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = ["ministack"]  # its own command line starts the server
    aws["app"].main()


if __name__ == "__main__":
    main()
