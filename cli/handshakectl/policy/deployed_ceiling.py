"""The ceiling as it is deployed: what the function's role may accept, which no settings file can be wrong about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from handshake_core import retry
from handshakectl.names import NAME
from handshakectl.policy.ceiling import Ceiling, Origin

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_HANDSHAKES = re.compile(r"arn:[a-z-]+:organizations::(\d{12}):handshake/(o-[a-z0-9]+)/([a-z_]+)/\*", re.ASCII)


def deployed_ceiling(iam: IAMClient) -> Ceiling | None:
    """What the deployed role may accept; None where the caller may not read it, or any origin is allowed."""

    def read() -> tuple[Origin, ...]:
        document: Any = iam.get_role_policy(RoleName=NAME, PolicyName=NAME)["PolicyDocument"]
        return tuple(_origins(document))

    try:
        return Ceiling("the deployed role", retry.normalize_errors(read))
    except retry.READ_FAILURES:
        return None


def as_list(value: Any) -> list[str]:
    """The values of a part of an IAM policy, where one may stand without its list."""
    return [value] if isinstance(value, str) else list(value)


def granted(document: Any, action: str) -> list[str]:
    """The resources on which a policy's statements allow an action. Raises `LookupError` and the like."""
    allowed = [each for each in document["Statement"] if each["Effect"] == "Allow"]
    return [arn for each in allowed if action in as_list(each["Action"]) for arn in as_list(each["Resource"])]


def _origins(document: Any) -> Iterator[Origin]:
    """Raises where a resource is not the handshakes of one origin and action: then there is no telling."""
    for arn in granted(document, "organizations:AcceptHandshake"):
        match = _HANDSHAKES.fullmatch(arn)
        if match is None:
            raise ValueError("not the handshakes of one origin and action")
        account, organization, action = match.groups()
        yield Origin(frozenset({organization}), frozenset({account}), frozenset({action.upper()}))
