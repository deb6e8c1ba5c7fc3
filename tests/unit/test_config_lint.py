"""Configuration warnings: valid settings that deserve a line in the log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.config.settings import Source, read
from tests.support.strangers import give_away, needs_root

PROGRAM = "[supervisord]\n[program:x]\ncommand=/bin/cat\n"


def warnings(directory: Path, text: str, mode: int = 0o600) -> list[str]:
    """Return the warnings about a file with this text."""
    file = directory / "c.conf"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return [line.replace(str(directory), "<dir>") for line in read(Source(str(file)), {}).warnings]


def test_a_good_file_has_no_warnings(tmp_path: Path) -> None:
    assert warnings(tmp_path, PROGRAM) == []


def test_the_sample_has_no_warnings() -> None:
    sample = Path(__file__).parents[2] / "sample.conf"
    assert not [line for line in read(Source(str(sample)), {}).warnings if "unknown" in line]


@pytest.mark.parametrize(
    ("line", "mode", "is_said"),
    [
        ("password=secret", 0o644, True),
        ("password : secret", 0o604, True),
        ("password=secret", 0o640, False),
        ("password={SHA}da39a3ee5e6b4b0d3255bfef95601890afd80709", 0o644, False),
        (";password=secret", 0o644, False),
    ],
)
def test_a_password_that_everybody_can_read(
    tmp_path: Path, line: str, mode: int, *, is_said: bool
) -> None:
    said = warnings(tmp_path, f"{PROGRAM}[supervisorctl]\n{line}\n", mode)
    fix = "(fix: chmod o-r <dir>/c.conf)"
    text = f"<dir>/c.conf contains a password and can be read by all users {fix}"
    assert said == ([text] if is_said else [])


INHERITED = (
    "the password of [inet_http_server] is taken from the environment variable PW, which every"
    " program inherits (fix: write it into a file that only the daemon can read)"
)


@pytest.mark.parametrize(
    ("environment", "value", "expected"),
    [
        ("", "%(ENV_PW)s", [INHERITED]),
        ("", "a%(ENV_PW)sb%(ENV_PW)s", [INHERITED]),
        ("environment=PW=b\n", "%(ENV_PW)s", [INHERITED]),
        ("", "{SHA}%(ENV_PW)s", []),
        ("", "%%(ENV_PW)s", []),
        ("", "secret", []),
    ],
)
def test_a_password_that_every_program_inherits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    value: str,
    expected: list[str],
) -> None:
    """Only of the server: the client's password is its own, and a hash opens nothing."""
    monkeypatch.setenv("PW", "secret")
    text = PROGRAM.replace("[program", f"{environment}[program")
    server = f"[inet_http_server]\nport=127.0.0.1:1\nusername=%(ENV_PW)s\npassword={value}\n"
    assert warnings(tmp_path, f"{text}{server}[supervisorctl]\npassword=%(ENV_PW)s\n") == expected


@needs_root
@pytest.mark.parametrize(("uid", "is_said"), [(0, True), (1000, False)])
def test_a_file_that_others_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, *, is_said: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    said = warnings(tmp_path, PROGRAM, 0o620)
    text = "<dir>/c.conf controls what runs as root but is writable by others"
    assert said == ([f"{text} (fix: chmod go-w <dir>/c.conf)"] if is_said else [])


