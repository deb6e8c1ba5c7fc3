"""HTTP as it goes over the wire: status, kind of body, and whether the connection stays open.

Left out of the comparison are the fields `Server`, `Date` and those that make browsers careful
(see "Headers and error pages" in docs/differences.md), and the markup of pages.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, BinaryIO, Self

import pytest

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon

CONFIG = f"""
[program:talker]
command=/bin/sh -c "echo one; echo two"
startsecs=0
autorestart=false
[program:cat]
command={child("sleeper")}
startsecs=0
"""
SETTLED = {"talker": "EXITED", "cat": "RUNNING"}

ANSWER_SECONDS = 10
SILENCE_SECONDS = 0.5

CALL = (
    b"<?xml version='1.0'?><methodCall><methodName>supervisor.%s</methodName>"
    b"<params>%s</params></methodCall>"
)
STATE = CALL % (b"getState", b"")
UNKNOWN = CALL % (b"nope", b"")
NOT_ASCII = CALL % (b"getProcessInfo", b"<param><value>\xe9</value></param>")
TAIL = CALL % (
    b"readProcessStdoutLog",
    (
        b"<param><value>talker</value></param>"
        b"<param><value><int>0</int></value></param><param><value><int>0</int></value></param>"
    ),
)

# The fault of sendProcessStdin shows the value.
BOOLEAN = b"<param><value>cat</value></param><param><value><boolean>%s</boolean></value></param>"


def request(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return a request without a body."""
    head = [f"{method} {path} HTTP/{version}", "Host: localhost", *fields, "", ""]
    return "\r\n".join(head).encode()


def post(body: bytes, *fields: str, path: str = "/RPC2", version: str = "1.1") -> bytes:
    """Return a request with a body."""
    length = f"Content-Length: {len(body)}"
    return request(path, length, *fields, method="POST", version=version) + body


def style_since(date: str) -> bytes:
    """Return a request for a style sheet, unless the client has the one of a date."""
    return request("/stylesheets/supervisor.css", f"If-Modified-Since: {date}")


PROBE = request("/ok.html")

