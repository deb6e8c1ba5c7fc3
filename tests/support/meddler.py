"""An RPC interface by which tests change the running daemon: `[rpcinterface:meddler]`.

`run` executes Python code at once, `before` when the daemon is about to execute itself: the check
of the new version has succeeded then.  The names `supervisord` and `reexec` are defined.
"""

from __future__ import annotations

from typing import Any

SECTION = """
[rpcinterface:meddler]
supervisor.rpcinterface_factory=tests.support.meddler:Meddler
"""


class Meddler:
    """The interface; `resume_unsafe` may be set by the code."""

    resume_unsafe: bool | str = False

    def __init__(self, supervisord: Any, **_options: str) -> None:
        self._names = {"supervisord": supervisord, "meddler": self}

    def run(self, code: str) -> bool:
        """Execute code."""
        exec(code, dict(self._names))  # noqa: S102 - that is its purpose
        return True

    def before(self, code: str) -> bool:
        """Execute code before the daemon executes itself."""
        from supervisor.daemon import reexec

        flush = reexec.Reexec._flush

        def run_first(self: Any) -> None:
            flush(self)
            exec(code, {**names, "reexec": self})  # noqa: S102

        names = self._names
        reexec.Reexec._flush = run_first  # type: ignore[method-assign]
        return True
