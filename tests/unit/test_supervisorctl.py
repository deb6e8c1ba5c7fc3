"""The commands of supervisorctl with a fake daemon: texts, exit statuses, calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.common.faults import Faults, getFaultDescription
from supervisor.supervisorctl.commands import update
from supervisor.supervisorctl.results import (
    CLEAR_RESULTS,
    SIGNAL_RESULTS,
    START_RESULTS,
    STOP_RESULTS,
    result_text,
)
from tests.support.ctl import Ctl, process


def results(*codes: int) -> list[dict[str, Any]]:
    """Return the results of an action on processes `g:p<code>`."""
    return [
        {"group": "g", "name": f"p{code}", "status": code, "description": "reason"}
        for code in codes
    ]


# -- results -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "started", "stopped", "signalled", "cleared"),
    [
        (80, "started", "stopped", "signalled", "cleared"),
        (10, *["ERROR (no such process)"] * 4),
        (11, "ERROR (BAD_SIGNAL)", *["ERROR (bad signal name)"] * 2, "ERROR (BAD_SIGNAL)"),
        (20, "ERROR (no such file)", *["ERROR (NO_FILE)"] * 3),
        (21, "ERROR (file is not executable)", *["ERROR (NOT_EXECUTABLE)"] * 3),
        (40, "ERROR (abnormal termination)", *["ERROR (ABNORMAL_TERMINATION)"] * 3),
        (50, "ERROR (spawn error)", *["ERROR (SPAWN_ERROR)"] * 3),
        (60, "ERROR (already started)", *["ERROR (ALREADY_STARTED)"] * 3),
        (70, "ERROR (NOT_RUNNING)", *["ERROR (not running)"] * 2, "ERROR (NOT_RUNNING)"),
        (6, *["ERROR (SHUTDOWN_STATE)"] * 4),
        (999, *["ERROR (UNKNOWN)"] * 4),
    ],
)
def test_the_text_of_a_result(
    code: int, started: str, stopped: str, signalled: str, cleared: str
) -> None:
    tables = (START_RESULTS, STOP_RESULTS, SIGNAL_RESULTS, CLEAR_RESULTS)
    (result,) = results(code)
    lines = [result_text(result, table) for table in tables]
    assert lines == [f"g:p{code}: {text}" for text in (started, stopped, signalled, cleared)]


def test_a_failure_has_its_own_description_except_in_clear() -> None:
    (result,) = results(Faults.FAILED)
    assert result_text(result, STOP_RESULTS) == "reason"
    assert result_text(result, CLEAR_RESULTS) == "g:p30: ERROR (failed)"


@pytest.mark.parametrize(
    ("line", "codes", "status"),
    [
        ("start all", [80, 60], 0),
        ("start all", [80, 50], 7),
        ("start all", [40, 20], 1),
        ("start all", [20, 50], 7),
        ("start all", [70], 7),
        ("stop all", [80, 70], 0),
        ("stop all", [10], 1),
        ("signal HUP all", [70], 7),
        ("signal HUP all", [11], 1),
        ("clear all", [80], 0),
        ("clear all", [30], 1),
    ],
)
def test_the_last_failure_makes_the_exit_status(line: str, codes: list[int], status: int) -> None:
    found = results(*codes)
    ctl = Ctl(
        startAllProcesses=found,
        stopAllProcesses=found,
        signalAllProcesses=lambda _: found,
        clearAllProcessLogs=found,
    )
    assert ctl.run(line)[1] == status


@pytest.mark.parametrize(
    ("line", "status"), [("start g:*", 2), ("stop g:*", 1), ("signal HUP g:*", 1)]
)
def test_an_unknown_group(line: str, status: int) -> None:
    unknown = Fault(Faults.BAD_NAME, "BAD_NAME: g")
    ctl = Ctl(startProcessGroup=unknown, stopProcessGroup=unknown, signalProcessGroup=unknown)
    assert ctl.run(line) == ("g: ERROR (no such group)\n", status)


@pytest.mark.parametrize(
    ("verb", "done"), [("rotate", "rotated"), ("reopen", "reopened")], ids=lambda value: value
)
def test_logs_are_rotated_and_reopened(verb: str, done: str) -> None:
    method = f"{verb}ProcessLogs"
    everything = {f"{verb}AllProcessLogs": results(80)}
    assert Ctl(**everything).run(f"{verb} all x") == (f"g:p80: {done}\n", 0)

    def answer(name: str) -> Any:
        if name == "g:*":
            return results(80, 20, 10)
        if name == "device":
            raise Fault(Faults.FAILED, "FAILED: device: cannot rotate /dev/null: it is a device")
        return True

    ctl = Ctl(**{method: answer})
    assert ctl.run(f"{verb} a device g:*") == (
        (
            f"a: {done}\ndevice: cannot rotate /dev/null: it is a device\ng:p80: {done}\n"
            "g:p20: ERROR (no log file)\ng:p10: ERROR (no such process)\n"
        ),
        1,
    )
    assert ctl.asked() == [(method, "a"), (method, "device"), (method, "g:*")]
    assert Ctl().run(verb)[0].startswith(f"Error: {verb} requires a process name\n{verb} <name>")


def test_names_are_processed_in_order() -> None:
    ctl = Ctl(startProcess=True, startProcessGroup=results(80), stopProcess=True)
    assert ctl.run("start a g:b g:*") == ("a: started\ng:b: started\ng:p80: started\n", 0)
    assert ctl.asked() == [
        ("startProcess", "a"),
        ("startProcess", "g:b"),
        ("startProcessGroup", "g"),
    ]


def test_restart_stops_everything_before_it_starts_anything() -> None:
    ctl = Ctl(startProcess=True, stopProcess=Fault(Faults.NOT_RUNNING, "NOT_RUNNING: a"))
    assert ctl.run("restart a b") == (
        "a: ERROR (not running)\nb: ERROR (not running)\na: started\nb: started\n",
        0,
    )


def test_stop_requests_every_stop_before_it_waits_for_the_first() -> None:
    states = iter((40, 0, 0))  # a is STOPPING when it is looked at first

    def info(_name: str) -> dict[str, Any]:
        return process("x", "", next(states))

    ctl = Ctl(stopProcess=True, stopProcessGroup=results(80, 70), getProcessInfo=info)
    assert ctl.run("stop a g:*") == ("a: stopped\ng:p80: stopped\ng:p70: ERROR (not running)\n", 0)
    assert ctl.asked() == [
        ("stopProcess", "a", False),
        ("stopProcessGroup", "g", False),
        ("getProcessInfo", "a"),
        ("stopProcess", "a"),
        ("getProcessInfo", "a"),
        ("getProcessInfo", "g:p80"),
    ]


def test_a_server_that_does_not_wait_is_polled_until_the_process_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Supervisor 4.3.0 returns NOT_RUNNING for a second stopProcess."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    states = iter((40, 40, 0, 0))

    def stop(_name: str, wait: bool = True) -> bool:  # noqa: FBT001, FBT002 - as the method
        if wait:
            raise Fault(Faults.NOT_RUNNING, "NOT_RUNNING: a")
        return True

    ctl = Ctl(stopProcess=stop, getProcessInfo=lambda _name: process("x", "", next(states)))
    assert ctl.run("stop a b") == ("a: stopped\nb: stopped\n", 0)
    assert len(pauses) == 2


def test_an_unknown_name_among_several_keeps_its_place_and_status() -> None:
    ctl = Ctl(
        stopProcess=lambda name, _wait: _unknown(name) if name == "b" else True,
        stopProcessGroup=Fault(Faults.BAD_NAME, "BAD_NAME: g"),
        getProcessInfo=process("x", "", 0),
    )
    assert ctl.run("stop a b g:* c") == (
        "a: stopped\nb: ERROR (no such process)\ng: ERROR (no such group)\nc: stopped\n",
        1,
    )


def _unknown(name: str) -> bool:
    raise Fault(Faults.BAD_NAME, f"BAD_NAME: {name}")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault(6, "SHUTDOWN_STATE"), "ERROR: supervisord is shutting down or restarting\n"),
        (
            Fault(1, "UNKNOWN_METHOD"),
            (
                "ERROR: supervisord does not know the method that this command calls; is it older"
                " than supervisorctl, or is an [rpcinterface:...] section missing in its"
                " configuration file?\n"
            ),
        ),
    ],
)
@pytest.mark.parametrize("command", ["status", "reload", "pid", "stop a"])
def test_a_fault_that_any_command_may_receive_is_one_line(
    command: str, fault: Fault, line: str
) -> None:
    answers = ("getAllProcessInfo", "restart", "getPID", "stopProcess")
    ctl = Ctl(**dict.fromkeys(answers, fault))
    text, status = ctl.run(command)
    if command == "stop a":  # faults of an action are results of the process
        assert (text.count("\n"), status) == (1, 1)
    elif command == "reload" and fault.faultCode == 6:
        assert (text, status) == ("ERROR: already shutting down\n", 1)
    else:
        assert (text, status) == (line, 1)


def test_following_an_unknown_process_fails() -> None:
    ctl = Ctl(getProcessInfo=Fault(Faults.BAD_NAME, "BAD_NAME: wbe"))
    assert ctl.run("tail -f wbe") == ("wbe: ERROR (no such process name)\n", 1)


# -- status and pid ------------------------------------------------------------------------

LONG = "x" * 40


def test_status_aligns_its_columns() -> None:
    ctl = Ctl(getAllProcessInfo=[process("a"), process("g:b", "STARTING", 10, description="")])
    assert ctl.run("status")[0].splitlines() == [
        "a                                RUNNING   description of the daemon",
        "g:b                              STARTING  ",
    ]


def test_wide_characters_take_two_columns() -> None:
    ctl = Ctl(getAllProcessInfo=[process("监控"), process("e\u0301t")])
    assert ctl.run("status")[0].splitlines() == [
        f"监控{' ' * 29}RUNNING   description of the daemon",
        f"e\u0301t{' ' * 31}RUNNING   description of the daemon",
    ]


def test_a_long_name_moves_the_columns() -> None:
    ctl = Ctl(getAllProcessInfo=[process(LONG), process("a", "FATAL", 200)])
    first, second = ctl.run("status")[0].splitlines()
    assert first == f"{LONG}   RUNNING   description of the daemon"
    assert second.index("FATAL") == first.index("RUNNING")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("status a", 0),
        ("status a late", 0),
        ("status nope", 4),
        ("status nope:*", 4),
        ("status idle", 3),
        ("status nope idle", 3),
        ("status all nope", 3),
        ("status", 3),
    ],
)
def test_the_exit_status_of_status(line: str, status: int) -> None:
    """A stopped process takes precedence over an unknown name."""
    infos = [process("a"), process("late", "BACKOFF", 30), process("idle", "STOPPED", 0)]
    assert Ctl(getAllProcessInfo=infos).run(line)[1] == status


def test_status_prints_errors_first_and_repeats_a_name_that_is_given_twice() -> None:
    ctl = Ctl(getAllProcessInfo=[process("a"), process("g:b")])
    lines = ctl.run("status a nope g:* g:b a")[0].splitlines()
    assert [line.split()[0] for line in lines] == ["nope:", "a", "g:b", "g:b", "a"]


def test_no_processes_at_all_print_nothing() -> None:
    assert Ctl(getAllProcessInfo=[]).run("status") == ("", 0)


def test_pid() -> None:
    infos = {"a": process("a"), "idle": process("idle", pid=0)}

    def info(name: str) -> dict[str, Any]:
        if name not in infos:
            raise Fault(Faults.BAD_NAME, "BAD_NAME")
        return infos[name]

    ctl = Ctl(getProcessInfo=info, getAllProcessInfo=list(infos.values()))
    assert ctl.run("pid") == ("77\n", 0)
    assert ctl.run("pid a") == ("5\n", 0)
    assert ctl.run("pid a idle") == ("5\n0\n", 7)
    assert ctl.run("pid nope a") == ("No such process nope\n5\n", 1)
    assert ctl.run("pid all") == ("5\n0\n", 0)


# -- configuration -------------------------------------------------------------------------


def test_reread_sorts_the_changes() -> None:
    changes = [[["new", "b"], ["c"], ["a"]]]
    text = "a: disappeared\nb: available\nc: changed\nnew: available\n"
    assert Ctl(reloadConfig=changes).run("reread") == (text, 0)
    nothing = Ctl(reloadConfig=[[[], [], []]])
    assert nothing.run("reread") == ("No config updates to processes\n", 0)


def test_update_removes_then_changes_then_adds() -> None:
    ctl = Ctl(
        reloadConfig=[[["new"], ["changed"], ["gone"]]],
        stopProcessGroup=results(80),
        removeProcessGroup=True,
        addProcessGroup=True,
    )
    assert ctl.run("update")[0].splitlines() == [
        "gone: stopped",
        "gone: removed process group",
        "changed: stopped",
        "changed: updated process group",
        "new: added process group",
    ]
    assert ctl.asked() == [
        ("reloadConfig",),
        ("stopProcessGroup", "gone"),
        ("removeProcessGroup", "gone"),
        ("stopProcessGroup", "changed"),
        ("removeProcessGroup", "changed"),
        ("addProcessGroup", "changed"),
        ("addProcessGroup", "new"),
    ]


def test_update_of_named_groups_skips_the_others() -> None:
    ctl = Ctl(
        reloadConfig=[[["new", "other"], ["changed"], []]],
        getAllProcessInfo=[process("changed"), process("same")],
        addProcessGroup=True,
    )
    text = "ERROR: no such group: nope\nnew: added process group\n"
    assert ctl.run("update new same nope") == (text, 1)


def test_update_does_not_remove_a_group_that_it_could_not_stop() -> None:
    ctl = Ctl(reloadConfig=[[[], ["c"], ["r"]]], stopProcessGroup=results(80, Faults.FAILED))
    assert ctl.run("update")[0] == (
        "r: stopped\nr: has problems; not removing\nc: stopped\nc: has problems; not removing\n"
    )


def test_update_waits_for_a_group_that_another_client_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`stopProcessGroup` skips STOPPING processes; "stopped" is printed when they have ended."""
    monkeypatch.setattr(update, "STOP_POLL_SECONDS", 0)
    still_running = [Fault(Faults.STILL_RUNNING, "STILL_RUNNING: c")] * 2

    def remove(_name: str) -> bool:
        if still_running:
            assert ctl.controller.stdout.getvalue() == ""
            raise still_running.pop()
        return True

    ctl = Ctl(
        reloadConfig=[[[], ["c"], []]],
        stopProcessGroup=[],
        removeProcessGroup=remove,
        addProcessGroup=True,
    )
    assert ctl.run("update") == ("c: stopped\nc: updated process group\n", 0)
    assert [name for name, *_ in ctl.asked()] == [
        "reloadConfig",
        *(["stopProcessGroup", "removeProcessGroup"] * 3),
        "addProcessGroup",
    ]


