"""The handshakes that one call sent to every invited member, which the call's record does not name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from handshake_core import retry
from handshake_core.handshake import Handshake
from handshake_relay.hint import Hint

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient


def asked_members(client: OrganizationsClient, clock: retry.Clock, parent: Hint) -> Iterator[Hint]:
    """A hint for every member that is asked, and has not answered yet, whether all features may be enabled.

    Only invited members are asked, each by a handshake of its own whose parent is the one of the call. It is not found
    by its action, of which AWS's texts say two things
    (https://docs.aws.amazon.com/organizations/latest/APIReference/API_HandshakeFilter.html). Raises
    `retry.READ_FAILURES`.
    """
    wanted = {"ParentHandshakeId": parent.handshake_id}
    for page in retry.pages(clock, client.list_handshakes_for_organization, Filter=wanted):
        for raw in page.content.get("Handshakes") or ():
            handshake = Handshake.from_api(raw, listed=True)
            if isinstance(handshake, Handshake) and handshake.state.pending:
                for account_id in sorted(handshake.addressees - {handshake.management_account_id}):
                    yield Hint(account_id, handshake.id, handshake.action.value, parent.created_at)
