"""What became of an assumption: proven, false, or cannot tell; and which permission each call needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from botocore.exceptions import ClientError

from handshake_core import retry
from handshakectl.account.checks.finding import Unclear, Verdict, finding
from handshakectl.failures import DENIED, error_code, explained


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
    verdict: str
    """One of `WORDS`."""
    why: str
    breaks: str = ""
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)

    def cells(self) -> list[str]:
        """For a table with `HEADERS`."""
        broken = f"; it breaks: {self.breaks}" if self.breaks else ""
        advice = f" -> {self.advice}" if self.advice else ""
        return [self.verdict, self.check, self.assumption, f"{self.why}{broken}{advice}"]


WORDS: Final = {Verdict.OK: "proven", Verdict.WRONG: "false", Verdict.CANNOT_TELL: "cannot tell"}
"""What a check's verdict means for its assumption."""

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

    found = finding(check.name, prove)
    breaks = check.breaks if found.verdict is Verdict.WRONG else ""
    return Proof(check.name, check.assumption, WORDS[found.verdict], found.why, breaks, found.advice)
