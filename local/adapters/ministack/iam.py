"""IAM knows the resources and conditions that handshakes, parameters and other accounts' policies need."""

import json
from typing import Any

from local.adapters.ministack.hooks import Ministack
from local.service.admin_api import AdminApi
from local.service.handshake_service import OPERATIONS

# Service Authorization Reference: these take a handshake, ListHandshakesForAccount and DescribeOrganization only `*`.
# The rest of ours, which no function calls, is checked on `*` too.
_ON_A_HANDSHAKE = frozenset({"AcceptHandshake", "DeclineHandshake", "DescribeHandshake", "CancelHandshake"})
_ON_AN_ACCOUNT = frozenset({"DescribeAccount", "MoveAccount"})


def teach_iam(aws: Ministack, admin: AdminApi) -> None:
    """Resources, conditions and refusals as the Service Authorization Reference has them."""
    iam_actions, iam_evaluator = aws["iam_actions"], aws["iam_evaluator"]
    arn_of_others = iam_actions.extract_resource_arn

    def extract_resource_arn(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "ssm" and operation == "GetParametersByPath":
            # AWS checks the path, as it is named; ministack knows a resource only for `Name`.
            path_arn = f"arn:aws:ssm:{aws['responses'].get_region()}:{aws['responses'].get_account_id()}:parameter"
            return path_arn + str(json.loads(body or b"{}").get("Path", "/"))
        if service == "organizations" and operation in _ON_AN_ACCOUNT:
            # For MoveAccount AWS looks at both parents too.
            caller, wanted = aws["responses"].get_account_id(), json.loads(body or b"{}").get("AccountId")
            return f"arn:aws:organizations::{caller}:account/{admin.organization_of(caller)}/{wanted}"
        if service != "organizations" or operation not in OPERATIONS:
            return str(arn_of_others(service, method, path, headers, body, *rest))
        if operation not in _ON_A_HANDSHAKE:
            return "*"
        wanted = json.loads(body or b"{}").get("HandshakeId")
        # A handshake that nobody sent has no ARN, so only a statement on `*` allows to ask for it.
        return next((found.arn for found in admin.service.handshakes() if found.id == wanted), "*")

    iam_actions.extract_resource_arn = extract_resource_arn
    keys_of_tags = iam_actions.request_tag_context

    def request_context(service: str, action: str, body: bytes, *rest: Any) -> dict[str, Any]:
        keys = dict(keys_of_tags(service, action, body, *rest))
        if action == "events:PutEvents":
            # AWS looks at every entry by itself, ministack at the call.
            entries = json.loads(body or b"{}").get("Entries", [])
            for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
                values = sorted({str(each[member]) for each in entries if each.get(member)})
                keys[key] = values[0] if len(values) == 1 else values
        return keys

    iam_actions.request_tag_context = request_context
    iam_actions._DENIED_CODES["organizations"] = "AccessDeniedException"
    iam_evaluator._principal_org_id = admin.organization_of
    resolve = iam_evaluator._resolve_condition_key

    def resolve_condition_key(key: str, context: Any) -> Any:
        # Loopback without TLS stands for a secure transport: CDK's own bucket refuses any other.
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_condition_key


def admits(aws: Ministack, policy: Any, action: str, resource: str, keys: dict[str, Any]) -> bool:
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
