"""What CloudTrail records of a call to Organizations, as EventBridge delivers it in the account that calls.

Pure. Only calls that change something are recorded here; AWS delivers others under conditions of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

RECORDED = frozenset(
    {
        "AcceptHandshake",
        "CancelHandshake",
        "DeclineHandshake",
        "EnableAllFeatures",
        "InviteAccountToOrganization",
        "InviteOrganizationToTransferResponsibility",
    }
)


def record(
    operation: str,
    account_id: str,
    caller_arn: str,
    request: Mapping[str, Any],
    answer: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """The `detail` of "AWS API Call via CloudTrail"; `answer` has its timestamps in seconds, as on the aws_json."""
    return _event(operation, account_id, now) | {
        "eventVersion": "1.08",
        "userIdentity": {"type": "AssumedRole", "arn": caller_arn, "accountId": account_id},
        "requestParameters": _shown(request) or None,
        "responseElements": _shown(answer),
        "eventType": "AwsApiCall",
    }


def joined(management_account_id: str, account_id: str, now: datetime) -> dict[str, Any]:
    """The `detail` of "AWS Service Event via CloudTrail" for an account that joined by an invitation.

    AWS documents its name, `joinedMethod` and `joinedTime`
    (https://docs.aws.amazon.com/organizations/latest/APIReference/API_AcceptHandshake.html), but not where it names the
    account: what reads it must not rely on that.
    """
    event = _event("AccountJoinedOrganization", management_account_id, now)
    return event | {
        "eventVersion": "1.11",
        "userIdentity": {"accountId": management_account_id, "invokedBy": "organizations.amazonaws.com"},
        "requestParameters": None,
        "responseElements": None,
        "eventType": "AwsServiceEvent",
        "serviceEventDetails": {"accountId": account_id, "joinedMethod": "INVITED", "joinedTime": event["eventTime"]},
    }


def _event(name: str, account_id: str, now: datetime) -> dict[str, Any]:
    """What both kinds have."""
    return {
        "eventTime": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "organizations.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "readOnly": False,
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    }


def _shown(value: Any, key: str = "") -> Any:
    """Keys begin in lower case, actions are in lower case, and times are for people."""
    if isinstance(value, Mapping):
        return {f"{name[0].lower()}{name[1:]}": _shown(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if key == "Action":
        return str(value).lower()
    if key.endswith("Timestamp"):
        time = datetime.fromtimestamp(value, UTC)
        return f"{time:%b} {time.day}, {time.year} {time.hour % 12 or 12}:{time:%M:%S %p}"
    return value
