"""What functions log: no line is lost, and embedded metrics become metrics."""

from queue import Empty
from typing import Any

from local.cloudwatch.metrics import read

_CALL = "            result = handler_fn(event, context)\n"
"""Of ministack's script that runs in the process of a function in Python."""
_END = "\x1eall that this run says"
_PATIENCE_SECONDS = 30.0
"""For a line that was written already: only the thread that reads it may still wait for its turn."""


def lose_no_log_line(runtime: Any) -> None:
    """What a function in Python says in a run is in the log of that run, however busy the machine is.

    Ministack takes some milliseconds without a line for the end. The thread that reads the lines may get its turn
    later, and then what was said last is in no log until the same process has its next run, which may be never. So
    the process itself says where the log of a run ends.
    """
    worker, script = runtime.Worker, runtime._PYTHON_WORKER_SCRIPT
    if script.count(_CALL) != 1:
        raise SystemExit("ministack calls a function's handler in another way: look where, and follow it in logs.py.")
    runtime._PYTHON_WORKER_SCRIPT = script.replace(_CALL, f"{_CALL}            print({_END!r}, file=sys.stderr)\n")
    drain, drain_bounded = worker._drain_stderr, worker._drain_stderr_bounded

    def drain_stderr(self: Any) -> str:
        """Of a process that was ended: with its last line ends the thread that reads."""
        if _is_python(self):
            self._stderr_thread.join(_PATIENCE_SECONDS)
        return str(drain(self)).replace(_END, "")

    def drain_stderr_bounded(self: Any, **waits: float) -> str:
        if not _is_python(self):
            return str(drain_bounded(self, **waits))
        if self._proc is None:  # the run failed
            return drain_stderr(self)
        said = ""
        while not said.endswith(_END):
            try:
                said += "\n" + self._stderr_queue.get(timeout=_PATIENCE_SECONDS)
            except Empty:
                break
        return said.removesuffix(_END).strip("\n")

    worker._drain_stderr, worker._drain_stderr_bounded = drain_stderr, drain_stderr_bounded


def _is_python(worker: Any) -> bool:
    return str(worker.config.get("Runtime", "python")).startswith("python")


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


def make_no_log_group(lambda_svc: Any, cloudwatch_logs: Any) -> None:
    """Ministack makes the group that a function logs to, again too after a stack has taken it along.

    In AWS that takes the function's role `logs:CreateLogGroup`, which no role of ours has: what is said then is lost.
    """
    logs = lambda_svc._emit_lambda_logs

    def emit_lambda_logs(function: dict[str, Any], *arguments: Any, **more: Any) -> None:
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        if group in cloudwatch_logs._log_groups:
            logs(function, *arguments, **more)

    lambda_svc._emit_lambda_logs = emit_lambda_logs
