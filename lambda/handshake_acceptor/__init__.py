"""What runs in the invited account: it accepts the handshakes that the account's owner allows, and nothing else.

Imports go one way: handler → sweeps, reconcile; reconcile → state → evidence → observed; reconcile → plan → reporting
→ policy; and all of them → handshake_core. Read `reconcile` for the story of a run, `plan` and `policy.decide` for what
is decided, `reporting` for what is told of it, and `handshake_core.errors` for what failures mean.
"""
