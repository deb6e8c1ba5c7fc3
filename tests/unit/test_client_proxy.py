"""The light XML-RPC client, compared with xmlrpc.client."""

from __future__ import annotations

import xmlrpc.client
from http.client import RemoteDisconnected
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client import proxy
from supervisor.client.proxy import ServerProxy
from supervisor.common import xmlrpc_codec

# What XML can carry as it is; a carriage return would arrive as a line feed.
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n")
)
INTEGERS = st.integers(-(2**31), 2**31 - 1)
SCALARS = TEXT | INTEGERS | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.none(), lambda values: st.lists(values) | st.dictionaries(TEXT, values)
)


def response(value: object) -> bytes:
    """Return the document of a response, as the standard library serializes it."""
    return xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True).encode()


@given(VALUES)
def test_a_response_of_the_standard_library_is_parsed_to_the_same_value(value: object) -> None:
    assert proxy.loads(response(value)) == value


@given(VALUES.filter(lambda value: "None" not in repr(value)))
def test_a_response_of_the_server_is_parsed_to_the_same_value(value: object) -> None:
    assert proxy.loads(xmlrpc_codec.response(value).encode()) == value


@given(st.lists(TEXT | INTEGERS | st.booleans()))
def test_a_call_of_common_values_is_that_of_the_standard_library(values: list[Any]) -> None:
    assert proxy.dumps("a.b", tuple(values)) == xmlrpc.client.dumps(tuple(values), "a.b").encode()


@given(st.lists(SCALARS | st.lists(SCALARS) | st.dictionaries(TEXT, SCALARS)))
def test_a_call_is_parsed_by_the_standard_library_to_the_same_values(values: list[Any]) -> None:
    call = proxy.dumps("name.space", tuple(values))
    assert xmlrpc.client.loads(call) == (tuple(values), "name.space")


@pytest.mark.parametrize("text", ["\x1b[A", "a\rb", "\0"])
def test_text_that_xml_cannot_carry_is_sent_as_base64(text: str) -> None:
    (binary,), _ = xmlrpc.client.loads(proxy.dumps("m", (text,)))
    assert isinstance(binary, xmlrpc.client.Binary)
    assert binary.data == text.encode()


def test_text_with_noncharacters_does_not_break_the_call() -> None:
    (text,), _ = xmlrpc.client.loads(proxy.dumps("m", ("a\uffff",)))
    assert text == "a\ufffd"


def test_undecodable_bytes_of_the_command_line_do_not_break_the_call() -> None:
    (text,), _ = xmlrpc.client.loads(proxy.dumps("m", ("a\udcff",)))
    assert text == "a?"


def test_values_that_xmlrpc_does_not_know_are_refused_as_by_the_standard_library() -> None:
    with pytest.raises(TypeError, match="cannot marshal None"):
        proxy.dumps("m", (None,))
    with pytest.raises(OverflowError, match="int exceeds XML-RPC limits"):
        proxy.dumps("m", (2**31,))


@pytest.mark.parametrize(
    ("inner", "value"),
    [
        ("<value>bare</value>", "bare"),
        ("<value></value>", ""),
        ("<value><string/></value>", ""),
        ("<value> \n<int> 7 </int>\n </value>", 7),
        ("<value><i4>-1</i4></value>", -1),
        ("<value><i8>9999999999</i8></value>", 9999999999),
        ("<value><struct></struct></value>", {}),
        ("<value><array><data></data></array></value>", []),
        ("<value>a&amp;&lt;&#233;</value>", "a&<é"),
    ],
)
def test_other_ways_to_write_a_value(inner: str, value: object) -> None:
    xml = f"<methodResponse><params><param>{inner}</param></params></methodResponse>"
    assert proxy.loads(xml.encode()) == value


@pytest.mark.parametrize("value", [xmlrpc.client.Binary(b"\0\xff"), xmlrpc.client.DateTime(0)])
def test_the_wrappers_of_the_standard_library_are_returned(value: object) -> None:
    assert proxy.loads(response(value)) == value


def test_elements_that_are_not_known_are_ignored_in_a_response() -> None:
    inner = "<value><int>7</int><new/></value>"
    xml = f"<methodResponse><params><param>{inner}</param></params></methodResponse>"
    assert proxy.loads(xml.encode()) == 7


def test_a_response_may_be_nested_deeply() -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    assert proxy.loads(xmlrpc_codec.response(value).encode()) == value


