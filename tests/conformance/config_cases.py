"""Configurations, good and bad, that both implementations must read alike.

`CASES` maps a name to a case for `tests/support/read_configurations.py`.  Most tables hold
only what differs from a minimal configuration, one case a line or a paragraph.
"""

from __future__ import annotations

import os
import shlex
from typing import Any

from tests.conformance import config_lines, config_texts

DAEMON = "supervisord"
CLIENT = "supervisorctl"

# What `[include]` finds beside the main file.
INCLUDED_FILES = {
    "a.inc": "[program:a]\ncommand=a\n",
    "b.inc": "[program:b]\ncommand=b\n",
    "za.inc": "[program:za]\ncommand=za %(here)s\n",
    "nohead.ini": "foo\n",
    "badhead.ini": "[program:x\n",
    "badvalue.ini": "[program:x]\ncommand=x\nstartsecs=z\n",
    "nested.ini": "[include]\nfiles=a.inc\n",
    "supervisord.ini": "[supervisord]\nminprocs=6\nlogfile=%(here)s/f.log\n",
    "over.ini": "[program:m]\ncommand=over\nstopwaitsecs=3\n",
    "group.ini": "[group:g]\nprograms=m\n",
    "sub/q.ini": "[program:q]\ncommand=%(here)s q\nfoo=%(here)s %(nope)s\n"
    "[program:r]\ncommand=r\nstdout_logfile=%(here)s/r.log\n",
}


def _case(text: str | None, argv: str, command: str = DAEMON) -> dict[str, Any]:
    return {"text": text, "argv": shlex.split(argv), "command": command}


def _lines(table: str, before: str, prefix: str, command: str = DAEMON) -> dict[str, Any]:
    """Return a case for each line of a table, put behind a text."""
    argv = "-n -c c.conf" if command == DAEMON else "-c c.conf"
    return {
        f"{prefix}: {line}": _case(before + line.replace("|", "\n") + "\n", argv, command)
        for line in table.strip().splitlines()
    }


def _files(block: str, before: str = "", command: str = DAEMON) -> dict[str, Any]:
    """Return a case for each file of a block."""
    argv = "-n -c c.conf" if command == DAEMON else "-c c.conf"
    paragraphs = [paragraph.partition("\n") for paragraph in block.split("### ")[1:]]
    return {name: _case(before + text, argv, command) for name, _, text in paragraphs}


def _arguments(table: str, text: str, command: str = DAEMON) -> dict[str, Any]:
    argv = "-n -c c.conf" if command == DAEMON else "-c c.conf"
    return {
        f"{command} {line}": _case(text, f"{argv} {line}", command)
        for line in table.strip().splitlines()
    }


SUPERVISORD = "[supervisord]\n"
PROGRAM = SUPERVISORD + "[program:x]\ncommand=/bin/cat\n"

# Each of these is about options of one section.
LINES: dict[str, dict[str, Any]] = {
    **_lines(config_lines.PROGRAM_LINES, PROGRAM, "program"),
    **_lines(config_lines.SUPERVISORD_LINES, SUPERVISORD, "supervisord"),
    **_lines(config_lines.UNIX_LINES, SUPERVISORD + "[unix_http_server]\nfile=x.sock\n", "unix"),
    **_lines(config_lines.INET_LINES, SUPERVISORD + "[inet_http_server]\n", "inet"),
    **_lines(
        config_lines.LISTENER_LINES,
        SUPERVISORD + "[eventlistener:e]\ncommand=/bin/cat\n",
        "listener",
    ),
    **_lines(config_lines.FCGI_LINES, SUPERVISORD + "[fcgi-program:f]\ncommand=/bin/cat\n", "fcgi"),
    **_lines(config_lines.CLIENT_LINES, "[supervisorctl]\n", "client", CLIENT),
}

CASES: dict[str, dict[str, Any]] = {
    **LINES,
    **_arguments(config_lines.ARGUMENTS, SUPERVISORD),
    **_arguments(config_lines.CLIENT_ARGUMENTS, "[supervisorctl]\n", CLIENT),
    **_files(config_texts.BARE_FILES),
    **_files(config_texts.FILES, SUPERVISORD),
    **_files(config_texts.CLIENT_FILES, "", CLIENT),
    "no file named": _case(None, "-n -c nope.conf"),
    "directory named": _case(None, "-n -c sub"),
    "file in another directory": _case(PROGRAM, "-n -c sub/../c.conf"),
    "bad value in a relative file": _case(PROGRAM + "startsecs=x\n", "-n -c ./c.conf"),
    "file named by the long option": _case(SUPERVISORD, "--configuration=c.conf"),
    "nothing found by searching": _case(None, "-n"),
    "client without a file": _case(None, "status", CLIENT),
    "client without a file, with a URL": _case(None, "-s http://foo status", CLIENT),
    "client with no file named": _case(None, "-c nope.conf", CLIENT),
    "client with a directory named": _case(None, "-c sub", CLIENT),
}


