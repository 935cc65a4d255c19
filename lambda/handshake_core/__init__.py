"""What both functions and the tools share: the handshake, what a failed call means, retries, schemas with messages."""
