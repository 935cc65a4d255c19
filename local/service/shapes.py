"""How handshakes and refusals look, after the recorded samples and the botocore model."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from local.service.values import (
    Account,
    Action,
    FeatureSet,
    Handshake,
    Json,
    Organization,
    Party,
    PartyType,
    ServiceError,
    Settings,
)


def shown(found: Handshake, settings: Settings) -> Json:
    """A handshake as every operation answers it."""
    origin = found.organization_id if settings.organization_party_prefix else found.organization_id[2:]
    parties = [Party(PartyType.ORGANIZATION, origin)]
    if settings.inviter_is_a_party and found.action is Action.INVITE:
        parties.append(Party(PartyType.ACCOUNT, found.sender))
    if found.target.type is not PartyType.ORGANIZATION:
        parties.append(found.target)
    return {
        "Id": found.id,
        "Arn": found.arn,
        "Parties": [{"Id": party.id, "Type": party.type.value} for party in parties],
        "State": found.state.value,
        "RequestedTimestamp": found.requested_at,
        "ExpirationTimestamp": found.expires_at,
        "Action": found.action.value,
        "Resources": list(found.resources),
    }


def resources(
    action: Action, organization: Organization, management: Account, target: Party, notes: str | None
) -> Sequence[Json]:
    """What a handshake is about, in the order of the recorded samples."""
    if action is Action.TRANSFER_RESPONSIBILITY:
        # No sample of this one was recorded: the model's resource types for it.
        about_management = [
            _resource("MANAGEMENT_EMAIL", management.email),
            _resource("MANAGEMENT_NAME", management.name),
        ]
        found = [{**_resource("MANAGEMENT_ACCOUNT", management.id), "Resources": about_management}]
    else:
        feature_set = organization.feature_set if action is Action.INVITE else FeatureSet.ALL
        about_origin = [
            _resource("MASTER_EMAIL", management.email),
            _resource("MASTER_NAME", management.name),
            _resource("ORGANIZATION_FEATURE_SET", feature_set),
        ]
        found = [{**_resource("ORGANIZATION", organization.id), "Resources": about_origin}]
    if action in (Action.INVITE, Action.TRANSFER_RESPONSIBILITY):
        found.append(_resource(target.type, target.id))
    if notes is not None:
        found.append(_resource("NOTES", notes))
    return found


def target_of(request: Mapping[str, Any]) -> Party:
    """Whom a request invites; only accounts and e-mail addresses can be."""
    kind, target_id = request["Target"]["Type"], request["Target"]["Id"]
    match kind:
        case PartyType.ACCOUNT if re.fullmatch(r"\d{12}", target_id, re.ASCII):
            return Party(PartyType.ACCOUNT, target_id)
        case PartyType.ACCOUNT:
            raise invalid("INVALID_PATTERN_TARGET_ID", "An account id has 12 digits.")
        case PartyType.EMAIL if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", target_id):
            return Party(PartyType.EMAIL, target_id)
        case PartyType.EMAIL:
            raise invalid("INVALID_EMAIL_ADDRESS_TARGET", "This is not an e-mail address.")
        case _:
            raise invalid("INVALID_PARTY_TYPE_TARGET", "Only ACCOUNT and EMAIL can be invited.")


def _resource(kind: str, value: str) -> Json:
    return {"Type": str(kind), "Value": str(value)}


def invalid(reason: str, message: str) -> ServiceError:
    """InvalidInputException."""
    return ServiceError("InvalidInputException", message, reason)


def constraint(reason: str, message: str) -> ServiceError:
    """HandshakeConstraintViolationException."""
    return ServiceError("HandshakeConstraintViolationException", message, reason)


def access_denied() -> ServiceError:
    """AccessDeniedException: for a wrong role, and for a handshake that is none of the caller's business."""
    return ServiceError("AccessDeniedException", "You don't have permissions to access this resource.")


def master_cannot_leave() -> ServiceError:
    """MasterCannotLeaveOrganizationException."""
    return ServiceError(
        "MasterCannotLeaveOrganizationException", "You can't remove a management account from an organization."
    )
