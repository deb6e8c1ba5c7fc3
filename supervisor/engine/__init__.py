"""The loop and what it needs of the system: fds, files, sockets, time."""