def test_update_continues_after_a_group_that_fails() -> None:
    """Another client may have removed a group, or added it."""

    def fail_for(name: str, code: int, result: Any) -> Callable[[str], Any]:
        def answer(asked: str) -> Any:
            if asked == name:
                raise Fault(code, f"{getFaultDescription(code)}: {name}")
            return result

        return answer

    ctl = Ctl(
        reloadConfig=[[["n1", "n2"], ["c1", "c2"], ["g1", "g2"]]],
        stopProcessGroup=fail_for("g1", Faults.BAD_NAME, []),
        removeProcessGroup=fail_for("c1", Faults.BAD_NAME, True),
        addProcessGroup=fail_for("n1", Faults.ALREADY_ADDED, True),
    )
    lines = (
        "g1: ERROR (BAD_NAME: g1)\n"
        "g2: stopped\ng2: removed process group\n"
        "c1: ERROR (BAD_NAME: c1)\n"
        "c2: stopped\nc2: updated process group\n"
        "n1: ERROR (ALREADY_ADDED: n1)\n"
        "n2: added process group\n"
    )
    assert ctl.run("update") == (lines, 1)


@pytest.mark.parametrize("line", ["reread", "update"])
def test_a_broken_file_is_one_line(line: str) -> None:
    ctl = Ctl(reloadConfig=Fault(Faults.CANT_REREAD, "CANT_REREAD: what is wrong"))
    assert ctl.run(line) == ("ERROR: CANT_REREAD: what is wrong\n", 1)


