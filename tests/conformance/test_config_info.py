"""getAllConfigInfo, before and after the configuration was read again."""

from __future__ import annotations

from typing import Any

from tests.support.comparison import STEADY, Pair, assert_same, call
from tests.support.daemon import Daemon
from tests.support.differences import declared

CONFIG = """
[program:defaults]
command=/bin/cat
autostart=false
[program:everything]
command=/bin/cat   -u "a b"  %(program_name)s
process_name=%(program_name)s_%(process_num)d
numprocs=2
priority=5
autostart=false
autorestart=true
startsecs=0
startretries=9
exitcodes=0,2,3
stopsignal=QUIT
stopwaitsecs=3
stopasgroup=true
user=nobody
redirect_stderr=true
directory=/tmp
umask=077
environment=A="b"
serverurl=http://localhost:9001
stdout_logfile=%(here)s/everything.log
stdout_logfile_maxbytes=5KB
stdout_logfile_backups=0
stdout_capture_maxbytes=1MB
stdout_events_enabled=true
[program:quiet]
command=/bin/cat
autostart=false
autorestart=false
stdout_logfile=NONE
stderr_logfile=/dev/null
stderr_logfile_maxbytes=0
stderr_syslog=true
stderr_events_enabled=true
killasgroup=true
exitcodes=
[program:logs-to-syslog]
command=/bin/cat
autostart=false
stdout_logfile=syslog
[eventlistener:listens]
command=/bin/cat
events=PROCESS_STATE
autostart=false
[group:grouped]
programs=quiet,everything
priority=3
"""


def test_config_info_is_the_same_before_and_after_rereading(pair: Pair) -> None:
    """But for `autorestart`, which only ours tells."""

    def ask(daemon: Daemon) -> list[Any]:
        before = call(daemon, "supervisor.getAllConfigInfo")
        changes = call(daemon, "supervisor.reloadConfig")
        return [before, changes, call(daemon, "supervisor.getAllConfigInfo")]

    theirs, ours = pair.answers(ask)
    declared("autorestart in getAllConfigInfo")
    told = [info.pop("autorestart", None) for info in (*ours[0], *ours[2])]
    assert_same(theirs, ours)
    if not STEADY:
        assert set(told) == {True, False, "unexpected"}
