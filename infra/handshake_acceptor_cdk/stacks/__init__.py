"""The stacks, each for one kind of account: what they consist of, and the template for many accounts."""
