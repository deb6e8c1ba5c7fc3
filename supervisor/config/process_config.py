"""The config of a process, and the rows of a program's options."""

from __future__ import annotations

from supervisor.common.dependency_graph import Requirement, parse_requirements
from supervisor.common.ready_line import compile_ready_line
from supervisor.common.records import assign_fields
from supervisor.config.conversions import (
    count,
    envfiles,
    essential_mode,
    fd_or_variable,
    kill_mode,
    limit,
    notify_mode,
    number,
    one_of,
    passed_names,
    positive_seconds,
    probe,
    seconds,
    secretfiles,
    server_url,
)
from supervisor.config.health import HealthConfig
from supervisor.config.hooks import HooksConfig
from supervisor.config.limits import LimitsConfig
from supervisor.config.option import (
    Option,
    nest_groups,
    option,
    option_group,
    option_record,
)
from supervisor.config.state import autostart
from supervisor.config.stream_config import StreamConfig
from supervisor.config.targets import syslog_facility, syslog_priority, syslog_tag
from supervisor.datatypes import (
    AutoRestart,
    auto_restart,
    boolean,
    dict_of_key_value_pairs,
    integer,
    list_of_exitcodes,
    name_to_uid,
    octal_type,
    signal_number,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from typing import Any

    from supervisor.common.env_files import EnvFile, SecretFile
    from supervisor.common.probes import Probe

NO_VARIABLES: Mapping[str, str] = {}


@option_record()
class ProcessConfig:
    """One process: a `[program:x]` section after `numprocs` has been expanded.

    The rows are in the order in which they are read: if several options are invalid, the first
    one is reported, as in Supervisor 4.  Rows without an annotation define the number of
    processes; configs do not hold them.  `section` is the name of the section, `process_num` the
    number of the process in it, and `command_hint` is appended to errors about the command; see
    `config.comments`.
    """

    name: str = option(
        str,
        "name of a process; needs %(process_num)d if numprocs > 1",
        name="process_name",
        section_default="%(program_name)s",
        per_process=True,
        info=1,
    )
    command: str = option(
        str, "what to run, with its arguments; no shell (required)", per_process=True, info=2
    )
    directory: str | None = option(
        str,
        "working directory (default: that of supervisord)",
        default=None,
        per_process=True,
        info=3,
    )
    priority: int = option(
        integer, "lower numbers start first and stop last", default="999", live=True, info=26
    )
    autostart: bool | str = option(
        autostart,
        "start it with supervisord: true, false, or remember (not after a stop)",
        default="true",
        info=5,
    )
    autorestart: AutoRestart = option(
        auto_restart,
        "true, false, or unexpected (exit code not in exitcodes)",
        default="unexpected",
        live=True,
        info=0,
    )
    startsecs: int = option(
        integer,
        "seconds it must stay up to count as running",
        default="1",
        live=True,
        info=6,
    )
    startretries: int = option(
        limit, "consecutive failed starts before giving up", default="3", live=True, info=7
    )
    stopsignal: int = option(
        signal_number, "signal that requests it to stop", default="TERM", live=True, info=20
    )
    stopwaitsecs: int = option(
        limit, "seconds to wait for its exit before SIGKILL", default="10", live=True, info=21
    )
    stopasgroup: bool = option(
        boolean, "send the stop signal to its whole process group", default="false", live=True
    )
    killasgroup: bool = option(  # default: the value of `stopasgroup`
        boolean,
        "kill its whole process group (default: as stopasgroup)",
        default=None,
        value=False,
        live=True,
        info=22,
    )
    exitcodes: list[int] = option(
        list_of_exitcodes, "exit codes that are expected: 0,2", default="0", live=True, info=23
    )
    redirect_stderr: bool = option(
        boolean, "true redirects its stderr to its stdout", default="false", info=24
    )
    numprocs = Option(integer, "number of processes", default="1")
    numprocs_start = Option(integer, "first value of %(process_num)d", default="0")
    stdout: StreamConfig = option_group(default_factory=StreamConfig, info=8)
    stderr: StreamConfig = option_group(default_factory=StreamConfig, info=14)
    serverurl: str | None = option(
        server_url, "its SUPERVISOR_SERVER_URL; AUTO: a server above", default="AUTO", info=25
    )
    uid: int | None = option(
        name_to_uid,
        "run it as this user; requires root (default: as supervisord)",
        name="user",
        default=None,
        info=4,
    )
    umask: int | None = option(octal_type, "its umask (default: supervisord's)", default=None)
    environment: dict[str, str] = option(
        dict_of_key_value_pairs,
        "its own variables, in addition to supervisord's",
        default="",
        shielded=True,
        per_process=True,
    )
    clean_environment: bool = option(
        boolean,
        "inherit no variable of supervisord but those of pass_environment",
        default="false",
        in_sample=False,
    )
    pass_environment: tuple[str, ...] = option(
        passed_names,
        "variables that clean_environment keeps: PATH, LANG, LC_*",
        default="",
        in_sample=False,
    )
    login_environment: bool = option(
        boolean,
        "set HOME, USER, LOGNAME and SHELL as for a login of its user",
        default="false",
        in_sample=False,
    )
    envfiles: tuple[EnvFile, ...] = option(
        envfiles,
        "files of KEY=VALUE lines, read by supervisord's user at each start: a.env, -may-lack.env",
        default="",
        per_process=True,
        in_sample=False,
    )
    secretfiles: tuple[SecretFile, ...] = option(
        secretfiles,
        "variables whose values are the contents of files: PASSWORD:/run/secrets/x, KEY:/path",
        default="",
        per_process=True,
        in_sample=False,
    )
    syslog_facility: str = option(
        syslog_facility,
        "facility of its messages in syslog: user, daemon, local0 and others",
        default="user",
        live=True,
        in_sample=False,
    )
    syslog_tag: str | None = option(
        syslog_tag,
        "tag of its messages in syslog (default: supervisord, with its name before each line)",
        default=None,
        per_process=True,
        live=True,
        in_sample=False,
    )
    syslog_stdout_priority: str = option(
        syslog_priority,
        "priority of its stdout in syslog: err, warning, notice, info and others",
        default="info",
        live=True,
        in_sample=False,
    )
    syslog_stderr_priority: str = option(
        syslog_priority,
        "priority of its stderr in syslog",
        default="info",
        live=True,
        in_sample=False,
    )
    restartpause: float = option(
        seconds,
        "seconds from a death to the next automatic start, at least",
        default="0",
        live=True,
        in_sample=False,
    )
    restartfactor: float = option(
        number(least=1),
        "factor of the pause for each automatic restart in a row",
        default="1",
        live=True,
        in_sample=False,
    )
    maxbackoff: float | None = option(
        seconds,
        "upper bound of the pause and of the delay after failed starts (default: none)",
        default=None,
        live=True,
        in_sample=False,
    )
    restartjitter: float = option(
        number(least=0, most=1),
        "random share that is added to the pause",
        default="0",
        live=True,
        in_sample=False,
    )
    restartreset: float | None = option(
        seconds,
        "seconds of RUNNING after which restartfactor starts over (default: maxbackoff, or 60)",
        default=None,
        live=True,
        in_sample=False,
    )
    startlimit_burst: int = option(
        count(),
        "automatic restarts within startlimit_interval before giving up; 0: no limit",
        default="0",
        live=True,
        in_sample=False,
    )
    startlimit_interval: float = option(
        seconds,
        "seconds in which restarts are counted",
        default="10",
        live=True,
        in_sample=False,
    )
    depends_on: tuple[Requirement, ...] = option(
        parse_requirements,
        "programs that must be RUNNING first: db, group:*, -optional",
        default="",
        live=True,
        in_sample=False,
    )
    depends_on_completed: tuple[Requirement, ...] = option(
        parse_requirements,
        "programs that must have exited with an expected code first",
        default="",
        live=True,
        in_sample=False,
    )
    depends_on_exited: tuple[Requirement, ...] = option(
        parse_requirements,
        "programs that must have exited first, with any code",
        default="",
        live=True,
        in_sample=False,
    )
    dependency_timeout: float = option(
        seconds,
        "seconds to wait for dependencies before giving up; 0: no limit",
        default="0",
        live=True,
        in_sample=False,
    )
    on_dependency_failure: str = option(
        one_of("ignore", "stop", "restart"),
        "when a dependency is down for good: ignore it, stop, or also restart with it",
        default="ignore",
        live=True,
        in_sample=False,
    )
    notify: str = option(
        notify_mode,
        "readiness by sd_notify: true, or all to accept each of its processes",
        default="false",
        in_sample=False,
    )
    notification_fd: int | str | None = option(
        fd_or_variable,
        "readiness by a newline on this fd, or on the fd in this variable",
        default=None,
        in_sample=False,
    )
    ready_log_line: re.Pattern[str] | None = option(
        compile_ready_line,
        "readiness by a line of output that matches this regular expression",
        default=None,
        in_sample=False,
    )
    readiness_check_script: Probe | None = option(
        probe,
        "readiness by a check: http://…, https://…, tcp://host:port, unix:///path, or a command",
        default=None,
        per_process=True,
        live=True,
        in_sample=False,
    )
    readiness_check_initial_delay: float = option(
        seconds,
        "seconds from the start to the first check",
        default="0",
        live=True,
        in_sample=False,
    )
    readiness_check_period: float = option(
        seconds, "seconds between the starts of two checks", default="1", live=True, in_sample=False
    )
    readiness_check_timeout: float = option(
        positive_seconds,
        "seconds after which a check has failed",
        default="5",
        live=True,
        in_sample=False,
    )
    readiness_check_success_threshold: int = option(
        count(least=1),
        "successes in a row that are needed",
        default="1",
        live=True,
        in_sample=False,
    )
    ready_timeout: float = option(
        seconds,
        "seconds after which a start without readiness has failed; 0: no limit",
        default="0",
        live=True,
        in_sample=False,
    )
    essential: str = option(
        essential_mode,
        "true, or failure: the daemon exits when the program is down for good, or has failed",
        default="false",
        live=True,
        in_sample=False,
    )
    exit_codes_ok: list[int] = option(
        list_of_exitcodes,
        "statuses that count as 0 for the exit status of the daemon: 130,143",
        default="",
        live=True,
        in_sample=False,
    )
    killmode: str = option(
        kill_mode,
        "scope of a stop: process, group or tree (default: by stopasgroup and killasgroup)",
        default=None,
        value="",
        in_sample=False,
    )
    limits: LimitsConfig = option_group(default_factory=LimitsConfig, prefixed=False)
    health: HealthConfig = option_group(default_factory=HealthConfig, prefixed=False)
    hooks: HooksConfig = option_group(default_factory=HooksConfig, prefixed=False)
    command_hint: str = ""
    inherited_environment: Mapping[str, str] = NO_VARIABLES
    """The part of `environment` that is from `[supervisord]`, if other options override it."""

    # No fields: a config that a plugin makes equals one that is read.
    section = ""
    place = ("", 0)  # file and line (from 1) of the section's first definition
    process_num = 0
    position = 0  # of the section among all sections of the files

    @property
    def declares_readiness(self) -> bool:
        """Whether STARTING lasts until the program, or a check, reports that it is ready."""
        messages = (self.notification_fd, self.ready_log_line, self.readiness_check_script)
        return bool(self.notify) or messages != (None, None, None)

    @property
    def program(self) -> str:
        """The name of the program, which its processes share."""
        return self.section.partition(":")[2].strip() or self.name

    def __init__(self, name: str, command: str, **options: Any) -> None:
        """Take the options by attribute name, those of a stream also flat (`stdout_logfile`).

        Raises TypeError for an unknown name.
        """
        assign_fields(self, name, command, **nest_groups(type(self), options))


class EventListenerConfig(ProcessConfig):
    """A process of an `[eventlistener:x]` pool."""


class FastCGIProcessConfig(ProcessConfig):
    """A process of a `[fcgi-program:x]` group."""


PLAIN = ProcessConfig("", "")
"""A config with the defaults of all options."""


def full_config(config: ProcessConfig) -> ProcessConfig:
    """Return a config with all options: a plain one for what a plugin uses in its place."""
    return config if isinstance(config, ProcessConfig) else PLAIN
