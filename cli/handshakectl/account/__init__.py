"""One account: its session, what is deployed there, what waits there, and the checks."""
