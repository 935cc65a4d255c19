"""The stack of an account that accepts invitations: its parts, and how they hold together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Annotations, CfnCondition, CfnOutput, Environment, IStackSynthesizer, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from handshake_acceptor.policy.decide import Effect
from handshake_acceptor_cdk.events.event_rules import EventRules
from handshake_acceptor_cdk.events.failure_queue import FailureQueue
from handshake_acceptor_cdk.events.hint_bus import HintBus
from handshake_acceptor_cdk.events.sweep import Sweep
from handshake_acceptor_cdk.functions import acceptor_role
from handshake_acceptor_cdk.functions.acceptor import AcceptorFunction
from handshake_acceptor_cdk.monitoring.alarms import Alarms
from handshake_acceptor_cdk.monitoring.dashboard import Dashboard
from handshake_acceptor_cdk.monitoring.observability_link import ObservabilityLink
from handshake_acceptor_cdk.monitoring.saved_queries import SavedQueries
from handshake_acceptor_cdk.settings.acceptor import PolicyFile, Settings
from handshake_acceptor_cdk.stacks.policy_parameters import CodeOwnedDocument, PolicyParameters


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stack is told by settings when it is synthesized, or by parameters of its template when it is deployed."""

    code: lambda_.Code
    ceiling: Sequence[str]
    """All handshakes that may be accepted, by their ARNs."""
    management_accounts: Sequence[str]
    has_management_accounts: CfnCondition | None
    """None: what is known at synthesis says it."""
    policy: CodeOwnedDocument | None


class AcceptorStack(Stack):
    """Everything in the invited account, in its partition's home region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        asset: Path,
        account: str | None = None,
        synthesizer: IStackSynthesizer | None = None,
    ) -> None:
        """`asset` is the function's asset. Without `account` the template fits every account."""
        super().__init__(
            scope,
            construct_id,
            env=Environment(account=account, region=settings.region),
            description="Accepts the AWS Organizations handshakes that a policy in Parameter Store allows",
            synthesizer=synthesizer,
        )
        inputs = self.inputs(settings, asset)
        parameters = PolicyParameters(self, "Policy", prefix=settings.prefix, deployed=inputs.policy)
        failures = FailureQueue(self, "Failures")
        acceptor = AcceptorFunction(
            self, "Acceptor", settings=settings, ceiling=inputs.ceiling, code=inputs.code, failures=failures
        )
        bus = HintBus(
            self,
            "HintBus",
            management_accounts=inputs.management_accounts,
            condition=inputs.has_management_accounts,
        )
        EventRules(self, "WakeUp", function=acceptor.function, bus=bus, failures=failures, prefix=settings.prefix)
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
        self._warn(settings, inputs)

    def inputs(self, settings: Settings, asset: Path) -> Inputs:
        """As settings say."""
        policy = settings.policy
        return Inputs(
            code=lambda_.Code.from_asset(str(asset)),
            ceiling=acceptor_role.ceiling(settings),
            management_accounts=settings.management_accounts,
            has_management_accounts=None,
            policy=CodeOwnedDocument(policy.text, revision(policy)) if policy else None,
        )

    def _warn(self, settings: Settings, inputs: Inputs) -> None:
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
        elif not inputs.ceiling:
            annotations.add_warning_v2(
                "handshake-acceptor:no-origins",
                "setting origins is empty: the function may accept nothing, whatever the policy says",
            )
        if not inputs.management_accounts:
            annotations.add_warning_v2(
                "handshake-acceptor:no-management-accounts",
                "setting managementAccounts is empty: nobody may send hints, and only the sweep finds invitations",
            )
        for number, beyond in enumerate(_beyond_ceiling(settings)):
            annotations.add_warning_v2(f"handshake-acceptor:policy-beyond-origins-{number}", beyond)


def revision(policy: PolicyFile) -> str:
    """Of `policy/deployed`."""
    return f"Synthesized at {policy.read_at.isoformat(timespec='seconds')}."


def _beyond_ceiling(settings: Settings) -> Iterator[str]:
    """What an Allow of the setting `policy` names in vain: with no other name in it does it make one of `origins`."""
    if not settings.policy or not settings.origins:
        return
    for statement in settings.policy.policy.statements:
        if statement.effect is not Effect.ALLOW:
            continue
        for action in sorted(statement.actions):
            within = {
                name
                for origin in settings.origins
                if action in origin.actions
                and origin.organization_id in statement.organization_ids
                and origin.management_account_id in statement.management_account_ids
                for name in (origin.organization_id, origin.management_account_id)
            }
            named = statement.organization_ids | statement.management_account_ids
            if beyond := sorted(named - within):
                yield (
                    f"setting policy: {settings.policy.name}: {statement.sid} allows {action} from "
                    f"{', '.join(beyond)}, which the setting origins lacks: IAM will refuse to accept it"
                )
