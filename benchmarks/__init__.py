"""Measurements of the plugin beside its peers, to be run by hand: `python -m benchmarks`."""
