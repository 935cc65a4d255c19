"""Rules and schedules invoke functions asynchronously, with retries and the on-failure destination."""

import json
from typing import Any


def invoke_asynchronously(eventbridge: Any, lambda_svc: Any) -> None:
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
