"""What IAM says that a role may do. Organizations' policies are only partly in its answer: see `Refusal`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import EvaluationResultTypeDef

_ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that a role may not do on a resource."""

    action: str
    resource: str
    by_organization: bool
    """Whether a service control policy refuses it. IAM knows those without conditions, and not in every account:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html"""

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.by_organization:
            return "a service control policy of the organization that the account is in refuses it: ask who owns it"
        return "deploy again, or look for what denies it"


def refusals(iam: IAMClient, role_arn: str, action: str, resources: Sequence[str]) -> list[Refusal]:
    """What the role may not do of an action on these resources. Raises what botocore raises.

    Where a resource has a result of its own, that one counts: the result of the action as a whole may be allowed by
    another resource (https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html).
    """
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=resources
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    refused = [refusal for result in results for refusal in _refused(action, result)]
    return refused if results else [Refusal(action, resources[0], by_organization=False)]


def _refused(action: str, result: EvaluationResultTypeDef) -> Iterator[Refusal]:
    by_organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False
    own = [
        Refusal(action, each["EvalResourceName"], by_organization)
        for each in result.get("ResourceSpecificResults", ())
        if each["EvalResourceDecision"] != _ALLOWED
    ]
    yield from own
    if result["EvalDecision"] != _ALLOWED and not own:
        yield Refusal(action, result.get("EvalResourceName", "*"), by_organization)
