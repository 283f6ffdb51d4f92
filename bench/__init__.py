"""Benchmarks: medians and ratios, run by hand and by `make bench`. Never part of the tests."""
