"""The rules as a reader of the design works them out by hand: short, slow, and shared with nothing.

It reads raw JSON: policy documents that are known to be valid, a handshake as AWS gives it, and the account as
`{"id", "partition", "role", "organization"}`. Nothing of the function's own code may be imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

Json = dict[str, Any]

WHO_MAY_ACCEPT = {
    "INVITE": ["STANDALONE", "MEMBER"],
    "ENABLE_ALL_FEATURES": ["MEMBER"],
    "APPROVE_ALL_FEATURES": ["MANAGEMENT", "MEMBER"],
    "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE": ["MEMBER"],
    "TRANSFER_RESPONSIBILITY": ["MANAGEMENT"],
}


def decision(documents: list[Json], handshake: Json, account: dict[str, str], *, listed: bool, now: datetime) -> str:
    """The name of the decision."""
    origin = _origin(handshake, account["partition"])
    if origin is None or not _for_us(handshake, origin, account, listed):
        return "INELIGIBLE"
    if handshake["State"] not in ("REQUESTED", "OPEN") or _time(handshake["ExpirationTimestamp"]) <= now:
        return "INELIGIBLE"
    if account["role"] not in WHO_MAY_ACCEPT[handshake["Action"]]:
        return "INELIGIBLE"
    statements = [statement for document in documents for statement in document["Statement"]]
    matching = [s for s in statements if _matches(s, handshake["Action"], origin, account["organization"], now)]
    responses = [s.get("Respond", "LeavePending") for s in matching if s["Effect"] == "Deny"]
    if responses:
        return "DENY" if "LeavePending" in responses else "DECLINE"
    return "ACCEPT" if matching else "NO_MATCH"


def _matches(statement: Json, action: str, origin: tuple[str, str], current: str, now: datetime) -> bool:
    wanted, condition = statement.get("Origin", {}), statement.get("Condition", {})
    default = [current] if statement["Effect"] == "Deny" else ["NONE"] if action == "INVITE" else [origin[0]]
    organizations = _list(condition.get("CurrentOrganization", default))
    return (
        action in _list(statement.get("Action", action))
        and origin[0] in _list(wanted.get("OrganizationId", origin[0]))
        and origin[1] in _list(wanted.get("ManagementAccountId", origin[1]))
        and (current in organizations or organizations == ["ANY"])
        and ("NotBefore" not in condition or _time(condition["NotBefore"]) <= now)
        and ("NotAfter" not in condition or now <= _time(condition["NotAfter"]))
    )


def _origin(handshake: Json, partition: str) -> tuple[str, str] | None:
    """(organization, management account), or None where the handshake's parts do not all say the same."""
    arn, action = handshake["Arn"], handshake["Action"]
    if not arn.isascii() or arn.count("/") != 3 or arn.count(":") != 5 or action not in WHO_MAY_ACCEPT:
        return None
    organization, management = arn.split("/")[1], arn.split("/")[0].split(":")[4]
    rest = f"handshake/{organization}/{action.lower()}/{handshake['Id']}"
    if arn != f"arn:{partition}:organizations::{management}:{rest}":
        return None
    if not _is_id(organization, "o-", 10) or not _is_id(handshake["Id"], "h-", 8) or not _is_account(management):
        return None
    for kind, value in _parts(handshake):
        if kind == "ORGANIZATION" and value not in (organization, organization.removeprefix("o-")):
            return None
        asked = action == "TRANSFER_RESPONSIBILITY" and ("ACCOUNT", value) in _parts(handshake)
        if kind == "MANAGEMENT_ACCOUNT" and value != management and not asked:
            return None
    return organization, management


def _for_us(handshake: Json, origin: tuple[str, str], account: dict[str, str], listed: bool) -> bool:
    """Whether every ACCOUNT that is named is this one. The origin's management account is taken for the sender.

    Named alone, it is the addressee of all but an invitation. What is addressed to nobody must be in the list.
    """
    named = [value for kind, value in _parts(handshake) if kind == "ACCOUNT"]
    others = [value for value in named if value != origin[1]]
    if others:
        return all(value == account["id"] for value in others)
    if named and handshake["Action"] != "INVITE":
        return account["id"] == origin[1]
    return listed


def _parts(handshake: Json) -> Iterator[tuple[str, Any]]:
    for party in handshake["Parties"]:
        yield party["Type"], party["Id"]
    yield from _resources(handshake["Resources"])


def _resources(resources: list[Json]) -> Iterator[tuple[str, Any]]:
    for resource in resources:
        yield resource["Type"], resource["Value"]
        yield from _resources(resource.get("Resources", []))


def _is_account(text: str) -> bool:
    return len(text) == 12 and set(text) <= set("0123456789")


def _is_id(text: str, prefix: str, shortest: int) -> bool:
    rest = text.removeprefix(prefix)
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789")
    return text.startswith(prefix) and shortest <= len(rest) <= 32 and set(rest) <= letters


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