def test_reload_with_a_broken_file() -> None:
    ctl = Ctl(restart=Fault(Faults.CANT_REREAD, "CANT_REREAD: what is wrong"))
    assert ctl.run("reload") == ("ERROR: CANT_REREAD: what is wrong\n", 1)


@pytest.mark.parametrize(
    ("line", "code", "text", "status"),
    [
        ("add x", 6, "ERROR: shutting down", 1),
        ("add x", 90, "ERROR: process group already active", 0),
        ("add x", 10, "ERROR: no such process/group: x", 1),
        ("remove x", 91, "ERROR: process/group still running: x", 1),
        ("remove x", 10, "ERROR: no such process/group: x", 1),
        ("reread", 6, "ERROR: supervisor shutting down", 1),
        ("avail", 6, "ERROR: supervisor shutting down", 1),
        ("update", 6, "ERROR: already shutting down", 1),
        ("reload", 6, "ERROR: already shutting down", 1),
        ("shutdown", 6, "ERROR: already shutting down", 0),
        ("tail x", 10, "x: ERROR (no such process name)", 1),
        ("tail x", 20, "x: ERROR (no log file)", 1),
        ("tail x", 30, "x: ERROR (unknown error reading log)", 1),
        ("maintail", 20, "supervisord: ERROR (no log file)", 1),
        ("maintail", 30, "supervisord: ERROR (unknown error reading log)", 1),
        ("fg x", 10, "ERROR: bad process name supplied", 1),
        ("fg x", 6, "ERROR: <Fault 6: 'NAME: detail'>", 0),
    ],
)
def test_faults(line: str, code: int, text: str, status: int) -> None:
    names = (
        "addProcessGroup removeProcessGroup reloadConfig getAllConfigInfo restart shutdown "
        "readProcessStdoutLog readLog getProcessInfo"
    )
    ctl = Ctl(**dict.fromkeys(names.split(), Fault(code, "NAME: detail")))
    assert ctl.run(line) == (f"{text}\n", status)


