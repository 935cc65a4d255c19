"""The link by which an account shares this project's metrics and log with the hub, and nothing else of it."""

from __future__ import annotations

from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_oam as oam
from constructs import Construct

from handshake_acceptor.reporting.metric import NAMESPACE

SHARED: Final = ("AWS::CloudWatch::Metric", "AWS::Logs::LogGroup")
"""The kinds of data that a link shares, and that the hub's sink admits."""

NAMESPACES: Final = (NAMESPACE, "AWS/Lambda")
"""Whose metrics are shared. A link selects by namespace only, so those of the account's other functions come along."""


class ObservabilityLink(oam.CfnLink):
    """Links this account to a sink in the same region, under its account id.

    https://docs.aws.amazon.com/OAM/latest/APIReference/API_CreateLink.html
    """

    def __init__(self, scope: Construct, construct_id: str, *, sink_arn: str, log_group: logs.ILogGroup) -> None:
        namespaces = ", ".join(f"'{namespace}'" for namespace in NAMESPACES)
        super().__init__(
            scope,
            construct_id,
            sink_identifier=sink_arn,
            resource_types=list(SHARED),
            # Never $AccountName or $AccountEmail, which are personal data.
            label_template=Stack.of(scope).account,
            link_configuration=oam.CfnLink.LinkConfigurationProperty(
                metric_configuration=oam.CfnLink.LinkFilterProperty(filter=f"Namespace IN ({namespaces})"),
                log_group_configuration=oam.CfnLink.LinkFilterProperty(
                    filter=f"LogGroupName = '{log_group.log_group_name}'"
                ),
            ),
        )
