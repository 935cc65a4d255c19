"""The private names of ministack that are hooked into, and the one release in which they are where they are."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

PINNED = "1.5.33"

HOOKS = {
    "ministack.app": ("app", "main"),
    "ministack.core.iam_actions": ("extract_resource_arn", "request_tag_context", "_DENIED_CODES"),
    "ministack.core.lambda_runtime": ("Worker", "_PYTHON_WORKER_SCRIPT", "zipfile"),
    "ministack.core.iam_evaluator": (
        "_principal_org_id",
        "_resolve_condition_key",
        "EvalContext",
        "caller_arn",
        "evaluate_resource_policy",
    ),
    "ministack.core.responses": (
        "error_response_json",
        "json_response",
        "get_account_id",
        "get_region",
        "request_scope",
    ),
    "ministack.services.cloudformation.provisioners": ("_RESOURCE_HANDLERS", "_reconcile_tag_map", "_ssm_attrs"),
    "ministack.services.cloudwatch": (
        "record_metric",
        "_get_metric_data",
        "_error",
        "_alarms",
        "_metrics",
        "_dims_key",
        "_ts_iso",
        "_describe_alarms",
        "_evaluate_alarm",
        "_dispatch_alarm_actions",
        "_record_history",
        "_history_entries",
    ),
    "ministack.services.cloudwatch_logs": (
        "_log_groups",
        "_queries",
        "_start_query",
        "_resolve_query_log_groups",
        "_collect_query_records",
        "handle_request",
        "reset",
    ),
    "ministack.services.eventbridge": (
        "_put_events",
        "_dispatch_event",
        "_dispatch_to_event_bus",
        "_dispatch_to_lambda",
        "_event_bus_policies",
        "_event_buses",
        "_test_event_pattern",
        "_now_ts",
    ),
    "ministack.services.iam": ("_p", "_extract_simulate_params", "_build_simulate_results_real"),
    "ministack.services.lambda_svc": (
        "invoke_async_with_retry",
        "_get_func_record_for_ref",
        "_execution_record_for_config",
        "_emit_lambda_logs",
        "_emit_lambda_metrics",
        "_docker_extracted_dir",
        "_fetch_code_from_s3",
        "_functions",
    ),
    "ministack.services.organizations": ("_DISPATCH", "reset"),
    "ministack.services.s3": ("_bucket_owner_account", "_foreign_bucket_allows"),
    "ministack.services.ssm": (
        "_put_parameter",
        "_delete_parameter",
        "_delete_parameters",
        "_lookup_parameter",
        "_param_arn",
        "_tags",
        "_label_parameter_version",
        "_parameter_history",
        "handle_request",
    ),
}

Ministack = dict[str, Any]
"""The modules of `_HOOKS`, by the last part of their name."""


def refuse_unless_pinned(installed: str) -> None:
    """Say what to do instead of failing somewhere inside."""
    if installed != PINNED:
        raise SystemExit(
            f"local.adapters.ministack is written for ministack {PINNED}, and {installed} is installed: "
            "install local/requirements.txt, or look at every name in HOOKS and move the pin."
        )


def load(importer: Callable[[str], ModuleType] = importlib.import_module) -> Ministack:
    """The modules that are hooked into; a name that moved ends the start with a sentence that names it."""
    modules = {name: importer(name) for name in HOOKS}
    missing = [f"{name}.{hook}" for name, hooks in HOOKS.items() for hook in hooks if not hasattr(modules[name], hook)]
    dispatch = getattr(modules["ministack.services.organizations"], "_DISPATCH", None)
    if not missing and not (isinstance(dispatch, dict) and callable(dispatch.get("DescribeOrganization"))):
        missing = ["ministack.services.organizations._DISPATCH (from operation to handler)"]
    if missing:
        raise SystemExit(f"ministack {PINNED} has no {', '.join(missing)}: look where it moved and follow it.")
    return {name.rpartition(".")[2]: module for name, module in modules.items()}
