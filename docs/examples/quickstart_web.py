"""A web server on a port of the loopback interface: says who answers, and for how long."""

import http.server
import os
import sys
import time

STARTED = time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET with one line."""

    def do_GET(self) -> None:
        """Send pid and age."""
        age = time.monotonic() - STARTED
        body = f"pid {os.getpid()}, up for {age:.0f} seconds\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the port argv[1] until a signal ends the process."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
