"""CloudFormation: log groups that exist are refused; sinks and links are taken."""

import json
from functools import partial
from typing import Any

from local.adapters.ministack.hooks import Ministack
from local.adapters.ministack.iam import admits
from local.service.observability import Observability


def add_resource_types(aws: Ministack, observability: Observability) -> None:
    """Sinks and links, which do nothing."""
    responses = aws["responses"]
    aws["provisioners"]._RESOURCE_HANDLERS |= observability.handlers(
        responses.get_account_id, responses.get_region, partial(admits, aws)
    )


def refuse_log_groups_that_exist(handlers: dict[str, Any], logs: Any) -> None:
    """Ministack empties such a group, and deletes it when the create is rolled back."""
    create = handlers["create"]

    def create_log_group(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if (name := properties.get("LogGroupName")) in logs._log_groups:
            identifier = json.dumps({"/properties/LogGroupName": name}, separators=(",", ":"))
            raise ValueError(f"Resource of type 'AWS::Logs::LogGroup' with identifier '{identifier}' already exists.")
        return create(logical_id, properties, stack)

    handlers["create"] = create_log_group
