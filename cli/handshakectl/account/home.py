"""The one region of a partition in which Organizations' events appear, and so where the acceptor is deployed."""

from handshakectl.account.session import Caller
from handshakectl.errors import BadInput

HOME = {
    "aws": "us-east-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-cn": "cn-northwest-1",
}
"""The home region of each partition. [AWS Organizations and EventBridge, "supported regions"]"""


def refuse_elsewhere(caller: Caller, region: str) -> None:
    """Raises `BadInput` unless the region is the home region of the caller's partition: nobody reads a policy there."""
    home = HOME.get(caller.partition)
    if region != home:
        text = f"the function reads its policy in {home}, the home region of the partition {caller.partition}"
        raise BadInput(f"--region: {region} is no home region: {text}")
