"""Options of starts, restarts, dependencies and readiness: mistakes, and options without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import located, read, refusal

OTHERS = """
[program:db]
command=/bin/cat
process_name=db_%(process_num)d
numprocs=2
[program:app]
command=/bin/cat
[group:g]
programs=app
[eventlistener:listener]
command=/bin/cat
events=TICK_5
"""


def program(lines: str) -> str:
    """Return a configuration with a program `x`, and with others."""
    return f"[program:x]\ncommand=/bin/cat\n{lines}\n{OTHERS}"


BAD_TIME = "not a time in seconds, such as 0.5, 500ms, 30s or 5m: "
NO_INTEGER = "invalid literal for int() with base 10: "
NO_FD = "neither the number of an fd nor the name of a variable: "
NO_REGEX = "not a regular expression: "
ONE_KIND = "are two kinds of readiness, use one"

TIMES = [
    *["restartpause", "maxbackoff", "restartreset", "startlimit_interval", "dependency_timeout"],
    *["ready_timeout", "readiness_check_initial_delay", "readiness_check_period"],
    "readiness_check_timeout",
]

MISTAKES = {
    **{f"{option}={value}": f"{BAD_TIME}{value!r}" for option in TIMES for value in ["", "-1"]},
    **{
        f"restartpause={value}": f"{BAD_TIME}{value!r}"
        for value in ["abc", "1e5", "5 weeks", "inf", "nan", "1_0", "٣", "1h30m", "unlimited"]
    },
    "restartpause=99999999999d": "time out of range: '99999999999d'",
    "readiness_check_timeout=0s": "time out of range: '0s' (more than 0)",
    "restartfactor=x": "not a number: 'x'",
    "restartfactor=": "not a number: ''",
    "restartfactor=0.5": "'0.5' is out of range (at least 1)",
    "restartfactor=nan": "'nan' is out of range (at least 1)",
    "restartfactor=inf": "'inf' is out of range (at least 1)",
    "restartjitter=1.5": "'1.5' is out of range (0 to 1)",
    "restartjitter=-0.1": "'-0.1' is out of range (0 to 1)",
    "restartjitter=nan": "'nan' is out of range (0 to 1)",
    "startlimit_burst=x": "not a whole number: 'x'",
    "startlimit_burst=1.5": "not a whole number: '1.5'",
    "startlimit_burst=-1": "'-1' is out of range (at least 0)",
    "readiness_check_success_threshold=0": "'0' is out of range (at least 1)",
    "readiness_check_success_threshold=": "not a whole number: ''",
    "startretries=unlimitd": f"{NO_INTEGER}'unlimitd'",
    "stopwaitsecs=infinity": f"{NO_INTEGER}'infinity'",
    "on_dependency_failure=halt": "'halt' is not one of ignore, stop, restart",
    "on_dependency_failure=": "'' is not one of ignore, stop, restart",
    "notify=maybe": "not a valid boolean value: 'maybe'",
    "notify=": "not a valid boolean value: ''",
    "notification_fd=2": "'2' is out of range (3 to 255)",
    "notification_fd=256": "'256' is out of range (3 to 255)",
    **{f"notification_fd={value}": f"{NO_FD}{value!r}" for value in ["", "-1", "A=B", "a b", "é"]},
    "ready_log_line=": "the regular expression is empty, every line would match",
    "ready_log_line=(": f"{NO_REGEX}'(': missing ), unterminated subpattern at position 0",
    "ready_log_line=*": f"{NO_REGEX}'*': nothing to repeat at position 0",
    "readiness_check_script=": "command is empty",
    "readiness_check_script='a": "can't parse command \"'a\": No closing quotation",
    "readiness_check_script=ftp://a": (
        "unknown scheme 'ftp' in 'ftp://a' (known: http, https, tcp, unix)"
    ),
    "readiness_check_script=http://": "no host in 'http://'",
    "readiness_check_script=http://a:99999": "bad port '99999' in 'http://a:99999'",
    "readiness_check_script=tcp://a": "no port in 'tcp://a'",
    "readiness_check_script=unix://a": (
        "the path of the socket is not absolute in 'unix://a' (unix:///PATH)"
    ),
    "notify=true\nnotification_fd=3": f"notify and notification_fd {ONE_KIND}",
    "notify=true\nready_log_line=a": f"notify and ready_log_line {ONE_KIND}",
    "notification_fd=3\nready_log_line=a": f"notification_fd and ready_log_line {ONE_KIND}",
    "depends_on=nosuch": "unknown program 'nosuch'",
    "depends_on=-nosuch": "unknown program 'nosuch'",
    "depends_on=app, nosuch:*": "unknown program 'nosuch:*'",
    "depends_on=g:nosuch": "unknown program 'g:nosuch'",
    "depends_on=db:db_2": "unknown program 'db:db_2'",
    "depends_on=*": "unknown program '*'",
    "depends_on=app db": "'app db' is not a program, group:* or group:process",
    "depends_on=app:": "'app:' is not a program, group:* or group:process",
    "depends_on=:*": "':*' is not a program, group:* or group:process",
    "depends_on=app,-": "no name behind '-' in 'app,-'",
    "depends_on=app,-app": "'app' is named twice",
    "depends_on=x": "dependency cycle: x -> x",
    "depends_on=-x:*": "dependency cycle: x -> x",
    "depends_on_completed=nosuch": "unknown program 'nosuch'",
    "depends_on_exited=x:x": "dependency cycle: x -> x",
    "depends_on=listener": "'listener' is an event listener, no program may need it",
    "depends_on_exited=listener:*": "'listener:*' is an event listener, no program may need it",
}  # fmt: skip
"""Lines of a program, and the message about the last one."""


@pytest.mark.parametrize("lines", MISTAKES)
def test_a_mistake_is_located(tmp_path: Path, lines: str) -> None:
    option = lines.rpartition("\n")[2].partition("=")[0]
    assert refusal(tmp_path, program(lines)) == located(MISTAKES[lines], "program:x", option)


CYCLES = {
    "of two": ({"a": "b", "b": "a"}, "", "a -> b -> a"),
    "of three": ({"a": "b", "b": "c", "c": "a"}, "", "a -> b -> c -> a"),
    "reached from outside": ({"a": "b", "b": "c", "c": "-b"}, "", "b -> c -> b"),
    "through a group": ({"a": "g:*", "b": "a"}, "b", "b -> a -> b"),
    "through a member": ({"a": "g:b", "b": "a"}, "b", "b -> a -> b"),
    "within a group": ({"a": "g:*", "b": ""}, "a,b", "a -> a"),
}


@pytest.mark.parametrize("name", CYCLES)
def test_a_cycle_is_found(tmp_path: Path, name: str) -> None:
    needs, members, cycle = CYCLES[name]
    text = "".join(
        f"[program:{each}]\ncommand=/bin/cat\ndepends_on={needed}\n"
        for each, needed in needs.items()
    )
    if members:
        text += f"[group:g]\nprograms={members}\n"
    section = f"program:{cycle.partition(' ')[0]}"
    assert refusal(tmp_path, text) == located(f"dependency cycle: {cycle}", section, "depends_on")


def test_kinds_of_dependencies_make_one_cycle(tmp_path: Path) -> None:
    text = "[program:a]\ncommand=a\ndepends_on_exited=b\n"
    text += "[program:b]\ncommand=b\ndepends_on_completed=a\n"
    message = located("dependency cycle: a -> b -> a", "program:a", "depends_on_exited")
    assert refusal(tmp_path, text) == message


def test_a_diamond_is_no_cycle(tmp_path: Path) -> None:
    needs = {"a": "b,c", "b": "d", "c": "d", "d": ""}
    text = "".join(
        f"[program:{each}]\ncommand=/bin/cat\ndepends_on={needed}\n"
        for each, needed in needs.items()
    )
    assert len(read(tmp_path, text).groups) == 4


# -- without effect ------------------------------------------------------------------------------

ALONE = "the program depends on no other"
NO_HARD_ONE = "depends_on names no program without '-'"
NO_READINESS = "the program declares no readiness"
NO_SCRIPT = "there is no readiness_check_script"
NO_PAUSE = "there is no restartpause"

WITHOUT_EFFECT = {
    "dependency_timeout=5": ALONE,
    "depends_on=app\ndependency_timeout=5": None,
    "depends_on_exited=app\ndependency_timeout=5": None,
    "on_dependency_failure=ignore": None,
    "on_dependency_failure=stop": NO_HARD_ONE,
    "depends_on_completed=app\non_dependency_failure=stop": NO_HARD_ONE,
    "depends_on=-app\non_dependency_failure=restart": NO_HARD_ONE,
    "depends_on=-app,db\non_dependency_failure=restart": None,
    "ready_timeout=5": NO_READINESS,
    "notify=false\nready_timeout=5": NO_READINESS,
    "notify=all\nready_timeout=5": None,
    "readiness_check_script=true\nready_timeout=5": None,
    "readiness_check_initial_delay=5": NO_SCRIPT,
    "readiness_check_period=5": NO_SCRIPT,
    "readiness_check_timeout=50": NO_SCRIPT,
    "notify=true\nreadiness_check_success_threshold=5": NO_SCRIPT,
    "readiness_check_script=true\nreadiness_check_success_threshold=5": None,
    "startlimit_interval=5": "there is no startlimit_burst",
    "startlimit_burst=5\nstartlimit_interval=5": None,
    "restartfactor=2": NO_PAUSE,
    "restartjitter=1": NO_PAUSE,
    "restartreset=5": NO_PAUSE,
    "maxbackoff=5": None,
    "restartpause=1\nrestartfactor=2\nrestartjitter=1\nrestartreset=5": None,
}


@pytest.mark.parametrize("lines", WITHOUT_EFFECT)
def test_an_option_without_effect_is_a_warning(tmp_path: Path, lines: str) -> None:
    reason, option = WITHOUT_EFFECT[lines], lines.rpartition("\n")[2].partition("=")[0]
    where = f"in section 'program:x' (file: '{tmp_path}/c.conf')"
    expected = [] if reason is None else [f"option {option!r} {where} has no effect: {reason}"]
    assert [line for line in read(tmp_path, program(lines)).warnings if "x" in line] == expected


def test_a_program_with_many_processes_is_warned_about_once(tmp_path: Path) -> None:
    lines = "ready_timeout=5\nnumprocs=3\nprocess_name=%(process_num)d"
    assert len(read(tmp_path, program(lines)).warnings) == 1


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ("readiness_check_initial_delay=5", "5"),
        ("readiness_check_period=2\nreadiness_check_success_threshold=4", "6"),
        ("readiness_check_initial_delay=4.5", None),
        ("readiness_check_initial_delay=5\nnotify=true", None),  # EXTEND_TIMEOUT_USEC
    ],
)
def test_a_check_that_cannot_succeed_in_time_is_a_warning(
    tmp_path: Path, lines: str, seconds: str | None
) -> None:
    text = program(f"readiness_check_script=true\nready_timeout=5\n{lines}")
    expected = (
        "ready_timeout=5 in section 'program:x' is too short: the readiness check cannot succeed"
        f" within {seconds} seconds"
    )
    assert list(read(tmp_path, text).warnings) == ([] if seconds is None else [expected])
