"""What runs in the invited account: it accepts the handshakes that the account's owner allows, and nothing else.

Arrows point one way: handler → reconcile → plan → look → (policy, organizations, policy_store) → handshake. Read
`reconcile` for the story of a run, `plan` and `policy` for what is decided, `errors` for what a failure means.
"""
