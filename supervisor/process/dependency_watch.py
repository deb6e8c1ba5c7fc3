"""Stop with a dependency, and restart with it: `on_dependency_failure`."""

from __future__ import annotations

from supervisor.process.conditions import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from supervisor.config.model import ProcessConfig
    from supervisor.process.dependencies import StartGate


class DependencyWatch:
    """The dependencies of one process, which it follows while it is up.

    A process that is being restarted after a crash is not down for good, so it does not affect its
    dependents.
    """

    def __init__(
        self,
        gate: StartGate,
        requeue: Callable[[], object],
        follows_restarts: bool,  # noqa: FBT001 - the rule of this process
    ) -> None:
        """`requeue` stops the process and starts it again when its gate is open."""
        self._watches = [
            watch
            for watch in gate.watches
            if watch.condition.kind is Kind.RUNNING and not watch.condition.requirement.is_soft
        ]
        self._requeue = requeue
        self._follows_restarts = follows_restarts
        self._is_watching = False
        self._stops_before = 0

    def begin(self, *, was_stopped: bool = False) -> None:
        """Watch the dependencies of a process that is up; `was_stopped`, if one was stopped."""
        self._is_watching = True
        for watch in self._watches:
            watch.add_follower(self)
        self._stops_before = self._stops() - was_stopped

    def end(self) -> None:
        """Stop watching: the process is down, or is being stopped."""
        self._is_watching = False
        for watch in self._watches:
            watch.discard_follower(self)

    def _stops(self) -> int:
        return sum(watch.stops for watch in self._watches)

    @property
    def _was_stopped(self) -> bool:
        """Whether a dependency has been stopped since the start of this process."""
        return self._stops() != self._stops_before

    def snapshot(self) -> dict[str, bool]:
        """Return the state as JSON values."""
        return {
            "is_watching": self._is_watching,
            "was_stopped": self._is_watching and self._was_stopped,
        }

    def restore(self, saved: Mapping[str, bool]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.end()
        if saved.get("is_watching", False):
            self.begin(was_stopped=saved.get("was_stopped", False))
            for watch in self._watches:
                watch.look_again()

    def decide(self, *, has_failed: bool) -> None:
        """Follow a dependency that is down for good, or dependencies that are up again."""
        if self._is_watching and (has_failed or self._has_restarted()):
            self.end()
            self._requeue()

    def _has_restarted(self) -> bool:
        """Whether all dependencies are up again after a stop that has to be followed."""
        if not (self._follows_restarts and self._watches and self._was_stopped):
            return False
        return all(watch.unmet() is None for watch in self._watches)


def make_watch(
    config: ProcessConfig, gate: StartGate | None, requeue: Callable[[], object]
) -> DependencyWatch | None:
    """Return the watch of a process, None if it does not follow its dependencies."""
    if gate is None or config.on_dependency_failure == "ignore":
        return None
    return DependencyWatch(gate, requeue, config.on_dependency_failure == "restart")
