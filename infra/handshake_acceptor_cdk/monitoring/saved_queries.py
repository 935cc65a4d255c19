"""Questions to the log, saved in CloudWatch Logs Insights and drawn on the dashboard.

Their fields are those of the function's `decision` and `run` lines; nothing else is asked, and a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_logs as logs
from constructs import Construct

from handshake_acceptor_cdk.names import NAME


@dataclass(frozen=True, slots=True)
class Query:
    """One question, as a name for people and its text in the query language."""

    name: str
    text: str


DECISIONS: Final = Query(
    "decisions in the last day",
    "fields @timestamp, handshake_id, action, organization_id, decision, outcome, reasons.0.message, trigger"
    '\n| filter message = "decision"'
    "\n| sort @timestamp desc"
    "\n| limit 200",
)
WHY_PENDING: Final = Query(
    "why is this handshake pending",
    "fields @timestamp, decision, outcome, sids.0, reasons.0.code, reasons.0.message, reasons.1.message,"
    " reasons.2.message, policy_version, mode, expires_at"
    '\n| filter message = "decision" and handshake_id = "h-PUT-ITS-ID-HERE"'
    "\n| sort @timestamp desc"
    "\n| limit 20",
)
ACCEPTED_BY_STATEMENT: Final = Query(
    "accepted by statement",
    'filter message = "decision" and outcome = "ACCEPTED"'
    "\n| stats count(*) as accepted, latest(handshake_id) as last by sids.0, organization_id, action"
    "\n| sort accepted desc",
)
RETRIES: Final = Query(
    "retries",
    'filter message = "decision" and (attempts > 1 or outcome = "RETRY_LATER" or outcome = "ACCEPT_UNCONFIRMED")'
    "\n| stats count(*) as decisions, max(attempts) as most_attempts"
    " by outcome, coalesce(reasons.1.code, reasons.0.code) as reason"
    "\n| sort decisions desc",
)
FAILURES: Final = Query(
    "failed runs by kind",
    'filter message = "run" and ispresent(failures.0)'
    "\n| stats count(*) as tries, latest(@timestamp) as last by failures.0, trigger"
    "\n| sort tries desc",
)
QUERIES: Final = (DECISIONS, WHY_PENDING, ACCEPTED_BY_STATEMENT, RETRIES, FAILURES)


class SavedQueries(Construct):
    """The questions, in the console's folder `handshake-acceptor`."""

    def __init__(self, scope: Construct, construct_id: str, *, log_group: logs.ILogGroup) -> None:
        super().__init__(scope, construct_id)
        for query in QUERIES:
            logs.CfnQueryDefinition(
                self,
                query.name.title().replace(" ", ""),
                name=f"{NAME}/{query.name}",
                query_string=query.text,
                log_group_names=[log_group.log_group_name],
            )
