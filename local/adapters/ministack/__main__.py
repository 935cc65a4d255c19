"""Puts the handshake service into ministack, the embedded AWS, and starts it on loopback.

    .venv-aws/bin/python -m local.adapters.ministack --port 4566 [--world FILE.json]

What ministack reads from its environment stays as it is (`AUTH`, `LAMBDA_ASYNC_RETRY_BASE_SECONDS`,
`LAMBDA_ASYNC_RETRY_MAX_SECONDS`, `LOG_LEVEL`, …). The additions hook into private names, so the version is pinned
and a start with another one is refused. Besides the handshakes they close twenty-five gaps between ministack and AWS:

- IAM knows the ARN of a handshake and of a path of parameters, the operations that take no resource, and which
  organization a caller is in.
- A connection on loopback counts as a secure transport, for policies that demand TLS.
- Organizations names a refusal by IAM `AccessDeniedException`.
- Parameter Store emits "Parameter Store Change", for a label too, and takes labels off again.
- A rule or schedule invokes a function asynchronously: with retries and the on-failure destination.
- A bus has the policy that a stack gives it, and keeps it where an update has none any more.
- CloudFormation writes a parameter's value for any changed property but its tags, and no parameter that is gone.
- PutEvents and rules reach another account's bus, if its policy admits the caller; an event keeps its account.
- IAM knows the source and the detail type of the events that are put.
- An alarm that changes its state says so on the default bus.
- In an account with a trail, what changes handshakes is recorded, and EventBridge delivers the records; in a
  management account with a trail, also which account joined.
- The management account of an organization of ours describes its accounts, and moves them from one parent to another.
- A function's asset may be in another account's bucket, if that bucket's policy admits the caller.
- A version of a function is published only of the code that a stack states.
- The processes of a function share one tree of its code.
- What a function says last in a run is in the log of that run, on a busy machine too.
- A function logs to a group that is there, and makes none: no role of ours may.
- What a function logs in the embedded metric format becomes metrics, and every run of it is counted.
- CloudWatch takes one question of Metrics Insights a call, and answers it.
- Alarms are evaluated with their dimensions and with periods without data, and their history names what they did.
- An event keeps the time that it was put with, and EventBridge tests whole events only.
- IAM simulates every resource that it is asked about.
- Logs Insights keeps saved queries (`AWS::Logs::QueryDefinition`), and refuses a query that cannot be understood.
- CloudFormation makes the sinks and links of cross-account observability, if the sink's policy admits the link.
- CloudFormation refuses to create a log group that exists.

Operations that are not in `OPERATIONS` (organizational units, policies, CreateAccount) remain ministack's, in an
organization of its own that has nothing to do with this one.
"""

import argparse
import json
import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path

from local.adapters.ministack.admin import with_admin_api
from local.adapters.ministack.assets import fetch_code_from_others, publish_only_the_stated_code, unpack_once
from local.adapters.ministack.buses import keep_bus_policies, reach_other_accounts_buses, tell_alarm_changes
from local.adapters.ministack.cloudformation import add_resource_types, refuse_log_groups_that_exist
from local.adapters.ministack.handshakes import add_handshakes
from local.adapters.ministack.hooks import Ministack, load, refuse_unless_pinned
from local.adapters.ministack.iam import teach_iam
from local.adapters.ministack.invocations import invoke_asynchronously
from local.adapters.ministack.logs import lose_no_log_line, make_no_log_group, read_metrics
from local.adapters.ministack.operations.alarms import evaluate_alarms
from local.adapters.ministack.operations.events import keep_times, take_whole_events_only
from local.adapters.ministack.operations.insights import keep_saved_queries, understand_queries
from local.adapters.ministack.operations.labels import label_versions
from local.adapters.ministack.operations.metrics_insights import answer_questions
from local.adapters.ministack.operations.simulation import simulate_every_resource
from local.adapters.ministack.parameters import emit_parameter_changes, update_as_aws_does
from local.service.admin_api import LOOPBACK, AdminApi


def install(aws: Ministack, admin: AdminApi) -> None:
    """Everything that is added, before the server starts."""
    add_handshakes(aws, admin)
    teach_iam(aws, admin)
    emit_parameter_changes(aws["ssm"], aws["eventbridge"])
    update_as_aws_does(aws["provisioners"], aws["ssm"])
    refuse_log_groups_that_exist(aws["provisioners"]._RESOURCE_HANDLERS["AWS::Logs::LogGroup"], aws["cloudwatch_logs"])
    fetch_code_from_others(aws["lambda_svc"], aws["s3"], aws["responses"])
    publish_only_the_stated_code(aws["provisioners"]._RESOURCE_HANDLERS["AWS::Lambda::Version"], aws["lambda_svc"])
    unpack_once(aws["lambda_runtime"], aws["lambda_svc"])
    keep_bus_policies(aws["provisioners"]._RESOURCE_HANDLERS["AWS::Events::EventBus"], aws["eventbridge"])
    reach_other_accounts_buses(aws)
    tell_alarm_changes(aws["cloudwatch"], aws["eventbridge"])
    invoke_asynchronously(aws["eventbridge"], aws["lambda_svc"])
    lose_no_log_line(aws["lambda_runtime"])
    make_no_log_group(aws["lambda_svc"], aws["cloudwatch_logs"])
    read_metrics(aws["lambda_svc"], aws["cloudwatch"])
    answer_questions(aws["cloudwatch"])
    evaluate_alarms(aws["cloudwatch"])
    label_versions(aws["ssm"], aws["eventbridge"])
    keep_times(aws["eventbridge"])
    take_whole_events_only(aws["eventbridge"])
    simulate_every_resource(aws["iam"])
    keep_saved_queries(aws["provisioners"]._RESOURCE_HANDLERS, aws["cloudwatch_logs"], aws["responses"])
    understand_queries(aws["cloudwatch_logs"])
    add_resource_types(aws, admin.observability)
    aws["app"].app = with_admin_api(aws["app"].app, admin)


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
