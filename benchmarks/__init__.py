"""Benchmarks against Supervisor 4.3.0: see `python -m benchmarks --help`."""
