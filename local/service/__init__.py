"""AWS Organizations' handshakes as one state machine, how it speaks AWS JSON, and what arranges its world."""
