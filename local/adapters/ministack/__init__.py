"""Puts the handshake service into ministack, the embedded AWS."""
