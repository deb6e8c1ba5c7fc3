"""A file with options that Supervisor 4 does not have: it ignores them, and runs the programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from supervisor.config.model import ProcessConfig, Settings
from supervisor.config.option import options_of
from tests.support.children import child
from tests.support.comparison import Pair, call

if TYPE_CHECKING:
    from tests.support.daemon import Daemon

SETTINGS = {
    "statefile": "%(here)s/state",
    "leftovers": "kill",
    "runtimedir": "%(here)s",
    "childlog_format": "timestamp",
    "logfile_format": "json",
    "subreaper": "true",
    "exit_when_all_exited": "true",
    "exit_code_from": "x",
    "shutdown_timeout": "20s",
}

LIMITS = {
    "killmode": "process",
    "rlimit_as": "unlimited:",
    "rlimit_core": "0",
    "rlimit_cpu": "1000:",
    "rlimit_data": "unlimited:",
    "rlimit_fsize": "unlimited:",
    "rlimit_memlock": "64KB:",
    "rlimit_msgqueue": "0:",
    "rlimit_nice": "0:",
    "rlimit_nofile": "256:",
    "rlimit_nproc": "1000:",
    "rlimit_rss": "1GB:",
    "rlimit_rtprio": "0:",
    "rlimit_rttime": "1000:",
    "rlimit_sigpending": "100:",
    "rlimit_stack": "8MB:",
    "nice": "5",
    "ioprio": "best-effort:5",
    "oom_score_adj": "500",
    "cpu_affinity": "0",
    "pdeathsig": "KILL",
    "group": str(os.getgid()),
    "supplementary_groups": "auto",
}

OPTIONS = {
    "clean_environment": "true",
    "pass_environment": "PATH, PYTHON*",
    "login_environment": "true",
    "envfiles": "-%(here)s/missing.env",
    "secretfiles": "WORD:/dev/null",
    "restartpause": "500ms",
    "restartfactor": "2",
    "maxbackoff": "1m",
    "restartjitter": "0.5",
    "restartreset": "2h",
    "startlimit_burst": "3",
    "startlimit_interval": "30s",
    "depends_on": "other, -listed",
    "depends_on_completed": "",
    "depends_on_exited": "",
    "dependency_timeout": "1d",
    "on_dependency_failure": "restart",
    "notify": "all",
    "notification_fd": "READY_FD",
    "ready_log_line": "^READY",
    "readiness_check_script": "true",
    "readiness_check_initial_delay": "0.1",
    "readiness_check_period": "100ms",
    "readiness_check_timeout": "5s",
    "readiness_check_success_threshold": "2",
    "ready_timeout": "30",
    **LIMITS,
    "liveness_check_script": "true",
    "liveness_check_initial_delay": "0",
    "liveness_check_period": "100ms",
    "liveness_check_timeout": "5s",
    "liveness_check_success_threshold": "2",
    "liveness_check_failure_threshold": "5",
    "liveness_check_failure_action": "stop",
    "watchdog": "0",
    "max_memory_restart": "10GB",
    "memory_check_period": "1s",
    "max_runtime": "1d",
    "max_runtime_jitter": "1h",
    "pre_start_hook": "/bin/echo %(process_num)d",
    "post_start_hook": "/bin/true",
    "pre_stop_hook": "-/bin/false",
    "stopcommand": "/bin/kill -TERM $MAINPID",
    "post_stop_hook": "/bin/true",
    "hook_timeout": "5s",
    "essential": "failure",
    "exit_codes_ok": "130, 143",
    "stdout_logfile_format": "%(asctime)s %(process_name)s %(message)s",
    "stderr_logfile_format": "json",
    "syslog_tag": "x-%(process_num)d",
    "syslog_facility": "local0",
    "syslog_stdout_priority": "notice",
    "syslog_stderr_priority": "err",
    "stdout_tee": "%(here)s/copy, syslog",
    "stderr_tee": "stdout",
    "stdout_tee_format": "raw",
    "stderr_tee_format": "<%(message)s>",
    **{
        f"{stream}_logfile_{name}": value
        for stream in ("stdout", "stderr")
        for name, value in {
            "mode": "0640",
            "owner": "root",
            "rotate": "daily",
            "compress": "gzip",
            "maxage": "30",
        }.items()
    },
}
"""A value for each; options that exclude one another are in different programs."""

EXCLUSIVE = ("notify", "notification_fd")

PLAIN = f"command={child('sleeper')}\nstartsecs=0\nautorestart=true\n"

CONFIG = "".join(
    [
        *(f"{name}={value}\n" for name, value in SETTINGS.items()),
        f"[program:other]\n{PLAIN}[program:listed]\n{PLAIN}[program:x]\n{PLAIN}",
        *(f"{name}={value}\n" for name, value in OPTIONS.items() if name not in EXCLUSIVE),
        *(
            f"[program:{each}]\nautostart=false\n{PLAIN}{each}={OPTIONS[each]}\n"
            for each in EXCLUSIVE
        ),
    ]
)

SETTLED = {"x": "RUNNING", "other": "RUNNING", "listed": "RUNNING"}


def test_each_new_option_is_in_the_file() -> None:
    """A new row that is not part of the sample needs a value here."""
    rows = (*options_of(ProcessConfig), *options_of(Settings))
    assert {row.name for row in rows if not row.in_sample} - set(SETTINGS) == set(OPTIONS)


def config_info(daemon: Daemon) -> Any:
    """Return `getAllConfigInfo` without the field that is a declared difference."""
    infos: Any = call(daemon, "supervisor.getAllConfigInfo")
    return [{key: each[key] for key in each if key != "autorestart"} for each in infos]


def states(daemon: Daemon) -> Any:
    """Return the state of each process."""
    infos: Any = call(daemon, "supervisor.getAllProcessInfo")
    return {each["name"]: each["statename"] for each in infos}


def test_programs_and_their_configuration_are_the_same(pair: Pair) -> None:
    pair.same(config_info)
    pair.same(lambda daemon: call(daemon, "supervisor.reloadConfig"))
    pair.same(lambda daemon: daemon.ctl("avail").stdout)
    pair.same(states)
