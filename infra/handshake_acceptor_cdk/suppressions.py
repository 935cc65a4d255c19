"""Exemptions from the security checks: each for one resource, with its reason, in the code beside that resource.

The checks are cdk-nag's AwsSolutions and checkov; tests/infra/test_security_checks.py runs them, and finds exemptions
that nothing needs any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import Construct


def suppress(resource: Construct, reasons: Mapping[str, str]) -> None:
    """Exempts a construct's one resource from checks, by their ids: `CKV_AWS_…` of checkov, `AwsSolutions-…`."""
    for check, reason in reasons.items():
        if not check.startswith("CKV_"):
            Validations.of(resource).acknowledge(Acknowledgment(id=check, reason=reason))
    skipped = [{"id": check, "comment": reason} for check, reason in reasons.items() if check.startswith("CKV_")]
    if skipped:
        # https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
        cast(CfnResource, resource.node.default_child).add_metadata("checkov", {"skip": skipped})


def wildcard(stack: Stack, resource_arn: str) -> str:
    """The id of cdk-nag's finding that a role's statement has this resource, which has a `*` in it."""
    match stack.resolve(resource_arn):
        case {"Fn::Join": ["", [*parts]]}:
            named = "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
        case str() as named:
            pass
        case expression:
            named = json.dumps(expression, separators=(",", ":"))
    return f"AwsSolutions-IAM5[Resource::{named}]"
