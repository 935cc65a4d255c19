"""What became of an assumption: proven, false, or cannot tell; and which permission each call needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from botocore.exceptions import ClientError

from handshake_core import retry
from handshakectl.account.checks import finding
from handshakectl.account.checks.finding import Unclear
from handshakectl.failures import error_code, explained


class Verdict(StrEnum):
    """What became of an assumption on this account."""

    PROVEN = "proven"
    FALSE = "false"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Check:
    """One assumption, and how it is proven."""

    name: str
    """What docs/assumptions.md calls it, after `verify: `."""
    assumption: str
    breaks: str
    """What no longer works where it is false."""
    prove: Callable[[], str]
    """Says what was seen. Raises `Wrong` where it is false, `Unclear` where it cannot tell, or what botocore raises."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one assumption."""

    check: str
    assumption: str
    verdict: Verdict
    why: str
    breaks: str = ""
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {
            "check": self.check,
            "assumption": self.assumption,
            "verdict": self.verdict.value,
            "why": self.why,
            "breaks": self.breaks,
            "advice": self.advice,
        }

    def cells(self) -> list[str]:
        """For a table with `HEADERS`."""
        broken = f"; it breaks: {self.breaks}" if self.breaks else ""
        advice = f" -> {self.advice}" if self.advice else ""
        return [self.verdict.value, self.check, self.assumption, f"{self.why}{broken}{advice}"]


HEADERS: Final = ("verdict", "check", "assumed", "why")

PERMISSIONS: Final = {
    "DescribeAlarmHistory": "cloudwatch:DescribeAlarmHistory",
    "DescribeAlarms": "cloudwatch:DescribeAlarms",
    "GetDashboard": "cloudwatch:GetDashboard",
    "GetMetricData": "cloudwatch:GetMetricData",
    "ListDashboards": "cloudwatch:ListDashboards",
    "DescribeEventBus": "events:DescribeEventBus",
    "DescribeRule": "events:DescribeRule",
    "ListRuleNamesByTarget": "events:ListRuleNamesByTarget",
    "PutEvents": "events:PutEvents",
    "TestEventPattern": "events:TestEventPattern",
    "GetRolePolicy": "iam:GetRolePolicy",
    "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "DescribeQueryDefinitions": "logs:DescribeQueryDefinitions",
    "FilterLogEvents": "logs:FilterLogEvents",
    "GetQueryResults": "logs:GetQueryResults",
    "StartQuery": "logs:StartQuery",
    "GetSchedule": "scheduler:GetSchedule",
    "GetParametersByPath": "ssm:GetParametersByPath",
    "LabelParameterVersion": "ssm:LabelParameterVersion",
    "UnlabelParameterVersion": "ssm:UnlabelParameterVersion",
}
"""The permission that each operation needs which is called here; STS tells anybody who calls."""

DENIED: Final = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
"""The codes with which services say that the caller lacks a permission."""


def lacks(operation: str) -> str:
    """What to do about a refusal of an operation."""
    return f"ask with credentials that have {PERMISSIONS.get(operation, operation)}"


def proved(check: Check) -> Proof:
    """What became of the check's assumption. It raises nothing."""

    def prove() -> str:
        try:
            return retry.normalize_errors(check.prove)
        except ClientError as error:
            if error_code(error) in DENIED:
                raise Unclear(explained(error), lacks(error.operation_name)) from error
            raise

    found = finding.finding(check.name, prove)
    verdict = _VERDICTS[found.verdict]
    breaks = check.breaks if verdict is Verdict.FALSE else ""
    return Proof(check.name, check.assumption, verdict, found.why, breaks, found.advice)


_VERDICTS = {
    finding.Verdict.OK: Verdict.PROVEN,
    finding.Verdict.WRONG: Verdict.FALSE,
    finding.Verdict.CANNOT_TELL: Verdict.CANNOT_TELL,
}
