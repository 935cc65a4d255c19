"""Names that the deploy gives, and that people may look for."""

NAME = "handshake-acceptor"
"""What the function, the bus and the schedule group are called."""

STACK = "HandshakeAcceptor"
"""What the stack is called where CDK deployed it. A StackSet gives its stacks names of its own."""

RELAY_NAME = "handshake-relay"
"""What the relay's function is called."""

RELAY_STACK, HUB_STACK = "HandshakeRelay", "HandshakeHub"
"""What their stacks are called."""

PREFIX = "/handshake-acceptor/"
"""Where the policy's parameters are, unless a setting says otherwise."""

MAX_REASON = 800
"""Characters of a reason; a parameter's description holds 1,024."""
