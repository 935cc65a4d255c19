"""Parameter Store emits "Parameter Store Change"; CloudFormation writes a parameter when anything of it changes."""

import json
from collections.abc import Callable
from typing import Any

from local.adapters.ministack.hooks import HOOKS


def emit_parameter_changes(ssm: Any, eventbridge: Any) -> None:
    """As AWS does for PutParameter and the deletes; best effort there, at once here."""
    put, delete, delete_many, lookup = (getattr(ssm, name) for name in HOOKS["ministack.services.ssm"][:4])

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


def update_as_aws_does(provisioners: Any, ssm: Any) -> None:
    """Any changed property but the tags writes the template's value over what is there; what is not there is an error.

    As in AWS's own handler (https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-ssm,
    `UpdateHandler`). Ministack writes it for changed tags, too, and makes a parameter again that somebody deleted.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SSM::Parameter"]
    update = handlers["update"]

    def update_parameter(name: str, old: dict[str, Any], new: dict[str, Any], *more: Any, **named: Any) -> Any:
        if ssm._lookup_parameter(name)[1] is None:
            raise ValueError(f"Resource of type 'AWS::SSM::Parameter' with identifier '{name}' was not found.")
        if old | {"Tags": None} != new | {"Tags": None}:
            return update(name, old, new, *more, **named)
        provisioners._reconcile_tag_map(ssm._tags.setdefault(ssm._param_arn(name), {}), old, new)
        return name, provisioners._ssm_attrs(name, new)

    handlers["update"] = update_parameter
