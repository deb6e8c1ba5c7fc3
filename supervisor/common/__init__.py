"""Facts and pure machines without I/O, for every other folder."""
