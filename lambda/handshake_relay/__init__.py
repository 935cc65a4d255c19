"""What runs in the management account: it tells invited accounts that there is something to look for."""
