"""Descriptions: waits and pauses of programs with new options, and nothing new for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from supervisor.common import xmlrpc_codec
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.details import process_info
from supervisor.rpc.rows import rows
from supervisor.states import ProcessStates
from tests.support.programs import EXIT_0, EXIT_3, Programs

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from tests.support.world import World

S = ProcessStates


@pytest.fixture
def programs(world: World) -> Programs:
    return Programs(world)


def description(process: Subprocess) -> str:
    """Return the description; that of the cached row must be the same."""
    assert process.group is not None
    group: Any = process.group
    struct = process_info(group, process)
    made = rows([(group, process)], struct["now"])
    assert b"".join(xmlrpc_codec.response_in_pieces(made)).decode() == (
        xmlrpc_codec.response([struct])
    )
    text: str = struct["description"]
    return text


def test_a_wait_is_the_whole_description(programs: Programs) -> None:
    programs.add("db", autostart=False, startsecs=5)
    migrate = programs.add("migrate", autostart=False, startsecs=0)
    web = programs.add("web", "db", depends_on_completed="migrate")
    programs.boot()
    assert (web.state, description(web)) == (
        S.STOPPED,
        "waiting for db (STOPPED), migrate (not completed)",
    )
    programs.start("db")
    assert description(web) == "waiting for db (STARTING), migrate (not completed)"
    programs.world.pass_time(5)
    assert description(web) == "waiting for migrate (not completed)"
    programs.start("migrate")
    programs.die(migrate, EXIT_3)
    assert description(web) == "waiting for migrate (not completed)"
    web.stop()
    assert description(web) == "Not started"


def test_a_wait_of_a_program_that_has_run(programs: Programs) -> None:
    programs.add("db", startsecs=0)
    web = programs.add("web", "db", startsecs=0, autorestart=RestartUnconditionally)
    programs.boot()
    programs.world.pass_time(0)
    assert web.state == S.RUNNING
    programs.process("db").stop()
    programs.die(programs.process("db"))
    programs.die(web)
    assert (web.state, description(web)) == (S.EXITED, "waiting for db (STOPPED)")


def test_a_pause_counts_down_in_whole_seconds(programs: Programs) -> None:
    web = programs.add("web", startsecs=0, autorestart=RestartUnconditionally, restartpause=2.5)
    programs.boot()
    programs.world.pass_time(0)
    programs.die(web)
    date = description(web).partition(",")[0]
    assert description(web) == f"{date}, restart in 3 s"
    programs.world.pass_time(1)
    assert description(web) == f"{date}, restart in 2 s"
    programs.world.pass_time(1)
    assert description(web) == f"{date}, restart in 1 s"
    web.stop()
    assert description(web) == date


def test_a_pause_after_a_failed_start_follows_its_reason(programs: Programs) -> None:
    web = programs.add("web", startsecs=5, restartpause=8)
    programs.boot()
    programs.die(web)
    assert (web.state, description(web)) == (
        S.BACKOFF,
        "Exited too quickly (process log may have details), restart in 8 s",
    )


def test_nothing_changes_without_restart_options(programs: Programs) -> None:
    web = programs.add("web", startsecs=5, autorestart=RestartUnconditionally)
    programs.boot()
    programs.die(web)
    assert description(web) == "Exited too quickly (process log may have details)"
    programs.world.pass_time(1)
    programs.world.pass_time(5)
    assert web.state == S.RUNNING
    programs.die(web, EXIT_0)
    assert "restart" not in description(web)
