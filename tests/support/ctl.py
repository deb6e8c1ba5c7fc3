"""A supervisorctl in the test's own process, with a fake daemon of canned responses."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from supervisor.client.options import ClientOptions
from supervisor.supervisorctl import Controller, DefaultControllerPlugin

ANSWERS: dict[str, Any] = {
    "supervisor.getVersion": "3.0",
    "supervisor.getPID": 77,
    "supervisor.getSupervisorVersion": "9.9",
}


def process(name: str, statename: str = "RUNNING", state: int = 20, **more: Any) -> dict[str, Any]:
    """Return the daemon's information about `group:name`, or about a program outside a group."""
    group, _, process_name = name.rpartition(":")
    info = {"name": process_name, "group": group or name, "state": state, "pid": 5}
    return {**info, "statename": statename, "description": "description of the daemon", **more}


class FakeProxy:
    """Answers calls by `answers`: a value, an exception to raise, or a function to call."""

    def __init__(self, answers: dict[str, Any], calls: list[tuple[Any, ...]], name: str) -> None:
        self._answers, self._calls, self._name = answers, calls, name

    def __getattr__(self, name: str) -> FakeProxy:
        return FakeProxy(self._answers, self._calls, f"{self._name}.{name}".lstrip("."))

    def __call__(self, *params: Any) -> Any:
        self._calls.append((self._name.removeprefix("supervisor."), *params))
        answer = self._answers[self._name]
        if isinstance(answer, Exception):
            raise answer
        return answer(*params) if callable(answer) else answer


class FakeOptions:
    """The attributes that a controller and plugins use of `ClientOptions`."""

    def __init__(self, **answers: Any) -> None:
        self.interactive = False
        self.prompt = "fake"
        self.serverurl = "unix:///fake.sock"
        self.username: str | None = None
        self.password: str | None = None
        self.history_file: str | None = None
        self.plugins: list[Any] = []
        self.plugin_factories: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
            ("default", DefaultControllerPlugin, {})
        ]
        self.answers = ANSWERS | {f"supervisor.{name}": value for name, value in answers.items()}
        self.calls: list[tuple[Any, ...]] = []

    def trusted_uids(self) -> frozenset[int]:
        """Return the users who may receive a password."""
        return frozenset()

    def getServerProxy(self) -> FakeProxy:  # noqa: N802
        """Return a proxy of the fake daemon."""
        return FakeProxy(self.answers, self.calls, "")


class Ctl:
    """Runs lines; `options.calls` has the calls to the daemon."""

    def __init__(self, options: FakeOptions | None = None, **answers: Any) -> None:
        self.options = options or FakeOptions(**answers)
        self.controller = Controller(self.options, stdout=io.StringIO())

    def run(self, line: str) -> tuple[str, int]:
        """Run one line by itself; return its output and exit status."""
        self.controller.stdout = io.StringIO()
        self.controller.exitstatus = 0
        self.controller.onecmd(line)
        return self.controller.stdout.getvalue(), self.controller.exitstatus

    def asked(self) -> list[tuple[Any, ...]]:
        """Return the calls so far, without those of the connection check."""
        return [call for call in self.options.calls if call != ("getVersion",)]


def through_the_wire(url: str) -> Ctl:
    """Return a supervisorctl that really connects to `url`."""
    options = FakeOptions()
    options.serverurl = url
    options.getServerProxy = lambda: ClientOptions.getServerProxy(options)  # type: ignore[method-assign, arg-type, assignment, return-value]
    return Ctl(options)
