"""Put the handshake service behind boto3: in moto, for one process, and in ministack, for many."""
