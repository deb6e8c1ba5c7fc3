"""FastCGI processes: their stdin is a listening socket."""

from __future__ import annotations

from supervisor.process.child import Subprocess
from supervisor.process.groups import ProcessGroupBase
from supervisor.process.plan import Pipes, SpawnError
from supervisor.socket_manager import SocketManager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket
    from typing import Any

    from supervisor.config.model import FastCGIGroupConfig
    from supervisor.process.runtime import Runtime


class FastCGISubprocess(Subprocess):
    """A process that holds the group's socket while it runs."""

    group: FastCGIProcessGroup | None
    holds_socket = False
    """Whether it holds the group's socket."""

    def _make_pipes(self) -> Pipes:
        try:
            listener = self.hold_socket()
        except OSError as error:
            raise SpawnError(f"error while creating socket for '{self.name}': {error}") from None
        return Pipes.make(
            redirect_stderr=self.config.redirect_stderr, child_stdin=listener.fileno()
        )

    def hold_socket(self) -> socket:
        """Return the group's socket, which stays open while the process runs.

        Raises `OSError`, and `SpawnError` if the process has no group.
        """
        if self.group is None:
            raise SpawnError(f"no socket for '{self.name}': it has no group")
        listener = self.group.socket_manager.acquire()
        self.holds_socket = True
        return listener

    @property
    def has_open_socket(self) -> bool:
        """Whether the group's socket is open."""
        return self.group is not None and self.group.socket_manager.is_open

    def fail_start(self, reason: str) -> None:
        """End a start that has failed, and release the socket."""
        self._release_socket()
        super().fail_start(reason)

    def _ended(self, status: int) -> None:
        super()._ended(status)
        self._release_socket()

    def _release_socket(self) -> None:
        if self.holds_socket and self.group is not None:
            self.holds_socket = False
            self.group.socket_manager.release()


class FastCGIProcessGroup(ProcessGroupBase):
    """An `[fcgi-program:x]` section."""

    config: FastCGIGroupConfig
    process_class = FastCGISubprocess

    def __init__(
        self,
        config: FastCGIGroupConfig,
        runtime: Runtime,
        *,
        must_open: bool = True,
        opened: Mapping[str, Any] | None = None,
    ) -> None:
        """Check that the socket can be opened; if not, raise `ValueError` or only log it.

        `opened` is the snapshot of a socket manager, which has been checked before.
        """
        self.socket_manager = SocketManager(config.socket_config, runtime.logger)
        super().__init__(config, runtime)
        if opened is not None:
            self.socket_manager.restore(opened)
            return
        try:
            self.socket_manager.acquire()
        except OSError as error:
            text = f"Could not create FastCGI socket {config.socket_config.url}: {error}"
            if must_open:
                raise ValueError(text) from None
            runtime.logger.critical(text)
        else:
            self.socket_manager.release()
