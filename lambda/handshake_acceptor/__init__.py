"""What runs in the invited account: it accepts the handshakes that the account's owner allows, and nothing else.

Arrows point one way: handler → reconcile → (policy, organizations, policy_store, telemetry) → handshake.
"""
