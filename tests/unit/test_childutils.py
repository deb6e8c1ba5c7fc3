"""Listeners and other children: events in, results and calls out."""

from __future__ import annotations

import io
import xmlrpc.client
from pathlib import Path

import pytest

from supervisor import childutils, compat
from tests.support.fakeserver import rpc_answer, serving


def test_headers() -> None:
    line = "ver:3.0 server:supervisor serial:21 eventname:TICK_5 len:15\n"
    assert childutils.get_headers(line) == {
        "ver": "3.0",
        "server": "supervisor",
        "serial": "21",
        "eventname": "TICK_5",
        "len": "15",
    }


@pytest.mark.parametrize("line", ["nothing", "a:b:c", "a:b c"])
def test_lines_that_are_no_headers(line: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        childutils.get_headers(line)


def test_eventdata_splits_head_and_data() -> None:
    payload = "processname:foo groupname:bar pid:123\nThis is the data\nmore"
    headers, data = childutils.eventdata(payload)
    assert headers == {"processname": "foo", "groupname": "bar", "pid": "123"}
    assert data == "This is the data\nmore"


def test_eventdata_without_data() -> None:
    assert childutils.eventdata("a:b\n") == ({"a": "b"}, "")
    with pytest.raises(ValueError, match="not enough values"):
        childutils.eventdata("a:b")


@pytest.mark.parametrize(
    ("seconds", "fraction"), [(1000000000, ",000"), (1000000000.5, ",500"), (0.9999, ",999")]
)
def test_asctime_has_milliseconds(seconds: float, fraction: str) -> None:
    stamp = childutils.get_asctime(seconds)
    assert stamp.endswith(fraction)
    assert len(stamp) == len("2001-09-09 01:46:40,000")


def test_asctime_is_now_by_default() -> None:
    assert childutils.get_asctime()[:4].isdecimal()


def test_a_listener_waits_for_an_event_and_reads_no_further() -> None:
    """`len` counts characters."""
    stdin, stdout = io.StringIO("ver:3.0 len:5\nhéllonext"), io.StringIO()
    headers, payload = childutils.listener.wait(stdin, stdout)
    assert (headers["len"], payload, stdin.read()) == ("5", "héllo", "next")
    assert stdout.getvalue() == "READY\n"


@pytest.mark.parametrize(
    ("result", "said"), [("ok", "RESULT 2\nOK"), ("fail", "RESULT 4\nFAIL"), ("ready", "READY\n")]
)
def test_the_output_of_a_listener(
    result: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stdout = io.StringIO()
    getattr(childutils.listener, result)(stdout)
    getattr(childutils.listener, result)()  # to the real stdout
    assert [stdout.getvalue(), capsys.readouterr().out] == [said, said]


def test_a_result_of_ones_own() -> None:
    stdout = io.StringIO()
    childutils.listener.send("some text", stdout)
    assert stdout.getvalue() == "RESULT 9\nsome text"


def test_a_listener_whose_daemon_has_exited() -> None:
    with pytest.raises(KeyError):
        childutils.listener.wait(io.StringIO(""), io.StringIO())


def test_communication_events_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    childutils.pcomm.stdout("one")
    childutils.pcomm.stderr("two")
    printed = capsys.readouterr()
    assert printed.out == "<!--XSUPERVISOR:BEGIN-->one<!--XSUPERVISOR:END-->"
    assert printed.err == "<!--XSUPERVISOR:BEGIN-->two<!--XSUPERVISOR:END-->"


def test_calls_go_to_the_server_in_the_environment(directory: Path) -> None:
    with serving(lambda _: rpc_answer("here"), directory / "s.sock") as server:
        environment = {"SUPERVISOR_SERVER_URL": server.url}
        with childutils.getRPCInterface(environment) as proxy:
            assert proxy.supervisor.getIdentification() == "here"
        environment |= {"SUPERVISOR_USERNAME": "user", "SUPERVISOR_PASSWORD": "word"}
        with childutils.getRPCInterface(environment) as proxy:
            assert proxy.supervisor.getIdentification() == "here"
    assert [b"Authorization: Basic " in request for request in server.requests] == [False, True]


def test_a_child_without_a_daemon() -> None:
    with pytest.raises(KeyError, match="SUPERVISOR_SERVER_URL"):
        childutils.getRPCInterface({})


def test_the_old_names_of_compat() -> None:
    assert compat.xmlrpclib is xmlrpc.client
    assert compat.Fault is xmlrpc.client.Fault
    assert compat.httplib.HTTPConnection
    with pytest.raises(AttributeError, match="nonsense"):
        _ = compat.nonsense


def test_text_and_bytes() -> None:
    assert [compat.as_string("é"), compat.as_string("é".encode())] == ["é", "é"]
    assert [compat.as_bytes("é"), compat.as_bytes(b"\xff")] == ["é".encode(), b"\xff"]
    assert compat.as_string(b"\xe9", "latin-1") == "é"
