"""The soft lock: the parameters that people edit, as a first deploy leaves them."""

from __future__ import annotations

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ssm as ssm
from constructs import Construct


class PolicyParameters(Construct):
    """The mode, and a policy document that allows nothing yet.

    The seeds are constants: CloudFormation writes a parameter only when the template's own value changes, so no later
    deploy undoes an edit. What people wrote outlives the stack, but not a first deploy that rolled back.
    """

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str) -> None:
        super().__init__(scope, construct_id)
        self.mode = self._seed(
            "Mode", f"{prefix}mode", "enforce", "enforce, or observe: decide and record, but call nothing"
        )
        # No Deny here: it would overrule every other document.
        self.allowlist = self._seed(
            "Allowlist",
            f"{prefix}policy/allowlist",
            json.dumps({"Version": "2026-01-01", "Statement": []}, indent=2),
            "Which handshakes may be accepted. Counts together with every other document below policy/",
        )

    def _seed(self, construct_id: str, name: str, value: str, description: str) -> ssm.StringParameter:
        parameter = ssm.StringParameter(
            self,
            construct_id,
            parameter_name=name,
            string_value=value,
            description=description,
            # Moves up by itself when a document outgrows 4 KB.
            tier=ssm.ParameterTier.INTELLIGENT_TIERING,
        )
        parameter.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        return parameter
