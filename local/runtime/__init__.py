"""Lambda's side of a function: its runtime API, and the client of it that starts the function's code."""