@needs_root
class TestProtection:
    """Files and directories by which other users control what root runs."""

    @pytest.fixture
    def main(self, tmp_path: Path) -> Path:
        """Write a file that includes conf.d/*.conf and one file by its name."""
        path = tmp_path / "c.conf"
        path.write_text(f"{PROGRAM}[include]\nfiles=conf.d/*.conf once.ini\n", encoding="utf-8")
        (tmp_path / "conf.d").mkdir()
        for name in ("conf.d/a.conf", "conf.d/b.conf", "once.ini"):
            (tmp_path / name).touch()
        for each in tmp_path.rglob("*"):
            each.chmod(0o755 if each.is_dir() else 0o600)
        return path

    def said(self, main: Path) -> list[str]:
        lines = [line for line in read(Source(str(main)), {}).warnings if "No file" not in line]
        return [line.replace(str(main.parent), "<dir>") for line in lines]

    def test_protected_files_have_no_warnings(self, main: Path) -> None:
        assert self.said(main) == []

    @pytest.mark.parametrize(
        ("name", "file", "reached"),
        [
            ("c.conf", "c.conf", ""),
            ("conf.d/a.conf", "conf.d/a.conf", ""),
            ("once.ini", "once.ini", ""),
            ("conf.d", "conf.d/a.conf", " is reached through <dir>/conf.d, which"),
        ],
    )
    def test_an_owner(self, main: Path, name: str, file: str, reached: str) -> None:
        give_away(main.parent / name)
        reason = f"{reached} belongs to another user (fix: chown -h root <dir>/{name})"
        assert self.said(main) == [f"<dir>/{file} controls what runs as root but{reason}"]

    @pytest.mark.parametrize("mode", [0o777, 0o775])
    def test_a_directory_that_others_can_write(self, main: Path, mode: int) -> None:
        (main.parent / "conf.d").chmod(mode)
        assert self.said(main) == [
            (
                "<dir>/conf.d/a.conf controls what runs as root but is reached through"
                " <dir>/conf.d, which is writable by others (fix: chmod go-w <dir>/conf.d)"
            )
        ]

    @pytest.mark.parametrize("files", ["conf.d/*.conf", "*.d/a.conf", "conf.d/missing.conf"])
    def test_a_directory_in_which_others_can_create_files(self, main: Path, files: str) -> None:
        """Nothing in a sticky directory can be exchanged, but the next file would be read."""
        main.write_text(f"{PROGRAM}[include]\nfiles={files}\n", encoding="utf-8")
        directory = main.parent if files.startswith("*") else main.parent / "conf.d"
        directory.chmod(0o1777)
        shown = str(directory).replace(str(main.parent), "<dir>")
        assert self.said(main) == [
            (
                f"{shown} controls what runs as root but is writable by others"
                f" (fix: chmod go-w {shown})"
            )
        ]

    def test_a_file_with_a_name_of_its_own_in_a_sticky_directory(self, main: Path) -> None:
        main.write_text(f"{PROGRAM}[include]\nfiles=conf.d/a.conf\n", encoding="utf-8")
        (main.parent / "conf.d").chmod(0o1777)
        assert self.said(main) == []

    def test_a_link_of_another_user(self, main: Path) -> None:
        (main.parent / "conf.d").chmod(0o1777)
        (main.parent / "conf.d/link.conf").symlink_to("../once.ini")
        give_away(main.parent / "conf.d/link.conf")
        assert (
            "<dir>/conf.d/link.conf controls what runs as root but belongs to another user"
            " (fix: chown -h root <dir>/conf.d/link.conf)"
        ) in self.said(main)

    def test_text_from_a_pipe(self) -> None:
        """`supervisord -c <(generate)` reads what only its own descriptor leads to."""
        reader, writer = os.pipe()
        os.write(writer, PROGRAM.encode())
        os.close(writer)
        try:
            assert read(Source(f"/dev/fd/{reader}"), {}).warnings == ()
        finally:
            os.close(reader)


def test_a_section_that_is_there_twice(tmp_path: Path) -> None:
    said = warnings(tmp_path, f"{PROGRAM}[program:x]\ncommand=/bin/true\n")
    assert said == ["section [program:x] is defined 2 times; the last definition wins"]


def test_so_in_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "more.ini").write_text("[program:x]\ncommand=/bin/true\n", encoding="utf-8")
    said = warnings(tmp_path, f"{PROGRAM}[include]\nfiles=*.ini\n")
    assert said == ["section [program:x] is defined 2 times; the last definition wins"]


@pytest.mark.parametrize(
    ("section", "option", "meant"),
    [
        ("program:x", "autostrat", "autostart"),
        ("program:x", "autorestrat", "autorestart"),
        ("supervisord", "log_file", "logfile"),
        ("unix_http_server", "chmode", "chmod"),
        ("eventlistener:x", "event", "events"),
    ],
)
def test_an_option_that_is_not_known(tmp_path: Path, section: str, option: str, meant: str) -> None:
    text = "[supervisord]\n[unix_http_server]\nfile=/tmp/x.sock\n[program:x]\ncommand=cat\n"
    text += "[eventlistener:x]\ncommand=cat\nevents=TICK_5\n"
    text = text.replace(f"[{section}]\n", f"[{section}]\n{option}=1\n")
    said = warnings(tmp_path, text)
    where = f"in section {section!r} (file: '<dir>/c.conf')"
    assert said == [f"unknown option {option!r} {where}; did you mean {meant!r}?"]


def test_an_option_like_no_other(tmp_path: Path) -> None:
    said = warnings(tmp_path, f"{PROGRAM}xyzzy=1\n")
    assert said == ["unknown option 'xyzzy' in section 'program:x' (file: '<dir>/c.conf')"]


