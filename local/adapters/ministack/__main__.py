"""Puts the handshake service into ministack, the embedded AWS, and starts it on loopback.

    .venv-aws/bin/python -m local.adapters.ministack --port 4566 [--world FILE.json]

What ministack reads from its environment stays as it is (`AUTH`, `LAMBDA_ASYNC_RETRY_BASE_SECONDS`,
`LAMBDA_ASYNC_RETRY_MAX_SECONDS`, `LOG_LEVEL`, …). The additions hook into private names, so the version is pinned
and a start with another one is refused. Besides the handshakes they close thirteen gaps between ministack and AWS:

- IAM knows the ARN of a handshake and of a path of parameters, the operations that take no resource, and which
  organization a caller is in.
- A connection on loopback counts as a secure transport, for policies that demand TLS.
- Organizations names a refusal by IAM `AccessDeniedException`.
- Parameter Store emits "Parameter Store Change".
- A rule or schedule invokes a function asynchronously: with retries and the on-failure destination.
- PutEvents reaches another account's bus, if that bus's policy admits the caller.
- In an account with a trail, what changes handshakes is recorded, and EventBridge delivers the records.
- A function's asset may be in another account's bucket, if that bucket's policy admits the caller.
- What a function says late, on a busy machine, is in its log all the same.
- What a function logs in the embedded metric format becomes metrics, and every run of it is counted.
- CloudFormation makes the sinks and links of cross-account observability, if the sink's policy admits the link.
- CloudFormation takes `AWS::Logs::QueryDefinition`, and does nothing with it.
- CloudFormation refuses to create a log group that exists.

Operations that are not in `OPERATIONS` (organizational units, policies, CreateAccount) remain ministack's, in an
organization of its own that has nothing to do with this one.
"""

import argparse
import importlib
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial, partialmethod
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from local.cloudwatch.metrics import read
from local.service import aws_json, cloudtrail
from local.service.admin_api import LOOPBACK, PREFIX, AdminApi
from local.service.handshake_service import OPERATIONS

PINNED = "1.5.33"

# Service Authorization Reference: these take a handshake, ListHandshakesForAccount and DescribeOrganization only `*`.
# The rest of ours, which no function calls, is checked on `*` too.
_ON_A_HANDSHAKE = frozenset({"AcceptHandshake", "DeclineHandshake", "DescribeHandshake", "CancelHandshake"})

_HOOKS = {
    "ministack.app": ("app", "main"),
    "ministack.core.iam_actions": ("extract_resource_arn", "_DENIED_CODES"),
    "ministack.core.lambda_runtime": ("Worker",),
    "ministack.core.iam_evaluator": (
        "_principal_org_id",
        "_resolve_condition_key",
        "EvalContext",
        "caller_arn",
        "evaluate_resource_policy",
    ),
    "ministack.core.responses": ("get_account_id", "get_region", "request_scope"),
    "ministack.services.cloudformation.provisioners": ("_RESOURCE_HANDLERS",),
    "ministack.services.cloudwatch": ("record_metric",),
    "ministack.services.cloudwatch_logs": ("_log_groups",),
    "ministack.services.eventbridge": ("_put_events", "_dispatch_to_lambda", "_event_bus_policies"),
    "ministack.services.lambda_svc": (
        "invoke_async_with_retry",
        "_get_func_record_for_ref",
        "_execution_record_for_config",
        "_emit_lambda_logs",
        "_emit_lambda_metrics",
        "_fetch_code_from_s3",
    ),
    "ministack.services.organizations": ("_DISPATCH", "reset"),
    "ministack.services.s3": ("_bucket_owner_account", "_foreign_bucket_allows"),
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
            f"local.adapters.ministack is written for ministack {PINNED}, and {installed} is installed: "
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


def install(aws: Ministack, admin: AdminApi) -> None:
    """Everything that is added, before the server starts."""
    _add_handshakes(aws, admin)
    _teach_iam(aws, admin)
    _emit_parameter_changes(aws["ssm"], aws["eventbridge"])
    _refuse_log_groups_that_exist(aws["provisioners"]._RESOURCE_HANDLERS["AWS::Logs::LogGroup"], aws["cloudwatch_logs"])
    _fetch_code_from_others(aws["lambda_svc"], aws["s3"], aws["responses"])
    _keep_bus_policies(aws["provisioners"]._RESOURCE_HANDLERS["AWS::Events::EventBus"], aws["eventbridge"])
    _reach_other_accounts_buses(aws)
    _invoke_asynchronously(aws["eventbridge"], aws["lambda_svc"])
    _lose_no_log_line(aws["lambda_runtime"].Worker)
    _read_metrics(aws["lambda_svc"], aws["cloudwatch"])
    responses = aws["responses"]
    aws["provisioners"]._RESOURCE_HANDLERS |= admin.observability.handlers(
        responses.get_account_id, responses.get_region, partial(_admits, aws)
    )
    aws["provisioners"]._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda logical_id, properties, stack: (logical_id, {"QueryDefinitionId": logical_id}),
        "update": lambda physical_id, old, new, stack: (physical_id, {"QueryDefinitionId": physical_id}),
        "delete": lambda physical_id, properties: None,
    }
    aws["app"].app = _with_admin_api(aws["app"].app, admin)


