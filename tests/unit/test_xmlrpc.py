"""Lookup and calls of methods, and the responses to clients."""

from __future__ import annotations

import functools
import xmlrpc.client
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from supervisor import loggers
from supervisor import xmlrpc as module
from supervisor.common.faults import Faults, RPCError
from supervisor.engine.deferred import NOT_DONE_YET, Notifier, deferred
from supervisor.http import phases
from supervisor.rpc import multicall
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.xmlrpc import (
    RootRPCInterface,
    SystemNamespaceRPCInterface,
    gettags,
    public_method,
    supervisor_xmlrpc_handler,
    traverse,
    xmlrpc_marshal,
)
from tests.support.httpsite import Client, Site, body, field, get, post, status
from tests.support.tables import assert_none


class Base:
    """Base of a namespace."""

    def inherited(self) -> str:
        return "inherited"


class Namespace(Base):
    """A namespace as a plugin makes it."""

    not_a_method = 5

    def __init__(self) -> None:
        self.changed = Notifier()
        self.answers: list[Any] = []
        self.own = lambda: "an attribute of the instance"

    def hello(self, name: str, times: int = 1) -> str:
        """Greet a person.

        @param string name  Who is greeted
        @param int times  How often
        @return string greeting  The greeting
        """
        return ("hello " * times) + name.upper()

    def nothing(self) -> None:
        """Return what XML-RPC cannot carry."""

    def refuse(self) -> None:
        raise RPCError(Faults.BAD_NAME, "x")

    def fail(self) -> None:
        raise LookupError("no luck")

    def broken(self) -> int:
        return len(5)  # type: ignore[arg-type]

    def _private(self) -> str:
        return "private"

    def later(self) -> Any:
        """Return a function, as methods do that wait."""
        return deferred(self._next_answer, wake_sources=[self.changed])

    def polled(self) -> Any:
        """Return a function as a plugin writes it."""

        def ask() -> Any:
            return self._next_answer()

        ask.delay = 0.5  # type: ignore[attr-defined]
        return ask

    def _next_answer(self) -> Any:
        answer = self.answers.pop(0) if self.answers else NOT_DONE_YET
        if isinstance(answer, Exception):
            raise answer
        return answer

    def give(self, answer: Any) -> None:
        """Give each waiting client its response."""
        self.answers.append(answer)
        self.changed.notify()


@pytest.fixture
def namespace() -> Namespace:
    return Namespace()


@pytest.fixture
def system(namespace: Namespace) -> SystemNamespaceRPCInterface:
    return SystemNamespaceRPCInterface([("test", namespace), ("none", None)])


@pytest.fixture
def root(namespace: Namespace, system: SystemNamespaceRPCInterface) -> RootRPCInterface:
    return RootRPCInterface([("test", namespace), ("none", None), ("system", system)])


# -- finding and calling -----------------------------------------------------------


def code_of(action: Callable[[], Any]) -> int:
    """Return the code of the fault that an action ends with."""
    with pytest.raises(RPCError) as caught:
        action()
    return caught.value.code


def test_a_method_is_called_with_its_parameters(root: RootRPCInterface) -> None:
    assert traverse(root, "test.hello", ["joe", 2]) == "hello hello JOE"
    assert traverse(root, "test.inherited", ()) == "inherited"


@pytest.mark.parametrize(
    "method",
    [
        "",
        ".",
        "test",
        "test.",
        ".hello",
        "hello",
        "nope.hello",
        "test.nope",
        "test._private",
        "test.__init__",
        "test.not_a_method",
        "test.own",
        "test.answers",
        "test.mro",
        "test.__call__",
        "test.hello.__call__",
        "test.changed.notify",
        "test.__class__.hello",
        "none.hello",
        "__class__.hello",
        "__dict__.keys",
        " test.hello",
    ],
)
def test_nothing_else_can_be_reached(root: RootRPCInterface, method: str) -> None:
    assert code_of(lambda: traverse(root, method, ())) == Faults.UNKNOWN_METHOD