def test_the_reason_why_a_log_cannot_be_read() -> None:
    """4.3 sends no reason: its text is in the table above."""
    fault = Fault(Faults.FAILED, "FAILED: cannot read /x: it is a fifo")
    ctl = Ctl(readProcessStdoutLog=fault, readLog=fault)
    assert ctl.run("tail x") == ("x: ERROR (cannot read /x: it is a fifo)\n", 1)
    assert ctl.run("maintail") == ("supervisord: ERROR (cannot read /x: it is a fifo)\n", 1)


def test_avail() -> None:
    info = {"inuse": True, "autostart": False, "group_prio": 1, "process_prio": 2}
    infos = [{**info, "name": name, "group": "g"} for name in ("g", LONG)]
    infos[1] |= {"inuse": False, "autostart": True}
    assert Ctl(getAllConfigInfo=infos).run("avail")[0] == (
        "g                                in use    manual    1:2\n"
        f"g:{LONG} avail     auto      1:2\n"
    )


# -- logs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("tail x", ("readProcessStdoutLog", "x", -1600, 0)),
        ("tail x stderr", ("readProcessStderrLog", "x", -1600, 0)),
        ("tail -5 x stdout", ("readProcessStdoutLog", "x", -5, 0)),
        ("tail -0 x", ("readProcessStdoutLog", "x", 0, 0)),
        ("maintail", ("readLog", -1600, 0)),
        ("maintail -7", ("readLog", -7, 0)),
    ],
)
def test_the_end_of_a_log_is_requested_in_bytes(line: str, call: tuple[object, ...]) -> None:
    ctl = Ctl(
        readProcessStdoutLog=lambda *_: "text",
        readProcessStderrLog=lambda *_: "text",
        readLog=lambda *_: "text",
    )
    assert ctl.run(line) == ("text\n", 0)
    assert ctl.asked() == [call]
