"""How well copies are found, against peers: `python -m benchmarks.matching`; see docs/matching.md."""
