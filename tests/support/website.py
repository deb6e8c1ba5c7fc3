"""The web interface in a loop that the test turns itself: processes without children."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.config.model import ProcessConfig, ProcessGroupConfig, ServerConfig, Settings
from supervisor.http.csrf import csrf_guard
from supervisor.http.handlers import default_handler
from supervisor.process import child
from supervisor.process.child import Subprocess
from supervisor.process.groups import ProcessGroup
from supervisor.process.plan import Launched, SpawnPlan
from supervisor.process.runtime import Runtime
from supervisor.states import SupervisorStates
from supervisor.web import supervisor_ui_handler
from tests.support.httpsite import Site, body, field, get, inet_config, post, status


class Answer:
    """An answer taken apart."""

    def __init__(self, raw: bytes) -> None:
        self.status = status(raw)
        self.text = body(raw).decode()
        self._raw = raw

    def header(self, name: str) -> str | None:
        """Return a header field."""
        value = field(self._raw, name.encode())
        return None if value is None else value.decode()


class WebSite(Site):
    """A site with processes `cat` (stopped) and what a test adds."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(directory)
        self.runtime = Runtime(self.loop, self.logger, Settings(configfile=None, here=None))
        self.supervisord = SimpleNamespace(
            runtime=self.runtime,
            options=SimpleNamespace(
                logfile=None,
                identifier="test",
                mood=SupervisorStates.RUNNING,
                process_group_configs=[],
            ),
            process_groups={},
        )
        self.signals: list[tuple[int, int]] = []
        self.plans: list[SpawnPlan] = []
        monkeypatch.setattr(child, "launch", self._launch)
        monkeypatch.setattr(
            child.os, "kill", lambda pid, signum: self.signals.append((pid, signum))
        )

    def _launch(self, plan: SpawnPlan) -> Launched:
        """Stand in for `launchers.launch`: pids 1001, 1002, ..."""
        self.plans.append(plan)
        return Launched(1000 + len(self.plans))

    def add(self, name: str, group: str | None = None, **options: Any) -> Subprocess:
        """Add a process, to a group of its own by default."""
        defaults: dict[str, Any] = {
            "command": "/bin/cat",
            "autostart": False,
            "startsecs": 0,
            "stdout_logfile": None,
            "stderr_logfile": None,
        }
        config = ProcessConfig(name=name, **(defaults | options))
        groups = self.supervisord.process_groups
        group = group or name
        if group not in groups:
            groups[group] = ProcessGroup(ProcessGroupConfig(group, 999, []), self.runtime)
        return groups[group].add_process(config)

    def open(self, config: ServerConfig | None = None) -> None:
        """Serve pages and static files, as the daemon does."""
        config = config or inet_config()
        server = self.serve(
            supervisor_ui_handler(self.supervisord), default_handler(), config=config
        )
        server.guards = [csrf_guard(config, server.tcp_address)]

    def get(self, path: str, *lines: str, host: str = "localhost", command: str = "GET") -> Answer:
        """Ask for a page."""
        request = get(path, *lines, command=command).replace(b"Host: x", f"Host: {host}".encode())
        return Answer(self.ask(request))

    def post(self, path: str, *lines: str, content: bytes = b"") -> Answer:
        """Press a button."""
        request = post(content, path, *lines).replace(b"Host: x", b"Host: localhost")
        return Answer(self.ask(request))

    def message(self, query: str) -> str:
        """Act by a GET, as scripts do; return the message of the redirect."""
        from urllib.parse import parse_qs, urlsplit

        answer = self.get(f"/index.html?{query}")
        assert answer.status == 303
        parts = urlsplit(answer.header("Location") or "")
        assert parts.path == "./"
        assert not parts.netloc
        return parse_qs(parts.query)["message"][0]
