"""Limits of programs in the configuration."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from supervisor.common.limit_values import Rlimit
from supervisor.config.changes import changed_options
from supervisor.config.limits import NO_LIMITS, LimitsConfig
from supervisor.config.process_config import ProcessConfig
from supervisor.engine import limits, posix
from tests.support.configs import located, read, refusal
from tests.support.strangers import needs_root
from tests.support.tables import assert_none

PROGRAM = "[program:x]\ncommand=/bin/cat\n"


def configured(directory: Path, options: str) -> list[ProcessConfig]:
    """Return the processes of a program with some options."""
    return read(directory, f"{PROGRAM}{options}\n").groups[0].process_configs


def mistake(directory: Path, options: str) -> str:
    """Return the error about a program with some options."""
    return refusal(directory, f"{PROGRAM}{options}\n")


ALL = """rlimit_nofile=1024:4096
RLIMIT_AS=2GB
rlimit_core=unlimited
nice=5
ioprio=idle
oom_score_adj=-500
cpu_affinity=0-1
pdeathsig=KILL
group=0
supplementary_groups=1,2
"""


def test_a_program_with_limits(tmp_path: Path) -> None:
    (config,) = configured(tmp_path, ALL)
    assert config.limits == LimitsConfig(
        rlimit_nofile=Rlimit(1024, 4096),
        rlimit_as=Rlimit(2 * 1024**3, 2 * 1024**3),
        rlimit_core=Rlimit(-1, -1),
        nice=5,
        ioprio=3 << 13,
        oom_score_adj=-500,
        cpu_affinity=(0, 1),
        pdeathsig=9,
        gid=0,
        supplementary_groups=(1, 2),
    )
    assert config.limits.groups_only == LimitsConfig(gid=0, supplementary_groups=(1, 2))


def test_programs_without_limits_share_one_record(tmp_path: Path) -> None:
    configs = configured(tmp_path, "numprocs=2\nprocess_name=%(process_num)d")
    assert {id(config.limits) for config in configs} == {id(ProcessConfig("a", "b").limits)}
    assert configs[0].limits == NO_LIMITS


def test_each_process_may_have_its_own_cpu(tmp_path: Path) -> None:
    options = "numprocs=2\nprocess_name=%(process_num)d\ncpu_affinity=%(process_num)d\nnice=1"
    found = [(each.cpu_affinity, each.nice) for each in configured(tmp_path, options)]  # type: ignore[attr-defined]
    assert found == [((0,), 1), ((1,), 1)]


def test_changes_by_name(tmp_path: Path) -> None:
    (before,) = configured(tmp_path, "nice=1\ngroup=0")
    (after,) = configured(tmp_path, "nice=2\ngroup=1\nrlimit_nofile=5")
    assert before != after
    assert changed_options(before, after) == ["rlimit_nofile", "nice", "group"]


def test_mistakes_are_one_line_at_load(tmp_path: Path) -> None:
    cases = {
        "rlimit_nofile=9:8": "the soft limit is above the hard limit in '9:8'",
        "rlimit_nofile=1KB": "not a whole number: '1KB'",
        "rlimit_as=much": "not a size, such as 512MB or 2GB: 'much'",
        "nice=20": "'20' is out of range (-20 to 19)",
        "cpu_affinity=": "not a whole number: ''",
        "oom_score_adj=1001": "'1001' is out of range (-1000 to 1000)",
        "pdeathsig=STOMP": "value 'STOMP' is not a valid signal name",
        "group=no-such": "Invalid group name no-such",
        "supplementary_groups=no-such": "Invalid group name no-such",
    }
    assert_none(
        f"{options!r}: {found!r}"
        for options, message in cases.items()
        if (found := mistake(tmp_path, options))
        != located(message, "program:x", options.partition("=")[0])
    )


def test_each_limit_of_the_system_has_an_option() -> None:
    of_system = {name for name in dir(resource) if name.startswith("RLIMIT_")}
    assert of_system - {"RLIMIT_OFILE"} == {  # the old name of NOFILE
        name.upper() for name in vars(NO_LIMITS) if name.startswith("rlimit_")
    }


def test_a_system_without_a_call_is_a_mistake_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(resource, "RLIMIT_RTTIME")
    monkeypatch.delattr(os, "sched_setaffinity")
    monkeypatch.setattr(limits, "OOM_SCORE_ADJ", str(tmp_path / "none"))
    monkeypatch.setattr(limits.sys, "platform", "darwin")
    cases = {
        "rlimit_rttime=5": "RLIMIT_RTTIME",
        "cpu_affinity=0": "cpu_affinity",
        "oom_score_adj=5": "oom_score_adj",
        "ioprio=idle": "ioprio",
        "pdeathsig=TERM": "pdeathsig",
    }
    assert_none(
        f"{options}: {found}"
        for options, name in cases.items()
        if not (found := mistake(tmp_path, options)).startswith(f"this system has no {name} in ")
    )


@pytest.mark.parametrize("reason", ["machine", "ctypes"])
def test_an_io_priority_needs_the_number_of_its_call_and_ctypes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "machine":
        monkeypatch.setattr(limits, "IOPRIO_SET", {64: {}, 32: {}})
    else:
        monkeypatch.setitem(limits.sys.modules, "ctypes", None)
    assert mistake(tmp_path, "ioprio=idle").startswith("this system has no ioprio in ")


@needs_root
def test_groups_of_a_user_are_looked_up_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posix, "_identities", {})
    configured(tmp_path, "user=nobody\ngroup=12345")
    monkeypatch.setattr(posix, "look_up_identity", pytest.fail)
    identity = posix.identity_of(65534, 12345)
    assert (identity.gid, identity.groups) == (12345, (12345,))
    assert posix.identity_of(65534).gid != 12345


def test_killmode_decides_whom_a_stop_signals(tmp_path: Path) -> None:
    """`killasgroup` is what `getAllConfigInfo` shows."""
    cases = [
        ("", (False, False)),
        ("stopasgroup=true", (True, True)),
        ("killasgroup=true", (False, True)),
        ("killmode=process", (False, False)),
        ("killmode=Group", (True, True)),
        ("killmode=tree", (True, True)),
        ("killmode=tree\nstopasgroup=true", (True, True)),
        ("killmode=process\nkillasgroup=false", (False, False)),
    ]
    for options, expected in cases:
        (config,) = configured(tmp_path, options)
        assert (config.stopasgroup, config.killasgroup) == expected, options


def test_killmode_and_the_options_of_supervisor_4_must_agree(tmp_path: Path) -> None:
    cases = {
        "killmode=tree\nstopasgroup=false": "stopasgroup",
        "killmode=group\nkillasgroup=no": "killasgroup",
        "killmode=process\nstopasgroup=true": "stopasgroup",
    }
    for options, option in cases.items():
        mode, other = options.split("\n")
        message = f"{mode} and {other} contradict each other"
        assert mistake(tmp_path, options) == located(message, "program:x", option)
    assert mistake(tmp_path, "killmode=all").startswith("'all' is not one of process, group, tree")


def test_a_tree_needs_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = os.path.exists
    monkeypatch.setattr(
        os.path, "exists", lambda path: exists(path) and not path.startswith("/proc/")
    )
    message = "killmode=tree needs /proc, which this system does not have"
    assert mistake(tmp_path, "killmode=tree") == located(message, "program:x", "killmode")
