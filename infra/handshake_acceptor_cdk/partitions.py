"""AWS's partitions, and what differs between them that neither CloudFormation nor CDK knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Aws, CfnCondition, CfnMapping, Fn, Stack, Token
from constructs import Construct


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition. `home_region` is where Organizations' records reach EventBridge, and nowhere else.

    https://docs.aws.amazon.com/organizations/latest/userguide/region-support.html
    """

    name: str
    home_region: str
    console: str
    traces: bool = True
    """Whether X-Ray traces functions there.

    https://docs.amazonaws.cn/en_us/aws/latest/userguide/lambda.html: "X-Ray integration with Lambda functions is not
    available in the China Regions".
    """


COMMERCIAL: Final = Partition("aws", "us-east-1", "console.aws.amazon.com")
OTHERS: Final = (
    Partition("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    Partition("aws-cn", "cn-northwest-1", "console.amazonaws.cn", traces=False),
)
PARTITIONS: Final = (COMMERCIAL, *OTHERS)
HOME_REGIONS: Final = tuple(partition.home_region for partition in PARTITIONS)
TRACED: Final = tuple(partition.home_region for partition in PARTITIONS if partition.traces)
"""The home regions in which functions can be traced."""


def console(scope: Construct) -> str:
    """The host of the AWS console for a stack in a home region; a stack for every region finds it out when deployed."""
    stack = Stack.of(scope)
    if Token.is_unresolved(stack.region):
        hosts = {partition.name: {"Host": partition.console} for partition in PARTITIONS}
        return CfnMapping(scope, "Console", mapping=hosts).find_in_map(Aws.PARTITION, "Host")
    return next(partition.console for partition in PARTITIONS if partition.home_region == stack.region)


def only_commercial(scope: Construct, construct_id: str, value: Any) -> Any:
    """A property that the partition `aws` has, and no other; a stack for every region finds it out when deployed."""
    stack = Stack.of(scope)
    if not Token.is_unresolved(stack.region):
        return value if stack.region == COMMERCIAL.home_region else None
    condition = CfnCondition(scope, construct_id, expression=Fn.condition_equals(Aws.PARTITION, COMMERCIAL.name))
    return Fn.condition_if(condition.logical_id, value, Aws.NO_VALUE)
