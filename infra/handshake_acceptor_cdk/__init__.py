"""handshake-acceptor as CDK constructs, for an app of one's own: docs/use-as-construct.md."""

from handshake_acceptor_cdk.asset.build import BuildFailed
from handshake_acceptor_cdk.settings.acceptor import Origin, PolicyFile, Settings
from handshake_acceptor_cdk.settings.hub import HubSettings
from handshake_acceptor_cdk.settings.reading import WrongSettings
from handshake_acceptor_cdk.settings.relay import RelaySettings
from handshake_acceptor_cdk.stacks.acceptor import AcceptorStack, HandshakeAcceptor
from handshake_acceptor_cdk.stacks.hub import HubStack
from handshake_acceptor_cdk.stacks.relay import RelayStack
from handshake_core.handshake import Action

__all__ = [
    "AcceptorStack",
    "Action",
    "BuildFailed",
    "HandshakeAcceptor",
    "HubSettings",
    "HubStack",
    "Origin",
    "PolicyFile",
    "RelaySettings",
    "RelayStack",
    "Settings",
    "WrongSettings",
]