def test_a_fault_is_raised_as_the_class_that_plugins_catch() -> None:
    fault = xmlrpc.client.Fault(10, "BAD_NAME: x")
    with pytest.raises(xmlrpc.client.Fault) as raised:
        proxy.loads(xmlrpc.client.dumps(fault).encode())
    assert (raised.value.faultCode, raised.value.faultString) == (10, "BAD_NAME: x")


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_a_truncated_response_is_not_xml(cut: int) -> None:
    with pytest.raises(ExpatError):
        proxy.loads(response("x" * 100)[:cut])


@pytest.mark.parametrize(
    "xml",
    [
        "<methodResponse/>",
        "<params><param><value>1</value></param><param><value>2</value></param></params>",
        "<value><int>x</int></value>",
        "<value><double>x</double></value>",
        "<value><boolean></boolean></value>",
        "<value><struct><member><name>n</name></member></struct></value>",
        "<value><base64>x</base64></value>",
        "<fault><value><int>1</int></value></fault>",
        "<fault><value><struct/></value></fault>",
        "<html><body>It works!</body></html>",
        "<?xml version='1.0' encoding='nonsense'?><value>x</value>",
        "<!DOCTYPE value><value>x</value>",
    ],
)
def test_xml_that_is_no_response(xml: str) -> None:
    with pytest.raises(xmlrpc.client.ResponseError):
        proxy.loads(xml.encode())


class FakeTransport:
    """A transport that returns the same value for every call, and keeps the last call."""

    timeout: float | None = None
    closed = False

    def request(self, host: str, handler: str, request_body: bytes) -> tuple[object]:
        self.address = host + handler
        self.call = xmlrpc.client.loads(request_body)
        self.timeout_then = self.timeout
        return ("result",)

    def close(self) -> None:
        self.closed = True


def test_a_proxy_calls_by_dotted_names() -> None:
    transport = FakeTransport()
    proxy = ServerProxy(transport)
    assert proxy.supervisor.startProcess("x", False) == "result"
    assert transport.call == (("x", False), "supervisor.startProcess")
    assert transport.address == "127.0.0.1/RPC2"


def test_only_the_first_call_has_a_timeout() -> None:
    transport = FakeTransport()
    proxy = ServerProxy(transport)
    proxy.supervisor.getVersion()
    assert transport.timeout_then == 30.0
    proxy.supervisor.stopProcess("x")
    assert transport.timeout_then is None


def test_a_proxy_closes_and_shows_its_transport() -> None:
    transport = FakeTransport()
    proxy = ServerProxy(transport)
    assert proxy("transport") is transport
    proxy("close")()
    assert transport.closed
    with pytest.raises(AttributeError):
        proxy("nonsense")


def test_a_multicall_of_the_standard_library_works_on_our_proxy() -> None:
    class Server(FakeTransport):
        def request(self, host: str, handler: str, request_body: bytes) -> tuple[object]:
            super().request(host, handler, request_body)
            return ([["one"], ["two"]],)

    multicall = xmlrpc.client.MultiCall(ServerProxy(Server()))  # type: ignore[arg-type]
    multicall.supervisor.getPID()
    multicall.supervisor.getState()
    assert list(multicall()) == ["one", "two"]


class LosingTransport:
    """Raises the errors that it has, one for each request, then returns a value."""

    timeout: float | None = None

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.requests = 0

    def request(self, *_: object) -> Any:
        """Return the value of a response."""
        self.requests += 1
        if self._errors:
            raise self._errors.pop(0)
        return ("value",)

    def close(self) -> None:
        """Nothing is open."""


LOST, REFUSED = RemoteDisconnected("lost"), ConnectionRefusedError("refused")


@pytest.mark.parametrize(
    ("method", "errors", "requests", "raised"),
    [
        # a query is sent to the successor of a daemon that has replaced itself
        ("getProcessInfo", [LOST], 2, None),
        ("readLog", [ConnectionResetError()], 2, None),
        ("tailProcessStdoutLog", [LOST], 2, None),
        # the error is that of the lost connection
        ("getState", [LOST, REFUSED], 2, LOST),
        ("getState", [LOST, LOST], 2, LOST),
        ("getState", [REFUSED], 1, REFUSED),
        ("getState", [TimeoutError()], 1, TimeoutError),
        # anything else may have been done already
        ("startProcess", [LOST], 1, LOST),
        ("reloadConfig", [LOST], 1, LOST),
    ],
)
def test_a_query_without_a_response_is_sent_once_more(
    method: str, errors: list[Exception], requests: int, raised: Any
) -> None:
    transport = LosingTransport(*errors)
    call = getattr(ServerProxy(transport).supervisor, method)
    if raised is None:
        assert call() == "value"
    else:
        with pytest.raises(raised if isinstance(raised, type) else type(raised)) as found:
            call()
        assert isinstance(raised, type) or found.value is raised
    assert transport.requests == requests
