"""The CDK app: settings in, a stack's template out. `-c stack=…` says which, else that of invited accounts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

# aws_cdk starts Node when it is imported, which says in eleven lines that version 20 is at its end, in every deploy. It
# still works; README.md says which versions CDK supports.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

from aws_cdk import App, Stack

from handshake_acceptor_cdk.asset.build import BuildFailed
from handshake_acceptor_cdk.settings import acceptor, hub, relay
from handshake_acceptor_cdk.settings.reading import HUB, RELAY, STACK, WrongSettings, given
from handshake_acceptor_cdk.stacks.acceptor import AcceptorStack
from handshake_acceptor_cdk.stacks.hub import HubStack
from handshake_acceptor_cdk.stacks.relay import RelayStack

_ACCOUNT = os.environ.get("CDK_DEFAULT_ACCOUNT")
# The CDK CLI sets both from the caller's credentials and profile; `cdk synth` needs neither.
_REGION = os.environ.get("CDK_DEFAULT_REGION", "us-east-1")


def _acceptor(app: App) -> Stack:
    read = acceptor.load(app.node, _REGION)
    return AcceptorStack(app, "HandshakeAcceptor", settings=read, account=_ACCOUNT)


def _relay(app: App) -> Stack:
    read = relay.parse(given(app.node, RELAY), _REGION)
    return RelayStack(app, "HandshakeRelay", settings=read, account=_ACCOUNT)


def _hub(app: App) -> Stack:
    read = hub.parse(given(app.node, HUB), _REGION)
    return HubStack(app, "HandshakeHub", settings=read, account=_ACCOUNT)


_STACKS: dict[str, Callable[[App], Stack]] = {"acceptor": _acceptor, "relay": _relay, "hub": _hub}


def main() -> int:
    """Synthesizes a stack, or says in one line each what is wrong and gives 1."""
    app = App()
    named = app.node.try_get_context(STACK)
    wanted = "acceptor" if named is None else named
    if wanted not in _STACKS:
        return _stop((f"context {STACK}: {wanted!r} is none; use {' or '.join(_STACKS)}",))
    try:
        _STACKS[wanted](app)
    except WrongSettings as wrong:
        return _stop(wrong.problems)
    except BuildFailed as failed:
        return _stop((str(failed),))
    app.synth()
    return 0


def _stop(problems: tuple[str, ...]) -> int:
    for problem in problems:
        print(f"handshake-acceptor: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