SAME = {
    "a page": request("/ok.html"),
    "the status page": request("/"),
    "the status page, HTTP/1.0": request("/", version="1.0"),
    "a page, to be closed": request("/ok.html", "Connection: close"),
    "a page by POST": post(b"a=b", path="/ok.html"),
    "two pages in one go": request("/ok.html") * 2,
    "an empty line before": b"\r\n" + request("/ok.html"),
    "an escaped path": request("/%6fk.html"),
    "a query": request("/ok.html?a=b&c"),
    "a fragment": request("/ok.html#there"),
    "a path that is not ASCII": request("/é.html"),
    "a query that is not ASCII": request("/?message=grüße"),
    "a fragment that is not ASCII": request("/ok.html#é"),
    "a log whose name is not ASCII": request("/logtail/é"),
    "a call with a query that is not ASCII": post(STATE, path="/RPC2?é"),
    "an upgrade": request("/ok.html", "Connection: Upgrade", "Upgrade: websocket"),
    "credentials nobody asked for": request("/ok.html", "Authorization: Basic dTpw"),
    "broken credentials nobody asked for": request("/ok.html", "Authorization: Basic xxx"),
    "many fields": request("/ok.html", *(f"X-{number}: {number}" for number in range(50))),
    "a field twice": request("/ok.html", "X-Same: one", "X-Same: two"),
    "an empty field": request("/ok.html", "X-Empty:"),
    "a long field": request("/ok.html", f"X-Long: {'x' * 4000}"),
    "a call": post(STATE),
    "a call, HTTP/1.0": post(STATE, version="1.0"),
    "a call, HTTP/1.0, kept": post(STATE, "Connection: keep-alive", version="1.0"),
    "a call, to be closed": post(STATE, "Connection: close"),
    "a call of another type": post(STATE, "Content-Type: text/plain"),
    "a call with a slash": post(STATE, path="/RPC2/"),
    "a call with a query": post(STATE, path="/RPC2?x=y"),
    "a call elsewhere below": post(STATE, path="/RPC2/else"),
    "a call to a name that begins so": post(STATE, path="/RPC2x"),
    "two calls in one go": post(STATE) + post(STATE),
    "a call and a page in one go": post(STATE) + request("/ok.html"),
    "a call of an unknown method": post(UNKNOWN),
    "a call that reads a log": post(TAIL),
    "a boolean that is no number": post(CALL % (b"sendProcessStdin", BOOLEAN % b"true")),
    "a boolean that is neither 0 nor 1": post(CALL % (b"sendProcessStdin", BOOLEAN % b"2")),
    "a boolean with blanks": post(CALL % (b"sendProcessStdin", BOOLEAN % b" 1 ")),
    "an empty boolean": post(CALL % (b"sendProcessStdin", BOOLEAN % b"")),
    "a true boolean": post(CALL % (b"sendProcessStdin", BOOLEAN % b"1")),
    "a call by GET": request("/RPC2"),
    "a call by HEAD": request("/RPC2", method="HEAD"),
    "a call by PUT": request("/RPC2", "Content-Length: 0", method="PUT"),
    "a call without a length": request("/RPC2", method="POST"),
    "a call that is no XML": post(b"garbage"),
    "a call that breaks off": post(STATE[:60]),
    "a call without a method": post(b"<methodCall></methodCall>"),
    "a response for a call": post(b"<methodResponse></methodResponse>"),
    "a call that waits for a word": post(STATE, "Expect: 100-continue"),
    "a log that is nowhere": request("/logtail/nope"),
    "a log of an unknown stream": request("/logtail/talker/stdnone"),
    "a log by POST": post(b"", path="/logtail/talker"),
    "a log by HEAD": request("/logtail/talker", method="HEAD"),
    "the activity log by POST": post(b"", path="/mainlogtail"),
    "the activity log by HEAD": request("/mainlogtail", method="HEAD"),
    "a followed log": request("/logtail/talker"),
    "a followed log by its stream": request("/logtail/talker/stdout"),
    "a followed log by its group": request("/logtail/talker:talker"),
    "a style sheet": request("/stylesheets/supervisor.css"),
    "a style sheet by HEAD": request("/stylesheets/supervisor.css", method="HEAD"),
    "a style sheet by POST": post(b"", path="/stylesheets/supervisor.css"),
    "a style sheet that is old": style_since("Sat, 01 Jan 2000 00:00:00 GMT"),
    "a style sheet of a later date": style_since("Sat, 01 Jan 2033 00:00:00 GMT"),
    "a style sheet of a date in small letters": style_since("sat, 1 jan 2033 00:00:00 gmt"),
    "a style sheet of another length": style_since("Sat, 01 Jan 2033 00:00:00 GMT; length=5"),
    "a style sheet of no date": style_since("tomorrow"),
    "a style sheet of no month": style_since("Sat, 01 Foo 2033 00:00:00 GMT"),
    "a style sheet of a date in another form": style_since("Sat Jan  1 00:00:00 2033"),
    "an image": request("/images/icon.png"),
    "nothing": request("/nope"),
    "nothing, to be closed": request("/nope", "Connection: close"),
    "nothing, HTTP/1.0": request("/nope", version="1.0"),
    "nothing by DELETE": request("/nope", method="DELETE"),
    "a way out": request("/../../../etc/passwd"),
    "an escaped way out": request("/%2e%2e/%2e%2e/etc/passwd"),
    "a way out through a folder": request("/stylesheets/../../supervisord.py"),
    "a folder with a slash": request("/stylesheets/"),
    "the server itself": request("*", method="OPTIONS"),
}

REFUSED = "HTTP/1.1 400 Bad Request"

