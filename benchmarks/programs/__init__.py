"""Programs that the benchmarks start, most of them for a peer and in its own environment."""
