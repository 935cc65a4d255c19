"""Tests of what benchmarks lean on."""
