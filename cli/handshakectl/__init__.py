"""handshakectl: for the people who keep an account's handshake policy."""