# name -> entry, request, (status, what then) of the reference and of ours.
Outcome = tuple[str, str]
DIFFERENT: dict[str, tuple[str, bytes, Outcome, Outcome]] = {
    "a page by HEAD": (
        "Methods",
        request("/ok.html", method="HEAD"),
        ("HTTP/1.1 404 Not Found", "open"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a page by PUT": (
        "Methods",
        request("/ok.html", "Content-Length: 0", method="PUT"),
        (REFUSED, "open"),
        ("HTTP/1.1 405 Method Not Allowed", "open"),
    ),
    "a page by OPTIONS": (
        "Methods",
        request("/", method="OPTIONS"),
        (REFUSED, "open"),
        ("HTTP/1.1 405 Method Not Allowed", "open"),
    ),
    "a page by a word in small letters": (
        "Methods",
        request("/ok.html", method="get"),
        (REFUSED, "open"),
        ("HTTP/1.1 405 Method Not Allowed", "open"),
    ),
    "a page, HTTP/1.0, kept": (
        "Persistent connections",
        request("/ok.html", "Connection: Keep-Alive", version="1.0"),
        ("HTTP/1.0 200 OK", "closed"),
        ("HTTP/1.0 200 OK", "open"),
    ),
    "a page, to be closed, in capitals": (
        "Persistent connections",
        request("/ok.html", "Connection: Close"),
        ("HTTP/1.1 200 OK", "open"),
        ("HTTP/1.1 200 OK", "closed"),
    ),
    "a call somewhere else": (
        "Persistent connections",
        post(STATE, path="/RPC3"),
        (REFUSED, "closed"),
        (REFUSED, "open"),
    ),
    "a folder": (
        "Static files",
        request("/stylesheets"),
        ("HTTP/1.1 301 Moved Permanently", "open"),
        ("HTTP/1.1 404 Not Found", "open"),
    ),
    "a page with parameters": (
        "Malformed requests",
        request("/ok.html;a=b"),
        ("", "silent"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "an empty call": (
        "Strict framing",
        post(b""),
        ("", "silent"),
        (REFUSED, "open"),
    ),
    "only empty lines": (
        "Malformed requests",
        b"\r\n\r\n",
        ("", "closed"),
        (REFUSED, "closed"),
    ),
    "a call that is declared to be latin-1": (
        "Other encodings",
        post(NOT_ASCII.replace(b"?>", b" encoding='iso-8859-1'?>")),
        ("", "closed"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a field in latin-1": (
        "Other encodings",
        b"GET /ok.html HTTP/1.1\r\nHost: localhost\r\nX-Name: \xe9\r\n\r\n",
        ("", "closed"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a call that is not UTF-8 and does not say so": (
        "Malformed requests",
        post(NOT_ASCII),
        ("", "closed"),
        (REFUSED, "open"),
    ),
    "a page by POST, of length 0": (
        "Requests without a body",
        post(b"", path="/ok.html"),
        ("", "silent"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a page by POST, without a length": (
        "Requests without a body",
        request("/ok.html", method="POST"),
        ("HTTP/1.1 411 Length Required", "open"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a body in chunks": (
        "Chunked bodies",
        request("/RPC2", "Transfer-Encoding: chunked", method="POST")
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(STATE), STATE),
        ("HTTP/1.1 411 Length Required", "closed"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "an absolute address": (
        "Absolute addresses and doubled slashes",
        request("http://localhost/ok.html"),
        ("HTTP/1.1 404 Not Found", "open"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a call by an absolute address": (
        "Absolute addresses and doubled slashes",
        post(STATE, path="http://localhost/RPC2"),
        (REFUSED, "closed"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "a call by a doubled slash": (
        "Absolute addresses and doubled slashes",
        post(STATE, path="//RPC2"),
        (REFUSED, "closed"),
        ("HTTP/1.1 200 OK", "open"),
    ),
    "an image of a state": (
        "The pages",
        request("/images/state1.gif"),
        ("HTTP/1.1 200 OK", "open"),
        ("HTTP/1.1 404 Not Found", "open"),
    ),
    "a path that is not UTF-8": (
        "Malformed requests",
        b"GET /\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ("", "closed"),
        (REFUSED, "closed"),
    ),
    "a word": (
        "Malformed requests",
        b"junk\r\n\r\n",
        ("", "closed"),
        (REFUSED, "closed"),
    ),
    "two spaces": (
        "Malformed requests",
        b"GET  /ok.html HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ("", "closed"),
        (REFUSED, "closed"),
    ),
    "HTTP/0.9": (
        "Malformed requests",
        b"GET /ok.html\r\n\r\n",
        ("HTTP/None 500 Internal Server Error", "closed"),
        (REFUSED, "closed"),
    ),
    "HTTP/2.0": (
        "Strict framing",
        request("/ok.html", version="2.0"),
        ("HTTP/2.0 200 OK", "open"),
        ("HTTP/1.1 505 HTTP Version not supported", "closed"),
    ),
    "no Host": (
        "Strict framing",
        b"GET /ok.html HTTP/1.1\r\n\r\n",
        ("HTTP/1.1 200 OK", "open"),
        (REFUSED, "closed"),
    ),
    "bare LF": (
        "Strict framing",
        b"GET /ok.html HTTP/1.1\nHost: localhost\n\n",
        ("", "silent"),
        (REFUSED, "closed"),
    ),
    "a negative length": (
        "Strict framing",
        request("/RPC2", "Content-Length: -5", method="POST"),
        ("", "silent"),
        (REFUSED, "closed"),
    ),
    "a length that is no number": (
        "Strict framing",
        request("/RPC2", "Content-Length: abc", method="POST"),
        ("HTTP/1.1 500 Internal Server Error", "open"),
        (REFUSED, "closed"),
    ),
    "a followed log, HTTP/1.0": (
        "Following a log over HTTP/1.0",
        request("/logtail/talker", version="1.0"),
        ("", "silent"),
        ("HTTP/1.0 200 OK", "follows"),
    ),
}


class Conversation:
    """One connection to a daemon, on which requests are sent as they are."""

    def __init__(self, daemon: Daemon) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_SECONDS)
        self._socket.connect(str(daemon.socket_path))
        self._file: BinaryIO = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed already does not matter."""
        with suppress(OSError):
            self._socket.sendall(data)

    def stays_silent(self) -> bool:
        """Whether nothing comes."""
        self._socket.settimeout(SILENCE_SECONDS)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(ANSWER_SECONDS)
        return False

    def answer(self, *, has_body: bool = True) -> dict[str, str]:
        """Return the next answer: status line, type and, where scripts read it, the body."""
        status = self._line()
        fields = {}
        while line := self._line():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        has_body = has_body and " 304 " not in status
        body = b""
        if fields.get("transfer-encoding") == "chunked" and has_body:
            body = self._file.read(int(self._line(), 16))
        elif has_body and status:
            body = self._file.read(int(fields.get("content-length", "0")))
        kind = fields.get("content-type", "")
        is_read = kind.startswith(("text/plain", "text/xml"))
        return {"status": status, "type": kind, "body": body.decode() if is_read else ""}

    def what_then(self) -> str:
        """Return whether another request would be served."""
        self.send(PROBE)
        return "open" if self._line() else "closed"

    def _line(self) -> str:
        try:
            return self._file.readline().rstrip(b"\r\n").decode()
        except ConnectionError:
            return ""


def is_endless(data: bytes, answer: dict[str, str]) -> bool:
    """Whether an answer is a log that is followed."""
    return data.startswith(b"GET /logtail") and " 200 " in answer["status"]


@pytest.mark.parametrize("name", SAME)
def test_the_same(pair: Pair, name: str) -> None:
    data = SAME[name]

    def ask(daemon: Daemon) -> Any:
        with Conversation(daemon) as conversation:
            conversation.send(data)
            has_body = not data.startswith(b"HEAD")
            number = data.count(b" HTTP/1.")
            answers = [conversation.answer(has_body=has_body) for _ in range(number)]
            if is_endless(data, answers[-1]):
                return answers
            return answers, conversation.what_then()

    pair.same(ask)


@pytest.mark.parametrize("name", DIFFERENT)
def test_on_purpose_not_the_same(pair: Pair, name: str) -> None:
    entry, data, theirs, ours = DIFFERENT[name]

    def ask(daemon: Daemon) -> tuple[str, str]:
        with Conversation(daemon) as conversation:
            conversation.send(data)
            if conversation.stays_silent():
                return "", "silent"
            answer = conversation.answer(has_body=not data.startswith(b"HEAD"))
            if is_endless(data, answer):
                return answer["status"], "follows"
            return answer["status"], conversation.what_then()

    pair.differ(ask, entry=entry, theirs=list(theirs), ours=list(ours))
