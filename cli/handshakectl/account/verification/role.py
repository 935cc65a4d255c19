"""What the function's role may do inside its ceiling, and what it may not do outside, by IAM's own word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from handshakectl.account.checks.finding import Wrong
from handshakectl.account.checks.permissions import Refusal, refusals
from handshakectl.account.deployment import Deployment
from handshakectl.names import NAME
from handshakectl.output import plural
from handshakectl.policy.deployed_ceiling import granted

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_ACCEPT, _DECLINE = "organizations:AcceptHandshake", "organizations:DeclineHandshake"
_ID = "h-0000000000"
_ELSEWHERE = "000000000000:handshake/o-0000000000/invite"
"""Neither the account nor the organization can be anybody's ceiling: nobody has these ids."""


class Role:
    """The check of the function's role."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._iam: IAMClient = deployed.aws.client("iam")

    def role(self) -> str:
        """Asks IAM about handshakes inside and outside the ceiling, and about calls that the function never makes."""
        document: Any = self._iam.get_role_policy(RoleName=NAME, PolicyName=NAME)["PolicyDocument"]
        accept, decline = granted(document, _ACCEPT), granted(document, _DECLINE)
        inside = [(action, arn) for action, arns in ((_ACCEPT, accept), (_DECLINE, decline)) for arn in _inside(arns)]
        around = list(self._around([*accept, *decline]))
        outside = [
            *((_ACCEPT, arn) for arn in around if not _matches(arn, accept)),
            *((_DECLINE, arn) for arn in around if not _matches(arn, decline)),
            *self._never(),
        ]
        refused = self._refused(inside)
        wrong = [f"it may not {action} on {arn}" for action, arn in inside if (action, arn) in refused]
        by_organization = [one.advice for one in refused.values() if one.by_organization]
        held = self._refused(outside)
        wrong += [f"it may {action} on {arn}" for action, arn in outside if (action, arn) not in held]
        if wrong:
            raise Wrong("; ".join(wrong), by_organization[0] if by_organization else _ADVICE)
        return f"{plural(len(inside), 'thing')} inside the ceiling allowed, {len(outside)} outside refused"

    def _around(self, patterns: list[str]) -> Iterator[str]:
        """A handshake of each pattern, each with one part changed, and one of another origin altogether."""
        base = f"arn:{self._deployed.caller.partition}:organizations::"
        near = [arn.removeprefix(base).split("/") for arn in _inside(patterns)]
        strange = _ELSEWHERE.split("/")
        tails = [[*strange, _ID], *near, *(other for tail in near for other in _neighbours(tail, strange))]
        yield from dict.fromkeys(base + "/".join(tail) for tail in tails)

    def _never(self) -> Iterator[tuple[str, str]]:
        """Calls that nothing of ours makes."""
        parameter = self._deployed.arn("ssm", f"parameter{self._deployed.prefix}mode")
        yield "organizations:InviteAccountToOrganization", "*"
        yield "organizations:LeaveOrganization", "*"
        yield "ssm:PutParameter", parameter
        yield "ssm:DeleteParameter", parameter

    def _refused(self, asked: list[tuple[str, str]]) -> dict[tuple[str, str], Refusal]:
        """Which of these IAM refuses."""
        role, found = self._deployed.function["Role"], {}
        for action in dict.fromkeys(action for action, _ in asked):
            for one in refusals(self._iam, role, action, [arn for each, arn in asked if each == action]):
                found[action, one.resource] = one
        return found


def _matches(arn: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(arn, pattern) for pattern in patterns)


_ADVICE = "look who changed the role or its boundary, then deploy again"


def _inside(patterns: Iterable[str]) -> list[str]:
    """A handshake of each pattern of a ceiling. That of any origin reaches a stranger's too."""
    return [f"{arn.split('*')[0]}{_ELSEWHERE}/{_ID}" if "::*" in arn else f"{arn[:-1]}{_ID}" for arn in patterns]


def _neighbours(tail: list[str], strange: list[str]) -> Iterator[list[str]]:
    """A handshake's ARN, behind the partition, with another account, organization or action: one at a time."""
    account, organization = tail[:2]
    other_account = [strange[0], organization, *tail[2:]]
    other_organization = [account, strange[1], *tail[2:]]
    other_action = [account, organization, "transfer_responsibility", _ID]
    yield from (other_account, other_organization, other_action)
