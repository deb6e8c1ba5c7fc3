"""Ours beside Supervisor 4.3.0, in one run: see `python -m benchmarks --help`."""
