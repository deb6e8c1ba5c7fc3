"""Every machine with the corpus that fuzzing has left, and with what hypothesis thinks of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CORPUS
from tests.fuzz.machines import MACHINES

WORDS = {
    "ansi": [b"\x1b", b"[", b"31", b";", b"m", b"text", b"\x1b[0m"],
    "call": [
        b"<?xml version='1.0'?>",
        b"<methodCall>",
        b"<methodName>a.b</methodName>",
        b"<params><param><value>",
        b"<int>1</int>",
        b"<array><data>",
        b"<struct><member><name>a</name>",
        b"<base64>AA==</base64>",
        b"</value></param></params>",
        b"</methodCall>",
        b"<!DOCTYPE a>",
        b"&#0;",
        b"&amp;",
    ],
    "capture": [
        b"<!--XSUPERVISOR:BEGIN-->",
        b"<!--XSUPERVISOR:END-->",
        b"<!--XSUP",
        b"text",
        b"\n",
    ],
    "configuration": [
        b"[program:x]\n",
        b"a=b\n",
        b" ; c\n",
        b"[",
        b"%(here)s",
        b"\xff",
        b"\0",
        b"=",
    ],
    "env_file": [
        b"A=",
        b"export B =",
        b"'",
        b'"',
        b"\\",
        b" #",
        b"\n",
        b"\r\n",
        b"\0",
        b"text",
        b"\xef\xbb\xbf",
    ],
    "listener": [b"READY\n", b"RESULT ", b"2\n", b"OK", b"-1\n", b"FAIL", b"\n", b"x" * 50],
    "request": [
        b"GET / HTTP/1.1\r\n",
        b"POST /RPC2 HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"POST //a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n",
        b"3\r\nabc\r\n",
        b"5;a=b\r\n",
        b"0\r\n",
        b"A: b\r\n",
        b"\r\n",
        b"abc",
        b" folded\r\n",
        b"\n",
        b"\r",
        b"Expect: 100-continue\r\n",
    ],
    "response": [
        b"<?xml version='1.0'?>",
        b"<?xml version='1.0' encoding='x'?>",
        b"<methodResponse>",
        b"<params><param><value>",
        b"<fault><value>",
        b"<boolean>2</boolean>",
        b"<array><data><value>",
        b"<struct><member><name>a</name>",
        b"</value></data></array>",
        b"</value></param></params>",
        b"</methodResponse>",
    ],
    "terminal": [b"\x1b", b"]0;a\x07", b"[31m", b"\xc2\x9b", b"text\n"],
}


@pytest.mark.parametrize("name", MACHINES)
def test_the_corpus(name: str) -> None:
    """What once led to a new place, or failed."""
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        MACHINES[name](file.read_bytes())


@pytest.mark.parametrize("name", MACHINES)
def test_words_in_any_order(name: str) -> None:
    @settings(max_examples=300, deadline=None)
    @given(
        st.builds(
            lambda place, parts: bytes([place]) + b"".join(parts),
            st.integers(0, 255),
            st.lists(st.one_of(st.sampled_from(WORDS[name]), st.binary(max_size=3)), max_size=20),
        )
    )
    def try_it(data: bytes) -> None:
        MACHINES[name](data)

    try_it()
