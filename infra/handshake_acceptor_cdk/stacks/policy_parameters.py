"""The soft lock: the parameters that people edit, as a first deploy leaves them, and the one that code owns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from aws_cdk import CfnCondition, CfnResource, Fn, ICfnRuleConditionExpression, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct


@dataclass(frozen=True, slots=True)
class CodeOwnedDocument:
    """The document that code owns. With a `condition`, only where that is true."""

    text: str
    revision: str
    """Another one with every deploy, or the deploy does not write what has not changed."""
    condition: CfnCondition | None = None


class PolicyParameters(Construct):
    """The mode, a policy document that allows nothing yet, and the document that code owns, if there is one.

    The seeds are constants: CloudFormation writes a parameter only when the template's own value changes, so no later
    deploy undoes an edit. What people wrote outlives the stack if it is to `keep`, but not a first deploy that rolled
    back.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, keep: bool, deployed: CodeOwnedDocument | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self._removal = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep else RemovalPolicy.DESTROY
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
        self._before: list[ssm.StringParameter] = [self.mode, self.allowlist]
        self._before_if_there: ICfnRuleConditionExpression | None = None
        if deployed:
            self._keep(f"{prefix}policy/deployed", deployed)

    def outlive(self, function: lambda_.Function) -> None:
        """Has CloudFormation delete the function first, and what wakes it, which depends on it, before that.

        A run in between would read a policy from which a Deny is already gone. A dependency on a resource that a
        condition leaves out is not documented, so such a one is referred to instead, which is:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html.
        """
        function.node.add_dependency(*self._before)
        if self._before_if_there:
            cast(CfnResource, function.node.default_child).add_metadata("DeletedBefore", [self._before_if_there])

    def _seed(self, construct_id: str, name: str, value: str, description: str) -> ssm.StringParameter:
        parameter = self._parameter(construct_id, name, value, description)
        parameter.apply_removal_policy(self._removal)
        return parameter

    def _keep(self, name: str, deployed: CodeOwnedDocument) -> None:
        """Goes when the setting or the stack goes: what code no longer states must not go on allowing.

        The description is what makes CloudFormation write the value again: it calls PutParameter with all properties
        when one of them changed, and does not look at what is there.
        """
        parameter = self._parameter(
            "Deployed",
            name,
            deployed.text,
            f"Kept by the deploy, which undoes what is edited here; edit policy/allowlist instead. {deployed.revision}",
        )
        if deployed.condition:
            cast(CfnResource, parameter.node.default_child).cfn_options.condition = deployed.condition
            self._before_if_there = Fn.condition_if(deployed.condition.logical_id, parameter.parameter_name, "")
        else:
            self._before.append(parameter)

    def _parameter(self, construct_id: str, name: str, value: str, description: str) -> ssm.StringParameter:
        return ssm.StringParameter(
            self,
            construct_id,
            parameter_name=name,
            string_value=value,
            description=description,
            # Moves up by itself when a document outgrows 4 KB.
            tier=ssm.ParameterTier.INTELLIGENT_TIERING,
        )
