"""One rule for the forms of a TCP address: brackets, families, URLs, loopback."""

from __future__ import annotations

import socket

import pytest

from supervisor.common.addresses import TcpAddress

V4, V6 = socket.AF_INET, socket.AF_INET6

# text of the option -> host, as text, URL for clients, family, is it a loopback address
FORMS = [
    ("127.0.0.1:9001", "127.0.0.1", "127.0.0.1:9001", "http://127.0.0.1:9001", V4, True),
    ("127.8.9.1:9001", "127.8.9.1", "127.8.9.1:9001", "http://127.8.9.1:9001", V4, True),
    ("LocalHost:9001", "localhost", "localhost:9001", "http://localhost:9001", V4, True),
    ("[::1]:9001", "::1", "[::1]:9001", "http://[::1]:9001", V6, True),
    ("::1:9001", "::1", "[::1]:9001", "http://[::1]:9001", V6, True),
    (
        "[::FFFF:127.0.0.1]:9001",
        "::ffff:127.0.0.1",
        "[::ffff:127.0.0.1]:9001",
        "http://[::ffff:127.0.0.1]:9001",
        V6,
        True,
    ),
    ("[2001:DB8::1]:9001", "2001:db8::1", "[2001:db8::1]:9001", "http://[2001:db8::1]:9001", V6, 0),
    ("[::]:9001", "::", "[::]:9001", "http://localhost:9001", V6, False),
    ("*:9001", "", ":9001", "http://localhost:9001", V4, False),
    ("9001", "", ":9001", "http://localhost:9001", V4, False),
    ("0.0.0.0:9001", "0.0.0.0", "0.0.0.0:9001", "http://0.0.0.0:9001", V4, False),
    ("box.example:9001", "box.example", "box.example:9001", "http://box.example:9001", V4, False),
    ("127.example:9001", "127.example", "127.example:9001", "http://127.example:9001", V4, False),
    ("[box]:9001", "[box]", "[box]:9001", "http://[box]:9001", V4, False),
]


@pytest.mark.parametrize(("text", "host", "shown", "url", "family", "loopback"), FORMS)
def test_forms_of_an_address(
    text: str, host: str, shown: str, url: str, family: int, *, loopback: bool
) -> None:
    address = TcpAddress.parse(text)
    assert (address.host, address.port) == (host, 9001)
    assert (str(address), address.url) == (shown, url)
    assert (address.family, address.is_loopback) == (family, bool(loopback))


def test_a_peer_of_both_families_is_shown_as_it_is_known() -> None:
    peers = [("::ffff:192.0.2.7", 5, 0, 0), ("192.0.2.7", 5), ("::1", 5, 0, 0)]
    shown = [str(TcpAddress.of_socket(name)) for name in peers]
    assert shown == ["192.0.2.7:5", "192.0.2.7:5", "[::1]:5"]


@pytest.mark.parametrize("text", ["[::1]:", "[::1]:x", "x", "[::1]:0", "[::1]"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TcpAddress.parse(text)
