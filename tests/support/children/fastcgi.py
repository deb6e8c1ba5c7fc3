"""A FastCGI responder on stdin: answers with its pid, the request's method and its body."""

import os
import socket
import struct

HEADER = struct.Struct("!BBHHBx")
END_REQUEST, PARAMS, STDIN, STDOUT = 3, 4, 5, 6


def exactly(connection: socket.socket, count: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_request(connection: socket.socket) -> tuple[int, dict[int, bytes]]:
    """Return the request's id and its streams."""
    streams = {PARAMS: b"", STDIN: b""}
    while True:
        _, kind, number, length, padding = HEADER.unpack(exactly(connection, HEADER.size))
        content = exactly(connection, length + padding)[:length]
        if kind in streams:
            streams[kind] += content
        if kind == STDIN and not length:
            return number, streams


def record(kind: int, number: int, content: bytes) -> bytes:
    """Return a record."""
    return HEADER.pack(1, kind, number, len(content), 0) + content


def parameters(data: bytes) -> dict[bytes, bytes]:
    """Return the names and values of the PARAMS stream."""
    found = {}
    while data:
        lengths = []
        for _ in range(2):
            size = 4 if data[0] & 0x80 else 1
            lengths.append(int.from_bytes(data[:size], "big") & 0x7FFFFFFF)
            data = data[size:]
        name, value, data = (
            data[: lengths[0]],
            data[lengths[0] : sum(lengths)],
            data[sum(lengths) :],
        )
        found[name] = value
    return found


listener = socket.socket(fileno=0)
print("READY", flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        number, streams = read_request(connection)
        method = parameters(streams[PARAMS])[b"REQUEST_METHOD"]
        answer = b"%d %s %s" % (os.getpid(), method, streams[STDIN])
        text = b"Content-Type: text/plain\r\n\r\n" + answer
        connection.sendall(record(STDOUT, number, text) + record(STDOUT, number, b""))
        connection.sendall(record(END_REQUEST, number, bytes(8)))
