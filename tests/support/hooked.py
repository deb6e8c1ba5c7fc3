"""A program with hooks, with a fake clock and without children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor.config.hooks import HOOKS, hook_command
from supervisor.process.helper_child import HelperChild
from tests.support.programs import EXIT_0, Programs

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from supervisor.process.plan import SpawnPlan
    from tests.support.world import World


def hook_options(*names: str, **options: Any) -> dict[str, Any]:
    """Return options with these hooks, whose commands are `/bin/NAME`, and others."""
    found = {name: options.get(name, f"/bin/true {name}") for name in names}
    commands = {name: hook_command(command) for name, command in found.items()}
    return options | commands


class Hooked:
    """One program, `web`, and its hooks."""

    def __init__(self, world: World, *names: str, **options: Any) -> None:
        """Take the names of its hooks: all of them without any."""
        self.world = world
        self.programs = Programs(world)
        options = {"autostart": False} | hook_options(*(names or HOOKS), **options)
        self.process: Subprocess = self.programs.add("web", **options)

    @property
    def hook(self) -> str:
        """The name of the hook that is running."""
        return "" if self.process.hooks is None else self.process.hooks.running

    @property
    def state(self) -> int:
        return self.process.state

    @property
    def plan(self) -> SpawnPlan:
        """The plan of the last child, a hook or the program."""
        return self.world.plans[-1]

    def helper(self) -> HelperChild:
        """Return the child of the hook that is running."""
        children = self.world.runtime.children.values()
        (found,) = [
            each for each in children if isinstance(each, HelperChild) and each.is_in_progress
        ]
        return found

    def end_hook(self, status: int = EXIT_0) -> None:
        """End the hook that is running, with a status of `waitpid`."""
        helper = self.helper()
        self.world.runtime.children.pop(helper.pid)
        helper.finish(helper.pid, status)
        self.world.pass_time(0)

    def start(self) -> Any:
        return self.programs.start("web")

    def run(self) -> None:
        """Start the program, so that it is RUNNING and no hook is running."""
        self.start()
        self.end_hooks()
        self.world.pass_time(1)
        self.end_hooks()

    def end_hooks(self) -> list[str]:
        """End one hook after the other; return their names."""
        ended = []
        while self.hook:
            ended.append(self.hook)
            self.end_hook()
        return ended

    def die(self, status: int = EXIT_0) -> None:
        """The child exits."""
        self.programs.die(self.process, status)
