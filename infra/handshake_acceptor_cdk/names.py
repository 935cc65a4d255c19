"""Names that people and other programs rely on. Inside the stack, refer to the resource instead."""

from __future__ import annotations

from typing import Final

NAME: Final = "handshake-acceptor"
"""The physical name of the function, its role, the bus, the schedule group, and the stem of every other."""

RELAY_NAME: Final = "handshake-relay"
"""The same in the management account."""

HUB_BUS: Final = f"{NAME}-hub"
"""The bus of the monitoring account, and its topic."""

ALARM_SOURCE: Final = "aws.cloudwatch"
ALARM_DETAIL_TYPE: Final = "CloudWatch Alarm State Change"
"""Source and detail type of what every alarm says on its account's default bus.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

RECORD_SOURCE: Final = "aws.organizations"
RECORD_DETAIL_TYPE: Final = "AWS API Call via CloudTrail"
"""Source and detail type under which EventBridge delivers CloudTrail's records of Organizations."""
