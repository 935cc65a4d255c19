"""The verbs that need no account: they read files, and never load an AWS library."""
