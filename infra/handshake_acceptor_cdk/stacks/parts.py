"""What an acceptor consists of, and how its parts hold together: in a stack of its own or in somebody else's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Annotations, CfnCondition, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from handshake_acceptor.policy.decide import Effect
from handshake_acceptor.policy.documents import STANDARD_BYTES
from handshake_acceptor_cdk.asset.build import build_asset
from handshake_acceptor_cdk.events.alarm_forwarding import AlarmForwarding, is_elsewhere
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
from handshake_acceptor_cdk.settings.reading import in_region
from handshake_acceptor_cdk.stacks.policy_parameters import CodeOwnedDocument, PolicyParameters


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the parts are told by settings when they are synthesized, or by a template's parameters when deployed."""

    code: lambda_.Code
    code_sha256: str | None
    """Of its zip file, in base64, where that is trusted for its content and not for where it is."""
    ceiling: Sequence[str]
    """All handshakes that may be accepted, by their ARNs."""
    management_accounts: Sequence[str]
    has_management_accounts: CfnCondition | None
    """None: what is known at synthesis says it."""
    policy: CodeOwnedDocument | None

    @classmethod
    def of(cls, settings: Settings, asset: Path | None) -> Inputs:
        """As settings say. Without `asset` the function's is built. Raises `BuildFailed`."""
        policy = settings.policy
        return cls(
            code=lambda_.Code.from_asset(str(asset or build_asset())),
            code_sha256=None,
            ceiling=acceptor_role.ceiling(settings),
            management_accounts=settings.management_accounts,
            has_management_accounts=None,
            policy=CodeOwnedDocument(policy.text, revision(policy)) if policy else None,
        )


class AcceptorParts:
    """All constructs of one acceptor, as children of `scope`. There is one acceptor an account: its names are fixed."""

    def __init__(self, scope: Construct, settings: Settings, inputs: Inputs) -> None:
        """Raises `WrongSettings` where the stack's region is known, and they are wrong there."""
        settings = in_region(settings, Stack.of(scope).region)
        self.parameters = PolicyParameters(
            scope, "Policy", prefix=settings.prefix, keep=settings.keep, deployed=inputs.policy
        )
        self.failures = failures = FailureQueue(scope, "Failures")
        acceptor = AcceptorFunction(
            scope, "Acceptor", settings=settings, ceiling=inputs.ceiling, code=inputs.code, failures=failures
        )
        self.function, self.log_group = acceptor.function, acceptor.log_group
        self.parameters.outlive(acceptor.function)
        self.bus = HintBus(
            scope,
            "HintBus",
            management_accounts=inputs.management_accounts,
            condition=inputs.has_management_accounts,
        )
        rules = EventRules(
            scope, "WakeUp", function=self.function, bus=self.bus, failures=failures, prefix=settings.prefix
        )
        sweep = Sweep(scope, "Sweep", function=self.function, failures=failures, minutes=settings.sweep_minutes)
        if inputs.code_sha256:
            # Published only of this code; where the file is another one, the deploy fails, before anything wakes it.
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html
            checked = lambda_.CfnVersion(
                scope, "CheckedCode", function_name=self.function.function_name, code_sha256=inputs.code_sha256
            )
            rules.node.add_dependency(checked)
            sweep.node.add_dependency(checked)
        watch = Alarms(scope, "Alarms", settings=settings, function=self.function, failures=failures)
        self.alarms, self.alarm_topic = watch.alarms, watch.topic
        if watch.names and is_elsewhere(settings.decision_bus, Stack.of(scope).account):
            AlarmForwarding(scope, "TellAlarms", bus_arn=settings.decision_bus, alarms=watch.names)
        SavedQueries(scope, "Queries", log_group=self.log_group)
        if settings.observability_sink:
            ObservabilityLink(scope, "Link", sink_arn=settings.observability_sink, log_group=self.log_group)
        if settings.dashboard:
            Dashboard(
                scope,
                "Dashboard",
                settings=settings,
                function=self.function,
                failures=failures,
                log_group=self.log_group,
                alarms=watch.alarms,
            )
        _warn(scope, settings, inputs)


def _warn(scope: Construct, settings: Settings, inputs: Inputs) -> None:
    annotations = Annotations.of(scope)
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
    if settings.policy and (size := len(settings.policy.text.encode())) > STANDARD_BYTES:
        annotations.add_warning_v2(
            "handshake-acceptor:policy-costs",
            f"setting policy: {settings.policy.name}: {size} bytes; over {STANDARD_BYTES} (4 KB) it takes an advanced"
            " parameter, which AWS bills by the month and by the read, and which stays one until it is removed",
        )
    for number, beyond in enumerate(_beyond_ceiling(settings)):
        annotations.add_warning_v2(f"handshake-acceptor:policy-beyond-origins-{number}", beyond)


def revision(policy: PolicyFile) -> str:
    """Describes `policy/deployed`, and differs at every synthesis: else CloudFormation would not write it again."""
    return f"Synthesized at {policy.read_at.isoformat(timespec='seconds')}."


def _beyond_ceiling(settings: Settings) -> Iterator[str]:
    """A warning for each name in an Allow of the setting `policy` that no entry of `origins` ever lets through."""
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