@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ("programm:y", "; did you mean [program:y]?"),
        ("progarm:y", "; did you mean [program:y]?"),
        ("program", "; did you mean [program:NAME]?"),
        ("evenlistener:e", "; did you mean [eventlistener:e]?"),
        ("unix_http_servr", "; did you mean [unix_http_server]?"),
        ("mine", ""),
    ],
)
def test_a_section_that_is_not_known(tmp_path: Path, section: str, meant: str) -> None:
    said = warnings(tmp_path, f"{PROGRAM}[{section}]\ncommand=cat\n")
    assert said == [f"unknown section [{section}] (file: '<dir>/c.conf'){meant}"]


def test_sections_of_all_kinds_are_known(tmp_path: Path) -> None:
    text = (
        "[group:g]\nprograms=x\n[inet_http_server2]\nport=1\n[supervisorctl]\n[include]\nfiles=\n"
    )
    factory = "supervisor.rpcinterface:make_main_rpcinterface"
    text += f"[rpcinterface:r]\nsupervisor.rpcinterface_factory={factory}\n"
    text += "[ctlplugin:c]\nsupervisor.ctl_factory=x:y\n"
    assert warnings(tmp_path, f"{PROGRAM}{text}") == []


def test_an_option_that_is_set_twice(tmp_path: Path) -> None:
    """Continuation lines and other sections do not count."""
    text = f"{PROGRAM}Command = /bin/cat\n\tcommand=x\n;command=z\n[program:y]\ncommand=/bin/cat\n"
    where = "in section 'program:x' (file: '<dir>/c.conf')"
    said = warnings(tmp_path, text)
    assert said == [f"option 'command' is set 2 times {where}; the last value wins"]


def test_an_include_in_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "more.ini").write_text("[include]\nfiles=x.conf\n", encoding="utf-8")
    said = warnings(tmp_path, f"{PROGRAM}[include]\nfiles=*.ini\n")
    assert said == ["[include] is ignored in an included file (file: '<dir>/more.ini')"]


@pytest.mark.parametrize(("command", "bare"), [("date +%s", "%s"), ("x %%s %% 100%% %r", "%r")])
def test_a_percent_sign_that_is_not_doubled(tmp_path: Path, command: str, bare: str) -> None:
    said = warnings(tmp_path, f"[supervisord]\n[program:x]\ncommand={command}\n")
    where = "in option 'command' in section 'program:x' (file: '<dir>/c.conf')"
    assert said == [f"{bare} {where}: a literal % is written %%"]


def test_percent_signs_that_are_doubled(tmp_path: Path) -> None:
    assert warnings(tmp_path, "[supervisord]\n[program:x]\ncommand=date +%%s %(here)s\n") == []


def test_an_option_of_a_plugin_is_its_own_business(tmp_path: Path) -> None:
    """supervisord-dependent-startup puts options into the sections of programs."""
    text = f"{PROGRAM}dependent_startup=true\n"
    text += "[eventlistener:d]\ncommand=python -m supervisord_dependent_startup\nevents=TICK_5\n"
    assert warnings(tmp_path, text) == []


def test_options_of_every_kind_of_program(tmp_path: Path) -> None:
    """Listeners and FastCGI programs take those of programs; defaults go everywhere."""
    options = "command=/bin/cat\nstartsecs=3\nuser=root\nstdout_logfile=NONE\n"
    text = "[DEFAULT]\nmine=1\n[supervisord]\n"
    text += f"[eventlistener:e]\nevents=TICK_5\n{options}"
    text += f"[fcgi-program:f]\nsocket=tcp://localhost:9999\n{options}"
    assert warnings(tmp_path, text) == []


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ("stdout_logfile=/tmp/x.log", True),
        ("stderr_logfile=/tmp/x.log", True),
        ("stdout_logfile=/tmp/x.%(process_num)d.log", False),
        ("stdout_logfile=/tmp/%(process_num)d\nstderr_logfile=/tmp/%(process_num)d", False),
        ("stdout_logfile=/dev/stdout", False),
        ("stdout_logfile=NONE", False),
        ("stdout_syslog=true", False),
    ],
)
def test_a_log_that_several_processes_write_to(
    tmp_path: Path, options: str, *, is_said: bool
) -> None:
    numbers = "process_name=%(process_num)d\nnumprocs=3\n"
    said = warnings(tmp_path, f"{PROGRAM}{numbers}{options}\n")
    text = (
        "log '/tmp/x.log' is shared by 3 processes, from x:0 to x:2"
        " (fix: one log for each process, for example with %(process_num)s in its name)"
    )
    assert said == ([text] if is_said else [])
