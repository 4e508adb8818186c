"""Measurements of the plugin, to be run by hand: their figures are in `docs/performance.md`."""
