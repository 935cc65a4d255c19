"""What the account asks of AWS Organizations, and nothing else of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

from botocore.exceptions import ClientError

from handshake_acceptor.policy.decide import NONE
from handshake_core import retry
from handshake_core.handshake import (
    ACCOUNT_ID,
    ORGANIZATION_ID,
    Account,
    Handshake,
    InvalidHandshake,
    Role,
    invalid_handshake,
    is_over,
)


class Client(Protocol):
    """The operations used of botocore's Organizations client. Their answers are dictionaries as its model says."""

    def list_handshakes_for_account(self, **kwargs: Any) -> dict[str, Any]: ...
    def describe_handshake(self, **kwargs: Any) -> dict[str, Any]: ...
    def describe_organization(self, **kwargs: Any) -> dict[str, Any]: ...
    def accept_handshake(self, **kwargs: Any) -> dict[str, Any]: ...
    def decline_handshake(self, **kwargs: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Listing:
    """What the account's own list shows."""

    handshakes: tuple[Handshake | InvalidHandshake, ...]
    """Those that do not plainly say that they are over, and those that were wanted."""
    count: int
    """Of all that it shows."""


class Organizations:
    """The handshake operations of the account that calls. Reads are retried; accept and decline are one attempt."""

    def __init__(self, client: Client, clock: retry.Clock) -> None:
        self._client = client
        self._clock = clock

    def list(self, wanted: Collection[str] = ()) -> Listing:
        """What this account received. Finished handshakes stay in the list for 30 days, and are read only if `wanted`.

        One that two pages show is given once, as the later page shows it.
        Raises `retry.READ_FAILURES`.
        """
        shown: dict[str, Handshake | InvalidHandshake | None] = {}
        nameless = []
        for page in retry.pages(self._clock, self._client.list_handshakes_for_account):
            for raw in page.get("Handshakes") or ():
                if is_over(raw) and raw["Id"] not in wanted:
                    shown[raw["Id"]] = None
                    continue
                read = Handshake.from_api(raw, listed=True)
                if read.id:
                    shown[read.id] = read
                else:
                    nameless.append(read)
        named = (each for each in shown.values() if each is not None)
        return Listing((*named, *nameless), len(shown) + len(nameless))

    def describe(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """One handshake by id. Raises `retry.CALL_FAILURES`; a standalone account may be refused."""
        answer = retry.call(self._clock, lambda: self._client.describe_handshake(HandshakeId=handshake_id))
        return _answered(handshake_id, answer)

    def account(self, account_id: str, partition: str) -> Account:
        """The account as it is now. Raises `retry.CALL_FAILURES`, which never means that it is standalone."""
        try:
            answer = retry.call(self._clock, self._client.describe_organization) or {}
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

    def accept(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """Accepts, once. The answer may come before the handshake reads `ACCEPTED`. Raises `retry.CALL_FAILURES`."""
        return _answered(handshake_id, retry.once(lambda: self._client.accept_handshake(HandshakeId=handshake_id)))

    def decline(self, handshake_id: str) -> Handshake | InvalidHandshake:
        """Declines, once, which cannot be undone. Raises `retry.CALL_FAILURES`."""
        return _answered(handshake_id, retry.once(lambda: self._client.decline_handshake(HandshakeId=handshake_id)))


def unknown_account(account_id: str, partition: str) -> Account:
    """An account whose organization could not be found out."""
    return Account(account_id, partition, Role.UNKNOWN, "UNKNOWN")


def _answered(handshake_id: str, answer: dict[str, Any] | None) -> Handshake | InvalidHandshake:
    """The handshake in an answer, which must be the one that was asked for."""
    handshake = Handshake.from_api((answer or {}).get("Handshake"), listed=False)
    if handshake.id not in ("", handshake_id):
        return invalid_handshake(handshake_id, "OTHER_HANDSHAKE", "the answer is about another handshake", handshake.id)
    return handshake if isinstance(handshake, Handshake) else replace(handshake, id=handshake_id)
