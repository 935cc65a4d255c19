"""The stack of an account that accepts invitations: its parts, and how they hold together."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Annotations, CfnOutput, Environment, Stack
from constructs import Construct

from infra.acceptor_function import AcceptorFunction
from infra.alarms import Alarms
from infra.dashboard import Dashboard
from infra.failure_queue import FailureQueue
from infra.hint_bus import HintBus
from infra.observability_link import ObservabilityLink
from infra.policy_parameters import PolicyParameters
from infra.queries import SavedQueries
from infra.settings import Settings
from infra.sweep import Sweep
from infra.wake_up_rules import WakeUpRules


class AcceptorStack(Stack):
    """Everything in the invited account, in its partition's home region."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, package: Path, account: str | None = None
    ) -> None:
        """`package` is the function's asset. Without `account` the template fits every account."""
        super().__init__(
            scope,
            construct_id,
            env=Environment(account=account, region=settings.region),
            description="Accepts the AWS Organizations handshakes that a policy in Parameter Store allows",
        )
        parameters = PolicyParameters(self, "Policy", prefix=settings.prefix)
        failures = FailureQueue(self, "Failures")
        acceptor = AcceptorFunction(self, "Acceptor", settings=settings, package=package, failures=failures)
        bus = HintBus(self, "HintBus", management_accounts=settings.management_accounts)
        WakeUpRules(self, "WakeUp", function=acceptor.function, bus=bus, failures=failures, prefix=settings.prefix)
        Sweep(self, "Sweep", function=acceptor.function, failures=failures, minutes=settings.sweep_minutes)
        watch = Alarms(self, "Alarms", settings=settings, function=acceptor.function, failures=failures)
        SavedQueries(self, "Queries", log_group=acceptor.log_group)
        if settings.observability_sink:
            ObservabilityLink(self, "Link", sink_arn=settings.observability_sink, log_group=acceptor.log_group)
        if settings.dashboard:
            Dashboard(
                self,
                "Dashboard",
                settings=settings,
                function=acceptor.function,
                failures=failures,
                log_group=acceptor.log_group,
                alarms=watch.alarms,
            )

        for name, value, description in (
            ("FunctionName", acceptor.function.function_name, "Invoke it with {} to reconcile now"),
            ("PolicyParameterName", parameters.allowlist.parameter_name, "The policy: edit it to allow a handshake"),
            ("ModeParameterName", parameters.mode.parameter_name, "The brake: set it to observe"),
            ("HintBusArn", bus.event_bus_arn, "Where management accounts send hints"),
            ("FailureQueueUrl", failures.queue_url, "What failed for good; empty when all is well"),
            ("AlarmTopicArn", watch.topic.topic_arn, "Where alarms go: subscribe to it, or set alarmEmail"),
            ("LogGroupName", acceptor.log_group.log_group_name, "Every decision, one line each"),
        ):
            CfnOutput(self, name, value=value, description=description)
        self._warn(settings)

    def _warn(self, settings: Settings) -> None:
        annotations = Annotations.of(self)
        annotations.add_info_v2(
            "handshake-acceptor:trail",
            "hints need a CloudTrail trail in the management account, and the alarm somebody-else-answered needs one "
            "in this account; without them the sweep and `handshakectl doctor` find the same, later",
        )
        if settings.allow_any_origin:
            annotations.add_warning_v2(
                "handshake-acceptor:any-origin",
                "setting allowAnyOrigin is true: whoever may edit the policy decides alone which organization to join",
            )
        elif not settings.origins:
            annotations.add_warning_v2(
                "handshake-acceptor:no-origins",
                "setting origins is empty: the function may accept nothing, whatever the policy says",
            )
        if not settings.management_accounts:
            annotations.add_warning_v2(
                "handshake-acceptor:no-management-accounts",
                "setting managementAccounts is empty: nobody may send hints, and only the sweep finds invitations",
            )
