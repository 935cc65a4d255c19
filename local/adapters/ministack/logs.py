"""What functions log: no line is lost, and embedded metrics become metrics."""

from functools import partialmethod
from typing import Any

from local.cloudwatch.metrics import read


def lose_no_log_line(worker: Any) -> None:
    """Ministack waits 50 ms for what a function has said, less than a busy machine takes, and forgets the rest.

    Every function of ours says something, so that the longer wait costs a run next to nothing.
    """
    worker._drain_stderr_bounded = partialmethod(
        worker._drain_stderr_bounded, first_line_wait=3.0, idle_confirm=0.05, hard_cap=10.0
    )


def read_metrics(lambda_svc: Any, cloudwatch: Any) -> None:
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
