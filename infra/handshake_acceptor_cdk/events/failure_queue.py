"""The queue for whatever could not be delivered or did not succeed: one place for an operator to look."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handshake_acceptor_cdk.names import NAME
from handshake_acceptor_cdk.suppressions import suppress


class FailureQueue(sqs.Queue):
    """Takes failed runs from a function, and what rules and schedule could not deliver.

    Two weeks is the longest that SQS keeps a message
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str = NAME) -> None:
        super().__init__(
            scope,
            construct_id,
            queue_name=f"{name}-failures",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        suppress(
            self,
            {
                "AwsSolutions-SQS3": "It is the dead-letter queue: people empty it, and no program takes from it.",
                "CKV_AWS_27": "Encrypted with the key of SQS, which this check does not know. Its messages hold"
                " an event's few named fields and no personal data; a customer key costs a dollar a month an account.",
            },
        )