def _mended(text: str, command: str = DAEMON) -> dict[str, Any]:
    return _case(text, "-n -c c.conf" if command == DAEMON else "-c c.conf", command)


RESOLVED = "Names that cannot be resolved"
NUMBERS = "Users and groups without an entry"
QUOTING = "Quoting in environment"
ONE_LINE = "One line for an error in a file"
HOST_NAME = "The host's name in every section"
COMMAS = "Commas that separate nothing"
HOMES = "Home directories in two more paths"
TARGETS = "Several targets of a log"
NODE = os.uname().nodename

# name -> the case, what must appear in the JSON of our answer and not in the reference's, and
# the entry in docs/differences.md
MENDED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a listener's handler that cannot be imported comes with the reason": (
        _mended(
            SUPERVISORD + "[eventlistener:e]\ncommand=a\nevents=TICK_5\nresult_handler=nope:nope\n"
        ),
        "within [eventlistener:e]: No module named 'nope' in section 'eventlistener:e' ",
        RESOLVED,
    ),
    "a plugin's factory that does not exist comes with the reason": (
        _mended(
            SUPERVISORD + "[rpcinterface:x]\nsupervisor.rpcinterface_factory=os:nope\n",
        ),
        "within [rpcinterface:x]: module 'os' has no attribute 'nope' in section 'rpcinterface:x' ",
        RESOLVED,
    ),
    "a client plugin that cannot be imported comes with the reason": (
        _mended("[supervisorctl]\n[ctlplugin:x]\nsupervisor.ctl_factory=nope\n", CLIENT),
        "within [ctlplugin:x]: No module named 'nope' in section 'ctlplugin:x' (file: ",
        RESOLVED,
    ),
    "a listener's handler without a name comes with the reason": (
        _mended(SUPERVISORD + "[eventlistener:e]\ncommand=a\nevents=TICK_5\nresult_handler=os:\n"),
        "os: cannot be resolved within [eventlistener:e]: not of the form package.module:name in",
        RESOLVED,
    ),
    "an unknown second member is reported with its group, not with the first member": (
        _mended(SUPERVISORD + "[group:g]\nprograms=a,b\n[program:a]\ncommand=a\n"),
        "Error: [group:g] names unknown program or fcgi-program b in section 'group:g' ",
        "Unknown members of groups",
    ),
    "the environment of supervisord is expanded once": (
        _mended(SUPERVISORD + 'environment=A="50%%"\n[program:x]\ncommand=a\n'),
        '"environment": {"A": "50%"}',
        QUOTING,
    ),
    "quotes within the other kind of quotes are kept": (
        _mended(PROGRAM + """environment=A='say "x"'\n"""),
        r'"environment": {"A": "say \"x\""}',
        QUOTING,
    ),
    "a backslash protects a quote": (
        _mended(PROGRAM + r"""environment=A="a\"b" """),
        r'"environment": {"A": "a\"b"}',
        QUOTING,
    ),
    "a doubled percent sign protects here, also in a file that has includes": (
        _mended(SUPERVISORD + "identifier=%%(here)s\n[include]\nfiles=a.inc\n"),
        '"identifier": "%(here)s"',
        "A protected here",
    ),
    "an empty file name is a file that does not exist": (
        {"text": SUPERVISORD, "argv": ["-c", ""], "command": DAEMON},
        "Error: could not find config file \\n",
        "An empty file name",
    ),
    "a malformed file gives the client one line": (
        _mended("foo\n", CLIENT),
        r"Error: File contains no section headers.; file: 'c.conf', line: 1; 'foo\\n'\n",
        ONE_LINE,
    ),
    "a file for the history may be named on the command line": (
        _case("[supervisorctl]\n", "-c c.conf -r lines status", CLIENT),
        '"history_file": "lines"',
        "A history file on the command line",
    ),
    "a malformed file gives the daemon one line": (
        _mended("[supervisord]\nfoo\nbar\n"),
        r"Error: Source contains parsing errors: 'c.conf'; [line  2]: 'foo\\n'; [line  3]: ",
        ONE_LINE,
    ),
    "the file is named in which an option stands, not the one in which its section begins": (
        _mended(SUPERVISORD + "[program:x]\ncommand=a\n[include]\nfiles=badvalue.ini\n"),
        "in section 'program:x' (file: 'HERE/badvalue.ini'), option 'startsecs'\\n",
        ONE_LINE,
    ),
    "a limit that nothing can hold is refused": (
        _mended(SUPERVISORD + "minfds=99999999999999999999\n"),
        "Error: 99999999999999999999 is above upper bound (9223372036854775807) in section ",
        "Values that end the daemon",
    ),
    "a mode that nothing can hold is refused": (
        _mended(SUPERVISORD + "umask=77777777777777777777\n"),
        "Error: 77777777777777777777 can not be converted to an octal type in section ",
        "Values that end the daemon",
    ),
    "an empty name and password do not make an open server": (
        _mended(SUPERVISORD + "[inet_http_server]\nport=1\nusername=\npassword=\n"),
        "Error: Section [inet_http_server] has an empty username in section 'inet_http_server' ",
        "Empty names and passwords",
    ),
    "a user may be a number without an entry": (
        _mended(SUPERVISORD + "user=99999\n"),
        '"uid": 99999',
        NUMBERS,
    ),
    "the user of a program may be a number without an entry": (
        _mended(PROGRAM + "user=99999\n"),
        '"uid": 99999',
        NUMBERS,
    ),
    "an owner may be two numbers without entries": (
        _mended(SUPERVISORD + "[unix_http_server]\nfile=s\nchown=99999:99998\n"),
        '"chown": [99999, 99998]',
        NUMBERS,
    ),
    "a comment inside quotes is named": (
        _mended(PROGRAM + 'environment=A="1 ;2",B=3\n'),
        "Error: No closing quotation; ' ;' begins a comment, also inside quotes ",
        "Comments inside quotes",
    ),
    "the host of an IPv6 address has no brackets": (
        _mended(SUPERVISORD + "[inet_http_server]\nport=[::1]:9001\n"),
        '"host": "::1"',
        "IPv6 in port",
    ),
    "the URL of an IPv6 address has brackets": (
        _mended(SUPERVISORD + "[inet_http_server]\nport=::1:9001\n"),
        '"serverurl": "http://[::1]:9001"',
        "IPv6 in port",
    ),
    "a null byte is refused": (
        _mended(SUPERVISORD + "logfile=a\0b\n"),
        "Error: null byte in ",
        "Values that end the daemon",
    ),
    "the host's name may be used in the daemon's section": (
        _mended(SUPERVISORD + "logfile=%(host_node_name)s.log\n"),
        f'"logfile": "HERE/{NODE}.log"',
        HOST_NAME,
    ),
    "the host's name may be used in the path of a unix socket": (
        _mended(SUPERVISORD + "[unix_http_server]\nfile=%(host_node_name)s.sock\n"),
        f'"HERE/{NODE}.sock"',
        HOST_NAME,
    ),
    "the host's name may be used in the address of a FastCGI program": (
        _mended(
            SUPERVISORD + "[fcgi-program:f]\ncommand=a\nsocket=tcp://%(host_node_name)s:9000\n"
        ),
        f'"{NODE}"',
        HOST_NAME,
    ),
    "the host's name may be used in the client's prompt": (
        _mended("[supervisorctl]\nprompt=me@%(host_node_name)s\n", CLIENT),
        f'"prompt": "me@{NODE}"',
        HOST_NAME,
    ),
    "a comma after the last program of a group is accepted": (
        _mended(SUPERVISORD + "[group:g]\nprograms=,a,\n[program:a]\ncommand=a\n"),
        '"name": "g"',
        COMMAS,
    ),
    "a comma after the last event of a listener is accepted": (
        _mended(SUPERVISORD + "[eventlistener:e]\ncommand=a\nevents=TICK_5,,\n"),
        "tick5event",
        COMMAS,
    ),
    "a target behind a log": (
        _mended(SUPERVISORD + "[program:a]\ncommand=a\nstdout_logfile=a.log, /dev/stdout\n"),
        '"stdout_logfile": "a.log"',
        TARGETS,
    ),
    "a home directory in the pattern of an include": (
        _mended(SUPERVISORD + "[include]\nfiles=~/a.inc\n"),
        '"name": "a"',
        HOMES,
    ),
    "a home directory in the path of a FastCGI socket": (
        _mended(SUPERVISORD + "[fcgi-program:f]\ncommand=a\nsocket=unix://~/f.sock\n"),
        '"HERE/f.sock"',
        HOMES,
    ),
    "a byte order mark is no part of the first line": (
        _mended("\ufeff" + SUPERVISORD + "minfds=5\n"),
        '"minfds": 5',
        "Byte order marks",
    ),
}
