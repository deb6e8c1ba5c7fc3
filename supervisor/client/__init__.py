"""The parts of the client: configuration, transport, proxy, terminal."""
