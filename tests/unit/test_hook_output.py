"""The output of a hook, from its pipe to the log."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from supervisor.process.hook_output import HookLog, HookOutput

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World


@pytest.mark.parametrize("strip_ansi", [True, False])
def test_a_full_pipe_is_emptied_at_the_end(
    world: World, directory: Path, *, strip_ansi: bool
) -> None:
    """A hook may exit during a pause between two reads."""
    path = directory / "log"
    process = world.process(stdout_logfile=str(path), stdout_logfile_maxbytes=0)
    reader, writer = os.pipe()
    capacity = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    log = HookLog(process, "pre_start_hook", lambda: 5)
    output = HookOutput(reader, world.runtime.loop, log, strip_ansi=strip_ansi)
    os.write(writer, b"0123456\n" * (capacity // 8))
    os.close(writer)
    output.drain()
    output.close()
    log.close()
    assert path.read_bytes() == b"[pre_start_hook] 0123456\n" * (capacity // 8)
