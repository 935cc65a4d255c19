"""All findings of a deployed stack, whichever of the three it is."""

from __future__ import annotations

from enum import StrEnum

from handshake_core import retry
from handshakectl.account.checks.acceptor import AcceptorChecks
from handshakectl.account.checks.finding import Finding, finding
from handshakectl.account.checks.hub import HubChecks
from handshakectl.account.checks.relay import RelayChecks
from handshakectl.account.deployment import Deployment
from handshakectl.account.session import Aws, Caller
from handshakectl.account.status import standing_of
from handshakectl.names import HUB_STACK, NAME, RELAY_NAME, RELAY_STACK


class Kind(StrEnum):
    """What a stack is."""

    ACCEPTOR = "acceptor"
    RELAY = "relay"
    HUB = "hub"


_USUAL = {Kind.ACCEPTOR: None, Kind.RELAY: RELAY_STACK, Kind.HUB: HUB_STACK}


def examine(aws: Aws, caller: Caller, stack: str | None, prefix: str, current: str | None = None) -> list[Finding]:
    """All findings of an account's stack: its kind, its name, or None for the acceptor's, whatever its name is.

    `current`: the organization that the account is to be in now, or `NONE`; None asks nothing about that.
    """
    kind, name = (Kind(stack), _USUAL[Kind(stack)]) if stack in set(Kind) else (None, stack)
    deployed = Deployment(aws, caller, name, prefix, RELAY_NAME if kind is Kind.RELAY else NAME)
    match kind or _kind_of(deployed):
        case Kind.RELAY:
            checks = RelayChecks(Deployment(aws, caller, name, prefix, RELAY_NAME)).all()
        case Kind.HUB:
            checks = HubChecks(deployed).all()
        case Kind.ACCEPTOR:
            acceptor = AcceptorChecks(deployed)
            checks = acceptor.all() | {"handshakes": lambda: standing_of(deployed)}
            if current is not None:
                checks["organization"] = lambda: acceptor.organization(current)
    return [finding(each, check) for each, check in checks.items()]


def _kind_of(deployed: Deployment) -> Kind:
    """What a stack of this name is, by its outputs; the acceptor where that cannot be read."""
    try:
        outputs = deployed.outputs
    except retry.READ_FAILURES:
        return Kind.ACCEPTOR
    if "SinkArn" in outputs:
        return Kind.HUB
    return Kind.RELAY if outputs.get("FunctionName") == RELAY_NAME else Kind.ACCEPTOR
