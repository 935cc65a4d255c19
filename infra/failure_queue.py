"""The queue for whatever could not be delivered or did not succeed: one place for an operator to look."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.names import NAME


class FailureQueue(sqs.Queue):
    """Takes failed runs from the function, and undelivered events from the rules and the schedule.

    Two weeks is the longest that SQS keeps a message
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            queue_name=f"{NAME}-failures",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
