"""An acceptor: as a construct for anybody's stack, and as a stack of its own."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import CfnOutput, Environment, IStackSynthesizer, Stack
from constructs import Construct

from handshake_acceptor_cdk.settings.acceptor import Settings
from handshake_acceptor_cdk.stacks.parts import AcceptorParts, Inputs


class HandshakeAcceptor(Construct):
    """Accepts the account's handshakes that its policy allows. The stack is in its partition's home region."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, asset: Path | None = None) -> None:
        """Without `asset` the function's is built, below `build` in the current folder.

        Raises `WrongSettings` for a stack in another region, and `BuildFailed`.
        """
        super().__init__(scope, construct_id)
        self.parts = AcceptorParts(self, settings, Inputs.of(settings, asset))


class AcceptorStack(Stack):
    """Everything in the invited account, in its partition's home region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        asset: Path | None = None,
        account: str | None = None,
        synthesizer: IStackSynthesizer | None = None,
    ) -> None:
        """Without `asset` the function's is built. Without `account` it is the stage's, or any.

        Raises `WrongSettings` for another region, and `BuildFailed`.
        """
        super().__init__(
            scope,
            construct_id,
            env=Environment(account=account, region=settings.region),
            description="Accepts the AWS Organizations handshakes that a policy in Parameter Store allows",
            synthesizer=synthesizer,
        )
        parts = AcceptorParts(self, settings, self.inputs(settings, asset))
        policy, mode = parts.parameters.allowlist, parts.parameters.mode
        for name, value, description in (
            ("FunctionName", parts.function.function_name, "Invoke it with {} to reconcile now"),
            ("PolicyParameterName", policy.parameter_name, "The policy: edit it to allow a handshake"),
            ("ModeParameterName", mode.parameter_name, "The brake: set it to observe"),
            ("HintBusArn", parts.bus.event_bus_arn, "Where management accounts send hints"),
            ("FailureQueueUrl", parts.failures.queue_url, "What failed for good; empty when all is well"),
            ("AlarmTopicArn", parts.alarm_topic.topic_arn, "Where alarms go: subscribe to it, or set alarmEmail"),
            ("LogGroupName", parts.log_group.log_group_name, "Every decision, one line each"),
        ):
            CfnOutput(self, name, value=value, description=description)

    def inputs(self, settings: Settings, asset: Path | None) -> Inputs:
        """What the parts are told: as settings say."""
        return Inputs.of(settings, asset)
