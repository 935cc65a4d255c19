"""Starts functions as Lambda does, on this machine: for `bench.cold_start`."""
