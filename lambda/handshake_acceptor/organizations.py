"""What the account asks of AWS Organizations, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handshake_acceptor.observed import Listing, unknown_account
from handshake_acceptor.policy.decide import NONE
from handshake_core import retry
from handshake_core.handshake import (
    ACCOUNT_ID,
    ORGANIZATION_ID,
    Account,
    Action,
    Handshake,
    InvalidHandshake,
    Role,
    State,
    invalid_handshake,
    is_over,
    timestamp,
)

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient


class Organizations:
    """The handshake operations of the account that calls. Reads are retried; accept and decline are one attempt."""

    def __init__(self, client: OrganizationsClient, clock: retry.Clock) -> None:
        self._client = client
        self._clock = clock

    def list(self, wanted: Collection[str] = (), *, patient: bool = True) -> Listing:
        """What this account received. Finished handshakes stay in the list for 30 days; `Listing` says which are read.

        One that two pages show is given once, as the later page shows it. Nothing is tried twice unless `patient`.
        Raises `retry.READ_FAILURES`.
        """
        shown: dict[str, Handshake | InvalidHandshake | None] = {}
        nameless = []
        now = arrived_at = self._clock.now()
        for page in retry.pages(self._clock, self._client.list_handshakes_for_account, patient=patient):
            arrived_at = page.ended
            for raw in page.content.get("Handshakes") or ():
                if is_over(raw) and raw["Id"] not in wanted and not _is_join(raw, now):
                    shown[raw["Id"]] = None
                    continue
                read = Handshake.from_api(raw, listed=True)
                if read.id:
                    shown[read.id] = read
                else:
                    nameless.append(read)
        named = (each for each in shown.values() if each is not None)
        return Listing((*named, *nameless), len(shown) + len(nameless), arrived_at)

    def describe(self, handshake_id: str, *, patient: bool = True) -> Handshake | InvalidHandshake:
        """One handshake by id. Raises `retry.CALL_FAILURES`; a standalone account may be refused."""
        answer = self._ask(patient, lambda: self._client.describe_handshake(HandshakeId=handshake_id))
        return _answered(handshake_id, answer)

    def account(self, account_id: str, partition: str, *, patient: bool = True) -> Account:
        """The account as it is now. Raises `retry.CALL_FAILURES`, which never means that it is standalone."""
        try:
            answer = self._ask(patient, self._client.describe_organization) or {}
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "AWSOrganizationsNotInUseException":
                return Account(account_id, partition, Role.STANDALONE, NONE)
            raise
        organization = answer.get("Organization") or {}
        identifier, management = organization.get("Id"), organization.get("MasterAccountId")
        if not (isinstance(identifier, str) and ORGANIZATION_ID.fullmatch(identifier)):
            return unknown_account(account_id, partition)
        if not (isinstance(management, str) and ACCOUNT_ID.fullmatch(management)):
            return unknown_account(account_id, partition)
        role = Role.MANAGEMENT if management == account_id else Role.MEMBER
        return Account(account_id, partition, role, identifier)

    def _ask(self, patient: bool, call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        return (retry.call_with_retries if patient else retry.in_time)(self._clock, call)

    def accept(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """Accepts, once. The answer may come before the handshake reads `ACCEPTED`. Raises `retry.CALL_FAILURES`."""
        return _answered(
            handshake_id, retry.normalize_errors(lambda: self._client.accept_handshake(HandshakeId=handshake_id))
        )

    def decline(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """Declines, once, which cannot be undone. Raises `retry.CALL_FAILURES`."""
        return _answered(
            handshake_id, retry.normalize_errors(lambda: self._client.decline_handshake(HandshakeId=handshake_id))
        )


def _is_join(raw: Mapping[str, Any], now: datetime) -> bool:
    """Whether a raw handshake is an invitation that was accepted and would not have expired yet."""
    if raw.get("State") != State.ACCEPTED or raw.get("Action") != Action.INVITE:
        return False
    expires_at = timestamp(raw.get("ExpirationTimestamp"))
    return expires_at is not None and expires_at > now


def _answered(handshake_id: str, answer: Mapping[str, Any] | None) -> Handshake | InvalidHandshake:
    """The handshake in an answer, which must be the one that was asked for."""
    handshake = Handshake.from_api((answer or {}).get("Handshake"), listed=False)
    if handshake.id not in ("", handshake_id):
        return invalid_handshake(handshake_id, "OTHER_HANDSHAKE", "the answer is about another handshake", handshake.id)
    return handshake if isinstance(handshake, Handshake) else replace(handshake, id=handshake_id)
