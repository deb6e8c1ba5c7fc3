"""`supervisord --check`: every problem of a configuration has its line, and nothing changes."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from supervisor.common.version import VERSION
from supervisor.config.parser import ConfigurationError
from supervisor.config.portability import EVENTS_OF_4_3, OPTIONS_OF_4_3
from supervisor.config.schema import SECTIONS
from supervisor.config.settings import Source, read
from supervisor.daemon import check
from supervisor.engine import paths
from supervisor.events import EventTypes
from tests.support.configs import SAMPLE
from tests.support.strangers import UID, give_away, needs_root
from tests.support.tables import assert_none

ROOT = Path(__file__).parents[2]

HEAD = "[supervisord]\nlogfile=DIR/x.log\npidfile=DIR/x.pid\nchildlogdir=DIR\n"
FIRST = HEAD.count("\n") + 1
"""Number of the first line behind the head."""

CAT = "command=/bin/cat\n"


def lines(directory: Path, text: str, *, is_portable: bool = False) -> list[str]:
    """Return the lines about a configuration, with FILE and DIR for its paths."""
    file = directory / "c.conf"
    text = text.replace("DIR", str(directory)).replace("FILE", str(file))
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    _, problems = check.check(Source(str(file)), {}, is_portable=is_portable)
    return [
        str(problem).replace(str(file), "FILE").replace(str(directory), "DIR")
        for problem in problems
    ]


def located(
    number: int, text: str, section: str, option: str | None = None, severity: str = "error"
) -> str:
    """Return a line whose text ends with its section, file and option."""
    line = f"FILE:{FIRST + number}: {severity}: {text} in section {section!r} (file: 'FILE')"
    return line if option is None else f"{line}, option {option!r}"


def about(number: int, text: str, section: str, option: str, severity: str = "warning") -> str:
    """Return a line about an option, whose text has the section and file in its middle."""
    where = f"option {option!r} in section {section!r} (file: 'FILE')"
    return f"FILE:{FIRST + number}: {severity}: {text.replace('OPTION', where)}"


NOT_A_NUMBER = "invalid literal for int() with base 10: 'x'"
SCRIPT, ACTION = "liveness_check_script", "liveness_check_failure_action"
PROGRAM = f"[program:a]\n{CAT}"
NO_COMMAND = "program section program:a does not specify a command"

# (text behind the head, lines)
MISTAKES = [
    ("", []),
    (PROGRAM, []),
    # several in one section, and in several sections
    (
        f"{PROGRAM}startsecs=x\nstopwaitsecs=x\n[program:b]\n{CAT}numprocs=x\n",
        [
            located(2, NOT_A_NUMBER, "program:a", "startsecs"),
            located(3, NOT_A_NUMBER, "program:a", "stopwaitsecs"),
            located(6, NOT_A_NUMBER, "program:b", "numprocs"),
        ],
    ),
    # once for all processes of a program
    (
        f"{PROGRAM}process_name=%(process_num)d\nnumprocs=3\nstdout_logfile_backups=x\n",
        [located(4, NOT_A_NUMBER, "program:a", "stdout_logfile_backups")],
    ),
    # an invalid value is not missing as well
    (
        "[program:a]\ncommand=%(\n",
        [
            located(
                1,
                "Format string '%(' for 'program:a.command' is badly formatted: incomplete format"
                " key; a literal % is written %%",
                "program:a",
                "command",
            )
        ],
    ),
    ("[program:a]\nstartsecs=1\n", [located(0, NO_COMMAND, "program:a", "command")]),
    (
        f"[inet_http_server]\nport=x\n{PROGRAM}priority=x\n",
        [
            located(4, NOT_A_NUMBER, "program:a", "priority"),
            located(1, "not a valid port number: 'x' ", "inet_http_server", "port"),
        ],
    ),
    # a section that is lost does not hide others, and naming it is no mistake
    (
        (
            f"[program:a/b]\n{CAT}[program:c]\n{CAT}depends_on=f, x, y\n"
            f"[fcgi-program:f]\n{CAT}socket=s\n"
        ),
        [
            located(0, "Invalid name: 'a/b' because of character: '/'", "program:a/b"),
            located(
                7,
                "('Bad socket format %s', 's') in [fcgi-program:f] socket",
                "fcgi-program:f",
                "socket",
            ),
            located(4, "unknown program 'x'", "program:c", "depends_on"),
            located(4, "unknown program 'y'", "program:c", "depends_on"),
        ],
    ),
    (
        f"{PROGRAM}[group:g]\nprograms=x,a,y\npriority=x\n",
        [
            located(4, NOT_A_NUMBER, "group:g", "priority"),
            *(
                located(
                    3,
                    f"[group:g] names unknown program or fcgi-program {name}",
                    "group:g",
                    "programs",
                )
                for name in "xy"
            ),
        ],
    ),
    (
        f"{PROGRAM}depends_on=b\n[program:b]\n{CAT}depends_on=a\nstartsecs=x\n",
        [
            located(6, NOT_A_NUMBER, "program:b", "startsecs"),
            located(2, "dependency cycle: a -> b -> a", "program:a", "depends_on"),
        ],
    ),
    (
        f"[eventlistener:e]\n{CAT}buffer_size=0\nevents=TICK_5,X\nresult_handler=nope\n",
        [
            located(
                2,
                "[eventlistener:e] section sets invalid buffer_size (0)",
                "eventlistener:e",
                "buffer_size",
            ),
            located(
                4,
                "nope cannot be resolved within [eventlistener:e]: No module named 'nope'",
                "eventlistener:e",
                "result_handler",
            ),
            located(
                3, "Unknown event type X in [eventlistener:e] events", "eventlistener:e", "events"
            ),
        ],
    ),
    # a warning about the default that replaces an invalid value is no help
    (
        f"{PROGRAM}stdout_logfile=/nonexistent/x\nstdout_logfile_maxbytes=0\n",
        [
            located(
                2,
                "The directory named as part of the path /nonexistent/x does not exist",
                "program:a",
                "stdout_logfile",
            )
        ],
    ),
    # a line that cannot be parsed
    (
        f"[program:a]\ncommand /bin/cat\n[program:b]\n{CAT}startsecs=x\n",
        [
            (
                f"FILE:{FIRST + 1}: error: Source contains parsing errors: 'FILE'; [line  6]:"
                " 'command /bin/cat\\n'"
            ),
            located(0, NO_COMMAND, "program:a", "command"),
            located(4, NOT_A_NUMBER, "program:b", "startsecs"),
        ],
    ),
    (
        "[program:a]\ncommand=/bin/cat\nuser=nosuchuser\n",
        [located(2, "Invalid user name nosuchuser", "program:a", "user")],
    ),
]

WARNINGS = [
    (
        f"[programm:a]\n{CAT}[program:b]\n{CAT}autstart=true\n",
        [
            (
                f"FILE:{FIRST}: warning: unknown section [programm:a] (file: 'FILE'); did you mean"
                " [program:a]?"
            ),
            about(4, "unknown OPTION; did you mean 'autostart'?", "program:b", "autstart"),
        ],
    ),
    (
        (
            "[program:a]\ncommand=/nonexistent/x\n[program:b]\ncommand=nosuchcommand x\n"
            "[program:c]\ncommand=DIR\n[program:d]\ncommand=FILE\n[program:e]\ncommand=cat '\n"
        ),
        [
            located(number, text, section, "command", "warning")
            for number, text, section in (
                (1, "can't find command '/nonexistent/x'", "program:a"),
                (3, "can't find command 'nosuchcommand'", "program:b"),
                (5, "command at 'DIR' is a directory", "program:c"),
                (7, "command at 'FILE' is not executable", "program:d"),
                (9, "can't parse command \"cat '\": No closing quotation", "program:e"),
            )
        ],
    ),
    (
        (
            "[program:a]\ncommand=bin/x\ndirectory=/nonexistent\n"
            "[program:b]\ncommand=/nonexistent/x\ndirectory=FILE\n"
            f"[program:c]\n{CAT}directory=/\n"
        ),
        [
            located(
                2, "couldn't chdir to /nonexistent: ENOENT", "program:a", "directory", "warning"
            ),
            located(5, "couldn't chdir to FILE: ENOTDIR", "program:b", "directory", "warning"),
            located(4, "can't find command '/nonexistent/x'", "program:b", "command", "warning"),
        ],
    ),
    (
        (
            f"{PROGRAM}readiness_check_script=nosuchcommand x\n[program:b]\n{CAT}"
            "readiness_check_script=tcp://nosuchhost:1\n"
        ),
        [
            located(
                2,
                "can't find command 'nosuchcommand'",
                "program:a",
                "readiness_check_script",
                "warning",
            )
        ],
    ),
    (
        (
            f"{PROGRAM}liveness_check_script=nosuchcommand x\n"
            "liveness_check_failure_action=nosuchaction\n"
        ),
        [
            located(2, "can't find command 'nosuchcommand'", "program:a", SCRIPT, "warning"),
            located(3, "can't find command 'nosuchaction'", "program:a", ACTION, "warning"),
        ],
    ),
    (
        f"{PROGRAM}post_stop_hook=-nosuchcommand x\n",
        [
            located(
                2, "can't find command 'nosuchcommand'", "program:a", "post_stop_hook", "warning"
            )
        ],
    ),
    (
        "[program:a]\ncommand=only-here\nenvironment=PATH=DIR\n",
        [located(1, "can't find command 'only-here'", "program:a", "command", "warning")],
    ),
    (
        f"{PROGRAM}dependent_startup=true\nstartinorder=1\n",
        [
            about(
                number,
                f"OPTION belongs to the plugin {plugin}; depends_on starts programs in order"
                " without it",
                "program:a",
                option,
                "hint",
            )
            for number, plugin, option in (
                (2, "supervisord-dependent-startup", "dependent_startup"),
                (3, "ordered-startup-supervisord", "startinorder"),
            )
        ],
    ),
    (
        "[include]\nfiles=*.nothing\n",
        [f'FILE:{FIRST + 1}: hint: No file matches via include "DIR/*.nothing"'],
    ),
    (
        "[include]\nfiles=nothing\n",
        [f'FILE:{FIRST + 1}: warning: No file matches via include "DIR/nothing"'],
    ),
]

REFUSED = "is refused by Supervisor 4.3"
HASH = "a hash of the kind {SHA256} is a plain password for Supervisor 4.3"

PORTABILITY = [
    (PROGRAM, []),
    # one line for one value
    (
        f"{PROGRAM}ready_log_line=(\n",
        [
            located(
                2,
                "not a regular expression: '(': missing ), unterminated subpattern at position 0",
                "program:a",
                "ready_log_line",
            )
        ],
    ),
    (
        f"{PROGRAM}startretries=unlimited\nready_log_line=x\n",
        [
            about(2, f"OPTION: the word 'unlimited' {REFUSED}", "program:a", "startretries"),
            about(3, "OPTION is ignored by Supervisor 4.3", "program:a", "ready_log_line"),
        ],
    ),
    (
        "[inet_http_server]\nport=[::1]:1\nusername=a\npassword={SHA256}00\n",
        [
            about(1, f"OPTION: an IPv6 address {REFUSED}", "inet_http_server", "port"),
            about(3, f"OPTION: {HASH}", "inet_http_server", "password"),
        ],
    ),
    (
        f"{PROGRAM}[group:g]\nprograms=a,\n",
        [about(3, f"OPTION: a comma without a name {REFUSED}", "group:g", "programs")],
    ),
    (
        (
            "[group:g]\nprograms=a\npriority=1\n[program:a]\ncommand=/bin/echo %(host_node_name)s\n"
            "[eventlistener:e]\ncommand=/bin/cat\nevents=TICK_5\n"
        ),
        [],
    ),
]


def failures(
    directory: Path, table: list[tuple[str, list[str]]], *, is_portable: bool = False
) -> list[str]:
    """Return a text for each row of a table that is not as expected."""
    found = []
    for text, expected in table:
        printed = lines(directory, HEAD + text, is_portable=is_portable)
        if printed != expected:
            found.append("\n".join([text, "expected:", *expected, "printed:", *printed, ""]))
    return found


def test_all_mistakes_of_a_file(tmp_path: Path) -> None:
    assert_none(failures(tmp_path, MISTAKES))


def test_what_would_not_work_on_this_host(tmp_path: Path) -> None:
    assert_none(failures(tmp_path, WARNINGS))


def test_what_supervisor_4_3_lacks(tmp_path: Path) -> None:
    assert_none(failures(tmp_path, PORTABILITY, is_portable=True))


def test_the_first_mistake_is_that_of_an_ordinary_start(tmp_path: Path) -> None:
    differences = []
    for text, _ in MISTAKES:
        first = [line for line in lines(tmp_path, HEAD + text) if ": error: " in line][:1]
        try:
            read(Source(str(tmp_path / "c.conf")), {})
            told = []
        except ConfigurationError as error:
            told = [str(error).replace(str(tmp_path / "c.conf"), "FILE")]
        if [line.partition(": error: ")[2] for line in first] != told:
            differences.append(f"{first} {told}")
    assert_none(differences)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """One line each, and mistakes of other included files are not hidden."""
    assert lines(tmp_path, "command=x\n") == [
        "FILE:1: error: File contains no section headers.; file: 'FILE', line: 1; 'command=x\\n'"
    ]
    (tmp_path / "a.ini").write_bytes(b"[program:a]\ncommand=\xff\n")
    (tmp_path / "b.ini").write_text("[program:b]\ncommand=/bin/cat\nstartsecs=x\n", "utf-8")
    found = lines(tmp_path, f"{HEAD}[include]\nfiles=*.ini\n")
    assert [line.partition(" error: ")[0] for line in found] == ["DIR/a.ini:2:", "DIR/b.ini:3:"]


def test_options_of_included_files_have_their_own_lines(tmp_path: Path) -> None:
    (tmp_path / "a.ini").write_text("\n[program:a]\n\nstartsecs = x\n", "utf-8")
    first, *_ = lines(tmp_path, f"{HEAD}[include]\nfiles=a.ini\n{PROGRAM}")
    assert [first] == [
        (
            f"DIR/a.ini:4: error: {NOT_A_NUMBER} in section 'program:a'"
            " (file: 'DIR/a.ini'), option 'startsecs'"
        )
    ]


@needs_root
def test_as_the_users_of_daemon_and_programs(directory: Path) -> None:
    """Root checks as each of these users."""
    directory.chmod(0o711)
    (directory / "closed").mkdir(mode=0o700)
    (directory / "closed" / "run").write_text("#!/bin/sh\n")
    (directory / "closed" / "run").chmod(0o755)
    program = "[program:a]\ncommand=DIR/closed/run\n"
    assert lines(directory, HEAD + program) == []
    assert lines(directory, f"{HEAD}{program}user={UID}\n") == [
        located(
            1,
            "no permission to run command 'DIR/closed/run' (as its user)",
            "program:a",
            "command",
            "warning",
        )
    ]
    found = lines(directory, f"{HEAD}user={UID}\n[unix_http_server]\nfile=DIR/s\n{program}")
    assert [line.split(" in section")[0].partition(": ")[2] for line in found] == [
        "error: Cannot open logfile DIR/x.log: Permission denied",
        "error: Cannot create a log in DIR: Permission denied",
        "error: Cannot open an HTTP server: DIR/s: Permission denied",
        "warning: can't find command 'DIR/closed/run'",
        "warning: could not write pidfile DIR/x.pid (Permission denied)",
    ]
    give_away(directory, directory / "closed")
    text = f"a daemon with user id {UID} cannot run programs as another user"
    expected = located(3, text, "program:a", "user", "warning")
    assert expected in lines(directory, f"{HEAD}user={UID}\n{program}user=0\n")


def test_files_in_the_way(directory: Path) -> None:
    """Of logs, which would be directories, and of the socket, which is another file."""
    text = HEAD + f"[unix_http_server]\nfile=DIR/file\n{PROGRAM}stdout_logfile=DIR/folder\n"
    (directory / "file").touch()
    (directory / "folder").mkdir()
    found = lines(directory, text)
    assert [line.split(" in section")[0].partition(": ")[2] for line in found] == [
        "error: Cannot open an HTTP server: DIR/file exists and is not a socket",
        "warning: Cannot open logfile DIR/folder: Is a directory",
    ]


def test_addresses_in_use(directory: Path) -> None:
    """By another program, which is named; the line is that of an ordinary start."""
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        unix.bind(str(directory / "s"))
        unix.listen()
        port = tcp.getsockname()[1]
        found = lines(
            directory,
            f"{HEAD}[unix_http_server]\nfile=DIR/s\n[inet_http_server]\nport={port}\n"
            f"[fcgi-program:f]\n{CAT}socket=tcp://localhost:{port}\n",
        )
        used = [f":{port}", "DIR/s"]
        holder = f"pid {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"
        assert [line.partition("In use: ")[2] for line in found[:2]] == [
            f"{each}, by {holder}" for each in used
        ]
        assert f"Could not create FastCGI socket tcp://localhost:{port}" in found[2]
        assert len(found) == 3
    assert lines(directory, f"{HEAD}[unix_http_server]\nfile=DIR/s\n") == []  # it is stale


def test_two_servers_with_one_address(directory: Path) -> None:
    server = "[inet_http_server{}]\nport=127.0.0.1:1\n"
    found = lines(directory, HEAD + "".join(map(server.format, ("", 2))))
    text = "In use: 127.0.0.1:1, by section [inet_http_server]"
    assert [line.rpartition("  ")[2] for line in found] == [text]
    assert found[0].startswith(f"FILE:{FIRST + 3}: error: Another program")


def test_file_systems_that_may_hang(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there is looked at, so nothing is reported."""
    slow = str(directory / "slow")
    stat = os.stat

    def touch(path: str, **options: object) -> os.stat_result:
        assert not str(path).startswith(slow), "would hang"
        return stat(path, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(paths.mounts, "slow_points", lambda: frozenset({slow}))
    monkeypatch.setattr(os, "stat", touch)
    program = "[program:a]\ncommand=DIR/slow/x\ndirectory=DIR/slow\n"
    check_script = "readiness_check_script=DIR/slow/x\n"
    assert lines(directory, HEAD + program + check_script) == []


def test_interpreters_that_do_not_exist(directory: Path) -> None:
    for name, text in (("a", "#!/nonexistent/x\n"), ("b", "#!/bin/sh\r\n"), ("c", "#!/bin/sh\n")):
        (directory / name).write_bytes(text.encode())
        (directory / name).chmod(0o700)
    programs = "".join(f"[program:{each}]\ncommand=./{each}\ndirectory=DIR\n" for each in "abc")
    found = lines(directory, HEAD + programs)
    assert [line.split(" in section")[0].partition(": warning: ")[2] for line in found] == [
        "couldn't exec ./a: ENOENT (its interpreter /nonexistent/x does not exist)",
        (
            "couldn't exec ./b: ENOENT (its interpreter /bin/sh\\r does not exist;"
            " its first line ends with CR LF)"
        ),
    ]


def test_the_sample_and_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No warning, where their directories exist."""
    monkeypatch.chdir(tmp_path)
    sample = SAMPLE.read_text(encoding="utf-8").replace("/tmp", "DIR")  # noqa: S108 - its paths
    assert lines(tmp_path, sample) == []
    for example in sorted((ROOT / "docs" / "examples").glob("*.conf")):
        (tmp_path / "run").mkdir(exist_ok=True)
        text = example.read_text(encoding="utf-8")
        for script in example.parent.glob("*.*"):
            (tmp_path / script.name).write_bytes(script.read_bytes())
            (tmp_path / script.name).chmod(0o700)
        assert lines(tmp_path, text) == [], example


def test_the_options_of_4_3_are_known() -> None:
    """The tables of what Supervisor 4.3 has do not contain a misspelt name."""
    program = {option.name for option in SECTIONS["program:x"]}
    for kind, names in OPTIONS_OF_4_3.items():
        rows = SECTIONS.get(kind) or SECTIONS[f"{kind}:x"]
        assert names <= {option.name for option in rows} | program, kind
    assert {name for name in vars(EventTypes) if name.isupper()} >= EVENTS_OF_4_3


def test_the_options_of_the_sample_are_portable() -> None:
    """An option of Supervisor 4 that the table lacks would get a false warning."""
    added = {
        option.name
        for kind, names in OPTIONS_OF_4_3.items()
        for option in SECTIONS.get(kind) or SECTIONS[f"{kind}:x"]
        if option.name not in names and option.in_sample
    }
    assert added == {"allowed_hosts"}


def matches(schema: dict[str, object], value: object) -> bool:
    """Whether a value matches a JSON schema, as far as ours use the language."""
    kinds = {"array": list, "object": dict, "string": str, "integer": int, "null": type(None)}
    names = schema.get("type", list(kinds))
    allowed = tuple(kinds[name] for name in ([names] if isinstance(names, str) else names))  # type: ignore[union-attr]
    if not isinstance(value, allowed) or value not in schema.get("enum", [value]):  # type: ignore[operator]
        return False
    if isinstance(value, list):
        return all(matches(schema["items"], each) for each in value)  # type: ignore[arg-type]
    if isinstance(value, dict):
        properties: dict[str, dict[str, object]] = schema["properties"]  # type: ignore[assignment]
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(properties)  # type: ignore[call-overload]
        return value.keys() == properties.keys() and all(
            matches(properties[name], each) for name, each in value.items()
        )
    return not isinstance(value, int) or value >= schema.get("minimum", value)  # type: ignore[operator]


def test_the_json_matches_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "docs" / "reference" / "check.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    file = tmp_path / "c.conf"
    for text, status in (
        (f"[supervisord]\n{PROGRAM}startsecs=x\nuseless=1\ndependent_startup=1\n", 2),
        ("nonsense", 2),
        (f"[supervisord]\n{PROGRAM}useless=1\n", 0),
    ):
        file.write_text(text, encoding="utf-8")
        options = ["-l", str(tmp_path / "l"), "-j", str(tmp_path / "p"), "-q", str(tmp_path)]
        with pytest.raises(SystemExit) as ended:
            check.run(["--check", "--json", "-c", str(file), *options])
        printed = json.loads(capsys.readouterr().out)
        assert ended.value.code == status
        assert printed
        assert matches(schema, printed)
        assert not matches(schema, [{**printed[0], "severity": "worse"}])


def assert_checked(
    file: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], status: int, begin: str
) -> None:
    """Check a configuration; fail unless it ends with a status and prints a text first."""
    with pytest.raises(SystemExit) as ended:
        check.run(["--check", "-c", str(file), *arguments])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.err) == (status, "")
    assert printed.out.startswith(begin)


def test_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.conf"
    head = HEAD.replace("DIR", str(tmp_path))
    hint = "dependent_startup=1\n"
    for text, arguments, status, first in (
        (PROGRAM, [], 0, "OK: 1 process in 1 group"),
        (PROGRAM + hint, ["--strict"], 0, "OK: 1 process in 1 group"),
        (f"{PROGRAM}useless=1\n", [], 0, "OK: 1 process in 1 group"),
        (f"{PROGRAM}useless=1\n", ["--strict"], 1, "OK: 1 process in 1 group"),
        (f"{PROGRAM}notify=true\n", ["--strict"], 0, "OK: 1 process in 1 group"),
        (f"{PROGRAM}notify=true\n", ["--strict", "--portable"], 1, "OK: 1 process in 1 group"),
        (f"{PROGRAM}startsecs=x\n", ["--strict"], 2, f"{file}:7: error: "),
        (
            f"{PROGRAM}[program:b]\n{CAT}numprocs=2\nprocess_name=%(process_num)d\n",
            [],
            0,
            "OK: 3 processes in 2 groups",
        ),
    ):
        file.write_text(head + text, encoding="utf-8")
        file.chmod(0o600)
        assert_checked(file, arguments, capsys, status, first)


def test_the_word_may_be_a_value() -> None:
    """`-i --check` names the daemon so."""
    check.run(["-i", "--check"])


def test_formats_that_can_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.conf"
    ok = "OK: 1 process in 1 group\n"
    unknown = f"error: supervisord {VERSION} cannot resume processes in format {{}}, only"
    unknown += " up to format 1\n"
    mistake = f"{file}:7: error: {NOT_A_NUMBER}"
    for option, arguments, status, begin in (
        ("", ["--can-resume=1"], 0, ok),
        ("", ["--can-resume", "1"], 0, ok),
        ("", ["--can-resume=2"], 2, unknown.format(2)),
        ("", ["--can-resume=0"], 2, unknown.format(0)),
        (
            "",
            ["--can-resume=2", "--json"],
            2,
            '[\n  {\n    "severity": "error",\n    "text": "superv',
        ),
        ("startsecs=x\n", ["--can-resume=1"], 2, mistake),
        ("directory=/nonexistent\n", ["--strict"], 1, ok),
        ("directory=/nonexistent\n", ["--can-resume=1", "--strict"], 0, ok),  # it runs
        ("startsecs=x\n", ["--can-resume=2"], 2, f"{unknown.format(2)}{mistake}"),
    ):
        file.write_text(HEAD.replace("DIR", str(tmp_path)) + PROGRAM + option, encoding="utf-8")
        file.chmod(0o600)
        assert_checked(file, arguments, capsys, status, begin)


def test_a_format_that_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        check.run(["--check", "--can-resume=x"])
    assert ended.value.code == 2
    begin = f"Error: invalid value for --can-resume 'x': {NOT_A_NUMBER}\n"
    assert capsys.readouterr().err.startswith(begin)


@pytest.mark.parametrize("flag", ["--strict", "--json", "--portable", "--can-resume=1"])
def test_flags_without_the_check(flag: str, tmp_path: Path) -> None:
    from supervisor.config.commandline import read_server_configuration

    file = tmp_path / "c.conf"
    file.write_text("[supervisord]\n", encoding="utf-8")
    error = f"^{flag.partition('=')[0]} is an option of supervisord --check$"
    with pytest.raises(ConfigurationError, match=error):
        read_server_configuration(["-c", str(file), flag])