def _add_handshakes(aws: Ministack, admin: AdminApi) -> None:
    organizations, account_id = aws["organizations"], aws["responses"].get_account_id

    def handler(operation: str) -> Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]:
        def handle(payload: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            status, headers, body = aws_json.answer(admin.service, operation, account_id(), payload)
            if status == 200 and operation in cloudtrail.RECORDED and admin.has_trail(account_id()):
                _deliver_record(aws, operation, payload, json.loads(body))
            return status, headers, body.encode()

        return handle

    organizations._DISPATCH.update({operation: handler(operation) for operation in OPERATIONS})
    reset_organizations = organizations.reset

    def reset() -> None:  # `/_ministack/reset` is for the whole world
        reset_organizations()
        admin.reset()

    organizations.reset = reset


def _deliver_record(aws: Ministack, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
    """At once; AWS takes seconds to minutes, and promises nothing."""
    detail = cloudtrail.record(
        operation,
        aws["responses"].get_account_id(),
        aws["iam_evaluator"].caller_arn(),
        request,
        answer,
        datetime.now(UTC),
    )
    event = {
        "Source": "aws.organizations",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail),
    }
    aws["eventbridge"]._put_events({"Entries": [event]}, allow_aws_source=True)


def _keep_bus_policies(handlers: dict[str, Callable[..., Any]], eventbridge: Any) -> None:
    """CloudFormation's property `Policy` of a bus, which ministack drops."""

    def keeping(operation: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
        def keep(*arguments: Any) -> Any:
            done = operation(*arguments)
            name, policy = done[0], arguments[properties_at].get("Policy")
            if policy:
                eventbridge._event_bus_policies[name] = policy
            else:
                eventbridge._event_bus_policies.pop(name, None)
            return done

        return keep

    handlers["create"], handlers["update"] = keeping(handlers["create"], 1), keeping(handlers["update"], 2)


_FOREIGN_BUS = re.compile(r"arn:aws:events:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):event-bus/(?P<name>.+)")


def _reach_other_accounts_buses(aws: Ministack) -> None:
    """What the sender's own identity may do is checked before; here the receiving bus decides, as its policy says.

    Which code AWS gives for a bus that is not there is not documented; a policy that is not there admits nobody.
    """
    eventbridge, responses = aws["eventbridge"], aws["responses"]
    put_own = eventbridge._put_events

    def put(entry: dict[str, Any], **more: Any) -> Any:
        bus = _FOREIGN_BUS.fullmatch(str(entry.get("EventBusName")))
        if bus is None or bus["account"] == responses.get_account_id():
            return put_own({"Entries": [entry]}, **more)
        policy = eventbridge._event_bus_policies.get_scoped(bus["account"], bus["region"], bus["name"])
        keys = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
        if str(entry.get("Source")).startswith("aws.") or _admits(aws, policy, "events:PutEvents", bus[0], keys):
            with responses.request_scope(bus["account"], bus["region"]):
                return put_own({"Entries": [entry | {"EventBusName": bus["name"]}]}, **more)
        message = f"{bus[0]} does not admit it, because no resource-based policy allows the events:PutEvents action"
        return None, None, json.dumps({"Entries": [{"ErrorCode": "AccessDeniedException", "ErrorMessage": message}]})

    def put_events(data: dict[str, Any], **more: Any) -> Any:
        entries = data.get("Entries", [])
        if len(entries) > 10 or not any(_FOREIGN_BUS.fullmatch(str(each.get("EventBusName"))) for each in entries):
            return put_own(data, **more)
        answers = [json.loads(put(entry, **more)[2])["Entries"][0] for entry in entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        body = json.dumps({"FailedEntryCount": failed, "Entries": answers}).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, body

    eventbridge._put_events = put_events


def _admits(aws: Ministack, policy: Any, action: str, resource: str, keys: dict[str, Any]) -> bool:
    """Whether the policy of another account's resource admits the caller."""
    evaluator, responses = aws["iam_evaluator"], aws["responses"]
    context = evaluator.EvalContext(
        principal_arn=evaluator.caller_arn(),
        principal_type="AssumedRole",
        principal_account=responses.get_account_id(),
        action=action,
        resource_arn=resource,
        region=responses.get_region(),
        service_context={key.lower(): value for key, value in keys.items()},
    )
    return bool(evaluator.evaluate_resource_policy(policy, context).decision == "Allow")


def _teach_iam(aws: Ministack, admin: AdminApi) -> None:
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
        return next((found.arn for found in admin.service.handshakes() if found.id == wanted), "*")

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions._DENIED_CODES["organizations"] = "AccessDeniedException"
    iam_evaluator._principal_org_id = admin.organization_of
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


def _refuse_log_groups_that_exist(handlers: dict[str, Any], logs: Any) -> None:
    """Ministack empties such a group, and deletes it when the create is rolled back."""
    create = handlers["create"]

    def create_log_group(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if (name := properties.get("LogGroupName")) in logs._log_groups:
            identifier = json.dumps({"/properties/LogGroupName": name}, separators=(",", ":"))
            raise ValueError(f"Resource of type 'AWS::Logs::LogGroup' with identifier '{identifier}' already exists.")
        return create(logical_id, properties, stack)

    handlers["create"] = create_log_group


def _fetch_code_from_others(lambda_svc: Any, s3: Any, responses: Any) -> None:
    """Ministack looks only among the account's own buckets, and deploys a function without code if it is not there."""
    fetch = lambda_svc._fetch_code_from_s3

    def fetch_code_from_s3(bucket: str, key: str, version_id: str | None = None) -> bytes:
        owner, caller = s3._bucket_owner_account(bucket), responses.get_account_id()
        if owner is not None and (owner == caller or s3._foreign_bucket_allows(owner, bucket, key, "GET", {}, caller)):
            with responses.request_scope(owner, responses.get_region()):
                found: bytes | None = fetch(bucket, key, version_id=version_id)
            if found is not None:
                return found
        raise ValueError(
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject"
            f" for {bucket}/{key}"
        )

    lambda_svc._fetch_code_from_s3 = fetch_code_from_s3


def _lose_no_log_line(worker: Any) -> None:
    """Ministack waits 50 ms for what a function has said, less than a busy machine takes, and forgets the rest.

    Every function of ours says something, so that the longer wait costs a run next to nothing.
    """
    worker._drain_stderr_bounded = partialmethod(
        worker._drain_stderr_bounded, first_line_wait=3.0, idle_confirm=0.05, hard_cap=10.0
    )


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


def _with_admin_api(app: Asgi, admin: AdminApi) -> Asgi:
    async def with_admin_api(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        status, answer = _answer_admin(admin, scope, await _body(receive))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return with_admin_api


def _answer_admin(admin: AdminApi, scope: Scope, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = dict(scope["headers"])
    # A page in a browser cannot send this content type to another origin without asking first.
    if (scope.get("client") or ("",))[0] != LOOPBACK or headers.get(b"content-type") != b"application/json":
        return 403, {"error": "the admin API takes JSON from this machine only"}
    if scope["method"] != "POST":
        return 405, {"error": "the admin API takes POST"}
    try:
        return 200, {"result": admin.call(scope["path"].removeprefix(PREFIX), json.loads(body or b"{}"))}
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
    parser = argparse.ArgumentParser(prog="local.adapters.ministack", description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--world", type=Path, help="requests to the admin API, made now and after every reset")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args(argv)
    refuse_unless_pinned(version("ministack"))
    # Read at import, and by the processes of the Lambda functions.
    os.environ.update(GATEWAY_PORT=str(arguments.port), BIND_HOST=LOOPBACK)
    admin = AdminApi(json.loads(arguments.world.read_text()) if arguments.world else ())
    aws = load()
    install(aws, admin)
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = ["ministack"]  # its own command line starts the server
    aws["app"].main()


if __name__ == "__main__":
    main()
