"""What the function tells others of a run: its records, in the log, as metrics, and as events on a bus."""
