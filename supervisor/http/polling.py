"""Polling of deferred functions: replies, and producers that have nothing to send yet.

Attributes of an object, its wait specification, define when to poll again (see
`engine.deferred`): `wake_sources`, `delay` and, here, `max_wait`, the seconds after which to
poll even without a notification.
"""

from __future__ import annotations

from supervisor.engine.deferred import NOT_DONE_YET, POLL_SECONDS, wake_sources_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from supervisor.engine.deferred import Deferred, Notifier
    from supervisor.engine.loop import Loop, Timer

MIN_POLL_SECONDS = 0.02
"""Lower bound of a poll interval: plugins set `delay = 0`, which would be a busy loop."""


class Poller:
    """A deferred function that is polled until it returns a result."""

    def __init__(
        self,
        loop: Loop,
        poll: Deferred,
        *,
        wait_spec: Callable[[], Any],
        on_result: Callable[[Any], None],
        on_error: Callable[[Exception], None],
        resume: Callable[[], None],
    ) -> None:
        """`wait_spec` returns the object that has `wake_sources`, `delay` and `max_wait`.

        `on_error` is called inside the `except` block with an exception of the deferred function
        or of `on_result`.  `resume` is called after each poll but the first.
        """
        self._loop = loop
        self._poll = poll
        self._wait_spec = wait_spec
        self._on_result = on_result
        self._on_error = on_error
        self._resume = resume
        self._wake_sources: tuple[Notifier, ...] = ()
        self._timer: Timer | None = None
        self._is_due = False
        self._is_over = False

    def start(self) -> None:
        """Poll; if there is no result yet, wait for a notification or a timer."""
        try:
            result = self._poll()
            if result is NOT_DONE_YET:
                self._wait()
            else:
                self._is_over = True
                self._on_result(result)
        except Exception as error:  # noqa: BLE001 - the function may be a plugin's
            self._is_over = True
            self._on_error(error)

    def cancel(self) -> None:
        """Stop polling; a second or late call has no effect."""
        self._is_over = True
        self._stop_waiting()

    def _wake(self) -> None:
        self._stop_waiting()
        if not self._is_over:
            self.start()
            self._resume()

    def _wake_soon(self) -> None:
        """Poll at the end of this loop iteration: the notifier is still changing its state."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._wake)

    def _wait(self) -> None:
        spec = self._wait_spec()
        self._wake_sources = wake_sources_of(spec)
        for notifier in self._wake_sources:
            notifier.add(self._wake_soon)
        seconds = getattr(spec, "max_wait", None)
        if not self._wake_sources:
            seconds = max(getattr(spec, "delay", POLL_SECONDS), MIN_POLL_SECONDS)
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self._wake)

    def _stop_waiting(self) -> None:
        self._is_due = False
        for notifier in self._wake_sources:
            notifier.discard(self._wake_soon)
        self._wake_sources = ()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
