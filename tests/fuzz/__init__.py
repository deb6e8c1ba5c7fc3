"""Machines that read what somebody else has written, under a fuzzer."""
