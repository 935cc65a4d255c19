"""The handshakes that one call sent to every invited member, which the call's record does not name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from handshake_acceptor import retry
from handshake_acceptor.handshake import Action, Handshake, parse
from handshake_relay.hint import Hint


class Client(Protocol):
    """The one operation used of botocore's Organizations client."""

    def list_handshakes_for_organization(self, **kwargs: Any) -> dict[str, Any]: ...


def asked_for_all_features(client: Client, clock: retry.Clock, created_at: str) -> Iterator[Hint]:
    """A hint for every member that waits to be asked whether all features may be enabled.

    Only invited members are asked, each by a handshake of its own
    (https://docs.aws.amazon.com/organizations/latest/APIReference/API_EnableAllFeatures.html). Raises
    `retry.READ_FAILURES`.
    """
    wanted = {"ActionType": Action.ENABLE_ALL_FEATURES.value}
    for page in retry.pages(clock, client.list_handshakes_for_organization, Filter=wanted):
        for raw in page.get("Handshakes") or ():
            handshake = parse(raw, listed=True)
            # The first of them is addressed to the organization itself, and names no account.
            if isinstance(handshake, Handshake) and handshake.state.pending:
                for account_id in sorted(handshake.addressees):
                    yield Hint(account_id, handshake.id, handshake.action.value, created_at)
