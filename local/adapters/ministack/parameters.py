"""Parameter Store emits "Parameter Store Change"; CloudFormation writes a parameter when anything of it changes."""

from collections.abc import Callable
from typing import Any

from local.adapters.ministack.buses import tell_parameter_change


def emit_parameter_changes(ssm: Any, eventbridge: Any) -> None:
    """As AWS does for PutParameter and the deletes."""
    put, lookup = ssm._put_parameter, ssm._lookup_parameter

    def put_parameter(request: dict[str, Any]) -> Any:
        existed = lookup(request.get("Name") or "")[1]
        answer = put(request)
        if answer[0] == 200:
            operation = "Update" if existed else "Create"
            tell_parameter_change(eventbridge, operation, lookup(request["Name"])[1])
        return answer

    def deleting(operation: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def deletes(request: dict[str, Any]) -> Any:
            names = request.get("Names") or [request.get("Name") or ""]
            before = [parameter for parameter in (lookup(name)[1] for name in names) if parameter]
            answer = operation(request)
            for parameter in before:
                if lookup(parameter["Name"])[1] is None:
                    tell_parameter_change(eventbridge, "Delete", parameter)
            return answer

        return deletes

    ssm._put_parameter = put_parameter
    ssm._delete_parameter, ssm._delete_parameters = deleting(ssm._delete_parameter), deleting(ssm._delete_parameters)


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
