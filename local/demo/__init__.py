"""`make demo` and `make aws`."""