def test_no_attribute_but_the_listed_methods_can_be_reached() -> None:
    """Of the real namespaces: their objects, their types, and the types of those."""
    daemon: Any = object()
    supervisor = SupervisorNamespaceRPCInterface(daemon)
    system = SystemNamespaceRPCInterface([("supervisor", supervisor)])
    root = RootRPCInterface(system.namespaces.items())
    names = {
        f"{prefix}.{name}"
        for prefix, namespace in system.namespaces.items()
        for each in (namespace, type(namespace), type)
        for name in {*dir(each), *vars(type(each))}
    }
    assert {"supervisor.mro", "system.__call__", "supervisor.supervisord"} <= names
    reached = {name for name in names if public_method(vars(root), name) is not None}
    assert reached == {*system.listMethods()}


def test_a_method_may_be_replaced_while_the_daemon_runs(
    root: RootRPCInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Namespace, "hello", lambda _self, name: f"bye {name}")
    assert traverse(root, "test.hello", ["joe"]) == "bye joe"


@pytest.mark.parametrize("params", [[], ["joe", 1, 2], [5], ["joe", "x"], [None], [["joe"]]])
def test_wrong_parameters_are_the_callers_fault(root: RootRPCInterface, params: list[Any]) -> None:
    """By number, or by the types that the method documents."""
    assert code_of(lambda: traverse(root, "test.hello", params)) == Faults.INCORRECT_PARAMETERS


