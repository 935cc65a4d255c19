"""handshake-acceptor as CDK constructs, for an app of one's own."""
