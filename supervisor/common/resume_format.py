"""The format in which a daemon hands its state over to the version that replaces it."""

from __future__ import annotations

FORMAT = 1
"""Version of the format: one daemon writes it, and the next reads all from 1 up to its own."""