def test_wrapping_a_method_does_not_hide_what_it_takes(
    root: RootRPCInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    @functools.wraps(Namespace.hello)
    def wrapped(*args: Any, _real: Any = Namespace.hello) -> Any:
        return _real(*args)

    monkeypatch.setattr(Namespace, "hello", wrapped)
    assert traverse(root, "test.hello", ["joe"]) == "hello JOE"
    assert code_of(lambda: traverse(root, "test.hello", ())) == Faults.INCORRECT_PARAMETERS


@pytest.mark.parametrize(
    ("method", "error"), [("test.fail", LookupError), ("test.broken", TypeError)]
)
def test_a_bug_is_not_the_callers_fault(
    root: RootRPCInterface, method: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        traverse(root, method, ())


# -- documentation --------------------------------------------------------------------


def test_the_tags_of_a_docstring() -> None:
    comment = "Do it.\n\n  @param int a  A thing\n    or two\n  @param b\n  @return string x y z\n"
    assert gettags(comment) == [
        (0, None, None, None, "Do it."),
        (2, "param", "int", "a", "A thing\nor two"),
        (4, "param", "b", "", ""),
        (5, "return", "string", "x", "y z"),
    ]
    assert gettags("") == [(0, None, None, None, "")]


def test_which_methods_there_are(system: SystemNamespaceRPCInterface) -> None:
    """Those that the class of a namespace defines itself."""
    assert system.listMethods() == [
        "system.listMethods",
        "system.methodHelp",
        "system.methodSignature",
        "system.multicall",
        "test.broken",
        "test.fail",
        "test.give",
        "test.hello",
        "test.later",
        "test.nothing",
        "test.polled",
        "test.refuse",
    ]


def test_what_a_method_does(system: SystemNamespaceRPCInterface) -> None:
    assert system.methodHelp("test.hello").startswith("Greet a person.\n")
    assert system.methodHelp("test.refuse") == "None"
    assert code_of(lambda: system.methodHelp("test.nope")) == Faults.SIGNATURE_UNSUPPORTED
    assert code_of(lambda: system.methodHelp("test._private")) == Faults.SIGNATURE_UNSUPPORTED
    no_name: Any = ["test.hello"]
    assert code_of(lambda: system.methodHelp(no_name)) == Faults.SIGNATURE_UNSUPPORTED


def test_what_a_method_takes_and_returns(system: SystemNamespaceRPCInterface) -> None:
    assert system.methodSignature("test.hello") == ["string", "string", "int"]
    assert system.methodSignature("system.listMethods") == ["array"]
    for name in ("test.refuse", "test.later", "nope"):
        assert code_of(lambda name=name: system.methodSignature(name)) == (  # type: ignore[misc]
            Faults.SIGNATURE_UNSUPPORTED
        )


def test_every_method_documents_its_parameters_and_result() -> None:
    faults = []
    for interface in (SupervisorNamespaceRPCInterface, SystemNamespaceRPCInterface):
        for name, method in vars(interface).items():
            if name.startswith("_") or not callable(method):
                continue
            (_, _, _, _, text), *tags = gettags(method.__doc__ or "")
            parameters = [word for _, tag, _, word, _ in tags if tag == "param"]
            results = [kind for _, tag, kind, _, _ in tags if tag == "return"]
            if parameters != list(signature(method).parameters)[1:] or len(results) != 1:
                faults.append(f"{name}: {parameters}, {results}")
            if not all(words for *_, words in tags):
                faults.append(f"{name}: a description is missing")
            if not text.partition("\n")[0].endswith(".") and name not in {"readLog", "readMainLog"}:
                faults.append(f"{name}: {text!r} is no sentence")
    assert_none(faults)


def test_plugins_replace_gettags(
    system: SystemNamespaceRPCInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "gettags", lambda _: [(0, "return", "int", "x", "")])
    assert system.methodSignature("test.refuse") == ["int"]


# -- multicall ------------------------------------------------------------------------


def calls(*names: str, **params: list[Any]) -> list[dict[str, Any]]:
    """Return calls for multicall."""
    return [{"methodName": name, "params": params.get(name.split(".")[-1], [])} for name in names]


def test_multicall_gathers_values_and_faults(system: SystemNamespaceRPCInterface) -> None:
    asked = calls("test.hello", "test.refuse", "nope", "test.fail", "system.multicall", hello=["x"])
    assert system.multicall([*asked, {}, {"methodName": "test.inherited"}]) == [
        "hello X",
        {"faultCode": 10, "faultString": "BAD_NAME: x"},
        {"faultCode": 1, "faultString": "UNKNOWN_METHOD"},
        {"faultCode": 30, "faultString": "FAILED: <class 'LookupError'>:no luck"},
        {
            "faultCode": 2,
            "faultString": "INCORRECT_PARAMETERS: Recursive system.multicall forbidden",
        },
        {"faultCode": 2, "faultString": "INCORRECT_PARAMETERS: No methodName"},
        "inherited",
    ]


@pytest.mark.parametrize("nonsense", ["x", 5, None, {}, ["x"], [[]]])
def test_multicall_requires_structs(system: SystemNamespaceRPCInterface, nonsense: Any) -> None:
    assert code_of(lambda: system.multicall(nonsense)) == Faults.INCORRECT_PARAMETERS


def test_multicall_waits_for_one_call_before_the_next(
    system: SystemNamespaceRPCInterface, namespace: Namespace
) -> None:
    question = system.multicall(calls("test.later", "test.later", "test.hello", hello=["x"]))
    woken: list[bool] = []

    def wait() -> None:
        [waiters] = question.wake_sources
        waiters.add(lambda: woken.append(True))

    wait()
    assert question() is NOT_DONE_YET
    namespace.give(RPCError(Faults.ABNORMAL_TERMINATION, "x"))
    assert len(woken) == 1
    assert question() is NOT_DONE_YET
    wait()
    namespace.give([1])
    assert len(woken) == 2
    assert question() == [
        {"faultCode": 40, "faultString": "ABNORMAL_TERMINATION: x"},
        [1],
        "hello X",
    ]


def test_multicall_of_a_plugins_function_is_polled(system: SystemNamespaceRPCInterface) -> None:
    question = system.multicall(calls("test.polled"))
    assert question.wake_sources == ()


def test_multicall_follows_a_question_that_has_to_be_polled_after_all(
    system: SystemNamespaceRPCInterface, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As answers that are gathered from several processes may have to."""

    def ask() -> Any:
        ask.wake_sources = ()  # type: ignore[attr-defined]
        return NOT_DONE_YET

    ask.wake_sources = (namespace.changed,)  # type: ignore[attr-defined]
    monkeypatch.setattr(Namespace, "later", lambda _self: ask)
    assert system.multicall(calls("test.later")).wake_sources == ()


def test_multicall_takes_a_limited_number_of_calls(system: SystemNamespaceRPCInterface) -> None:
    most = calls(*["test.inherited"] * multicall.MAX_CALLS)
    assert len(system.multicall(most)) == multicall.MAX_CALLS
    assert code_of(lambda: system.multicall([*most, {}])) == Faults.BAD_ARGUMENTS


# -- the handler ----------------------------------------------------------------------


@pytest.fixture
def site(directory: Path, root: RootRPCInterface) -> Iterator[Site]:
    made = Site(directory, loggers.LevelsByName.DEBG)
    made.serve(supervisor_xmlrpc_handler(made.supervisord, vars(root).items()))
    yield made
    made.close()


def ask(site: Site, method: str, *params: Any) -> Any:
    """Call a method; return its value."""
    document = xmlrpc.client.dumps(params, method, allow_none=True).encode()
    return value_of(site.ask(post(document)))


def value_of(answer: bytes) -> Any:
    """Return the value in an answer."""
    assert status(answer) == 200
    [value], _ = xmlrpc.client.loads(body(answer))
    return value


def begin(site: Site, method: str) -> Client:
    """Call a method that waits; return the client when the call has been made."""
    client = site.connect()
    client.send(post(xmlrpc.client.dumps((), method).encode()))
    site.turn_until(lambda: site.servers[-1]._connections)
    [connection] = site.servers[-1]._connections
    site.turn_until(lambda: connection.phase is phases.RESPONDING)
    return client


def test_a_call_is_answered(site: Site) -> None:
    assert ask(site, "test.hello", "joe") == "hello JOE"
    assert ask(site, "test.inherited") == "inherited"


def test_the_header_of_a_response(site: Site) -> None:
    answer = site.ask(post(b"<methodCall><methodName>test.inherited</methodName></methodCall>"))
    assert field(answer, b"Content-Type") == b"text/xml"
    assert field(answer, b"Content-Length") == str(len(body(answer))).encode()


@pytest.mark.parametrize("path", ["/RPC2", "/RPC2/", "/RPC2xyz", "/RPC2?a=b"])
def test_the_path_matches_by_its_beginning(site: Site, path: str) -> None:
    document = b"<methodCall><methodName>test.inherited</methodName></methodCall>"
    assert value_of(site.ask(post(document, path))) == "inherited"


def test_a_call_in_chunks(site: Site) -> None:
    document = xmlrpc.client.dumps(("x",), "test.hello").encode()
    head = get("/RPC2", "Transfer-Encoding: chunked", command="POST")
    answer = site.ask(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(document), document))
    assert value_of(answer) == "hello X"


def test_other_paths_are_for_others(site: Site) -> None:
    assert status(site.ask(post(b"", "/rpc2"))) == 404


def test_a_fault_is_a_response(site: Site) -> None:
    with pytest.raises(xmlrpc.client.Fault, match="BAD_NAME: x") as caught:
        ask(site, "test.refuse")
    assert caught.value.faultCode == Faults.BAD_NAME


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (get("/RPC2"), 400),
        (get("/RPC2", command="POST"), 411),
        (post(b""), 400),
        (post(b"hello"), 400),
        (post(b"<methodCall></methodCall>"), 400),
        (post(b"<methodCall><methodName></methodName></methodCall>"), 400),
    ],
)
def test_what_is_no_call(site: Site, request_bytes: bytes, code: int) -> None:
    assert status(site.ask(request_bytes)) == code


def test_why_a_call_was_refused_is_logged(site: Site) -> None:
    site.ask(post(b"hello"))
    site.ask(post(b"<methodCall/>"))
    assert site.log() == [
        ("error", "XML-RPC request data 'hello' is invalid: unmarshallable"),
        ("error", "XML-RPC request data '<methodCall/>' is invalid: no method name"),
    ]


@pytest.mark.parametrize("method", ["test.fail", "test.broken", "test.nothing"])
def test_a_bug_is_500_and_logged(site: Site, method: str) -> None:
    document = f"<methodCall><methodName>{method}</methodName></methodCall>"
    assert status(site.ask(post(document.encode()))) == 500
    [(level, text)] = site.log()
    assert level == "critical"
    assert text.startswith(
        f"Handling XML-RPC request with data {document!r} raised an unexpected exception: Traceback"
    )


def test_what_the_caller_got_wrong_can_be_found_in_the_log(site: Site) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        ask(site, "test.hello", 5)
    assert caught.value.faultString == "INCORRECT_PARAMETERS"  # without any text of Python's
    [(level, text)] = site.log()
    assert level == "debug"
    assert "name.upper()" in text


def test_a_multicall_over_http_gathers_values_and_faults(
    site: Site, system: SystemNamespaceRPCInterface
) -> None:
    """As XML, byte for byte what the values would be."""
    asked = calls("test.hello", "test.refuse", "nope", "test.fail", hello=["x"])
    document = xmlrpc.client.dumps((asked,), "system.multicall").encode()
    assert body(site.ask(post(document))).decode() == xmlrpc_marshal(system.multicall(asked))


def test_a_multicall_over_http_waits(site: Site, namespace: Namespace) -> None:
    client = site.connect()
    asked = calls("test.later", "test.hello", "test.later", hello=["x"])
    client.send(post(xmlrpc.client.dumps((asked,), "system.multicall").encode()))
    for answer in (5, RPCError(Faults.BAD_NAME, "y")):
        site.turn_until(lambda: namespace.changed)
        namespace.give(answer)
        site.run_once()
    assert value_of(client.answer()) == [
        5,
        "hello X",
        {"faultCode": 10, "faultString": "BAD_NAME: y"},
    ]


def test_the_results_of_a_multicall_are_bounded(
    site: Site, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls beyond the bound are refused, not made."""
    monkeypatch.setattr(multicall, "MAX_RESULT_BYTES", 1000)
    called: list[str] = []

    def hello(_self: Namespace, name: str) -> str:
        called.append(name)
        return "x" * 600

    monkeypatch.setattr(Namespace, "hello", hello)
    asked = [{"methodName": "test.hello", "params": [name]} for name in "abcd"]
    answer = ask(site, "system.multicall", asked)
    assert answer[:2] == ["x" * 600] * 2
    assert called == ["a", "b"]
    assert [(fault["faultCode"], "not called" in fault["faultString"]) for fault in answer[2:]] == [
        (Faults.FAILED, True)
    ] * 2
    assert namespace.answers == []


def test_a_result_of_a_multicall_that_has_no_type_in_xml_is_a_failure(site: Site) -> None:
    document = xmlrpc.client.dumps((calls("test.nothing"),), "system.multicall").encode()
    assert status(site.ask(post(document))) == 500


def test_a_method_that_is_traced_stays_on_its_line(site: Site) -> None:
    site.logger.level = loggers.LevelsByName.TRAC
    name = "x\n2026-01-01 00:00:00,000 CRIT owned\r" + "y" * 1000
    with pytest.raises(xmlrpc.client.Fault):
        ask(site, name)
    traced = [text for _, text in site.log() if text.startswith("XML-RPC")]
    assert len(traced) == 2
    assert all(text.isprintable() and len(text) < 300 for text in traced)


def test_calls_are_logged_at_trace(site: Site) -> None:
    site.logger.level = loggers.LevelsByName.TRAC
    ask(site, "test.inherited")
    with pytest.raises(xmlrpc.client.Fault):
        ask(site, "test.refuse")
    assert [text for level, text in site.log() if level == "trace" and "XML" in text] == [
        "XML-RPC method called: test.inherited()",
        "XML-RPC method test.inherited() returned successfully",
        "XML-RPC method called: test.refuse()",
        "XML-RPC method test.refuse() returned fault: [10] BAD_NAME: x",
    ]


@pytest.mark.parametrize("method", ["test.later", "test.polled"])
def test_a_deferred_response(site: Site, namespace: Namespace, method: str) -> None:
    client = begin(site, method)
    namespace.give("now")
    site.pass_time(0.5)
    assert value_of(client.answer()) == "now"


def test_a_fault_that_waits(site: Site, namespace: Namespace) -> None:
    client = begin(site, "test.later")
    namespace.give(RPCError(Faults.SPAWN_ERROR, "x"))
    with pytest.raises(xmlrpc.client.Fault, match="SPAWN_ERROR: x"):
        value_of(client.answer())


@pytest.mark.parametrize("answer", [LookupError("no luck"), object()])
def test_a_bug_that_waits(site: Site, namespace: Namespace, answer: Any) -> None:
    client = begin(site, "test.later")
    namespace.give(answer)
    assert status(client.answer()) == 500
    assert [level for level, _ in site.log()] == ["critical"]


# -- names for plugins ------------------------------------------------------------------


def test_marshalling_takes_a_fault_of_the_standard_library() -> None:
    fault = xmlrpc.client.Fault(1, "UNKNOWN_METHOD")
    assert xmlrpc_marshal(fault) == xmlrpc.client.dumps(fault, methodresponse=True)


def test_the_clients_names_are_offered() -> None:
    assert module.xmlrpclib is xmlrpc.client
    assert module.SupervisorTransport.__name__ == "SupervisorTransport"
    assert not hasattr(module, "nonsense")
    assert module.capped_int(2**40) == 2**31 - 1
