"""Process ids."""

MAX_PID = 2**31 - 1
"""Largest value of a pid_t."""
