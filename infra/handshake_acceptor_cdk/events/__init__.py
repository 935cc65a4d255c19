"""What wakes the functions, and what becomes of events that fail: rules, hint bus, sweep, failure queue."""
