"""The environment of a child: the order of its sources, and the variables from files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.env_files import EnvFile, SecretFile
from supervisor.config.model import ProcessConfig
from supervisor.config.parser import ConfigurationError
from supervisor.config.settings import Source, read
from supervisor.engine import posix
from supervisor.process.child_environment import child_environment, files_of
from supervisor.process.variable_files import MAX_FILE_BYTES, MAX_SECRET_BYTES, VariableFiles
from tests.support.strangers import UID, give_away, needs_root
from tests.support.tables import assert_none
from tests.support.world import World

NAMES = "DAEMON", "COMMON", "HOME", "A_ENV", "B_ENV", "SECRET", "OWN"


def configured(directory: Path, options: str, shared: str = "") -> ProcessConfig:
    """Return the config of a program with some options; `shared` are those of the daemon."""
    file = directory / "c.conf"
    file.write_text(
        f"[supervisord]\n{shared}\n[program:x]\ncommand=/bin/cat\n{options}\n", encoding="utf-8"
    )
    return read(Source(str(file)), {}).groups[0].process_configs[0]


def environment(config: Any, world: World, **channels: str) -> dict[str, str]:
    """Return the complete environment of a child."""
    variables = {**child_environment(config, "x", world.runtime), **channels}
    files = files_of(config, channels)
    return variables if files is None else files.complete(variables)


def test_later_sources_override_earlier_ones(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One variable for each source, which all sources before it set as well."""
    for name in NAMES:
        monkeypatch.setenv(name, "daemon")
    common = ",".join(f"{name}=common" for name in NAMES[1:])
    for place, name in enumerate(("a.env", "b.env"), start=3):
        lines = "\n".join(f"{each}={name}" for each in NAMES[place:])
        (tmp_path / name).write_text(lines, encoding="utf-8")
    (tmp_path / "secret").write_text("secret\n", encoding="utf-8")
    options = """
login_environment=true
envfiles=%(here)s/a.env,%(here)s/b.env,-%(here)s/missing.env
secretfiles=SECRET:%(here)s/secret,OWN:%(here)s/secret
environment=OWN=own
"""
    config = configured(tmp_path, options, f"environment={common}")
    found = environment(config, world)
    home = posix.identity_of(os.getuid()).login["HOME"]
    assert [found[name] for name in NAMES] == [
        "daemon",
        "common",
        home,
        "a.env",
        "b.env",
        "secret",
        "own",
    ]
    assert environment(config, world, OWN="channel")["OWN"] == "channel"


def test_a_variable_that_the_program_sets_like_the_daemon_is_its_own(
    tmp_path: Path, world: World
) -> None:
    (tmp_path / "a.env").write_text("A=file\nB=file\nC=file\n", encoding="utf-8")
    config = configured(
        tmp_path, "envfiles=%(here)s/a.env\nenvironment=B=same,D=d", "environment=A=same,B=same"
    )
    found = environment(config, world)
    assert [found[name] for name in "ABCD"] == ["file", "same", "file", "d"]
    config.environment["A"] = "plugin"  # knot-resolver does this before a start
    assert environment(config, world)["A"] == "plugin"


def test_a_clean_environment(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": "/bin", "LC_ALL": "C", "LC": "x", "DB": "y"})
    plain = environment(configured(tmp_path, ""), world)
    assert plain.items() >= {"PATH": "/bin", "LC_ALL": "C", "LC": "x", "DB": "y"}.items()
    own = {
        "SUPERVISOR_ENABLED": "1",
        "SUPERVISOR_PROCESS_NAME": "x",
        "SUPERVISOR_GROUP_NAME": "x",
    }
    options = "clean_environment=true\nenvironment=A=b"
    assert environment(configured(tmp_path, options), world) == {**own, "A": "b"}
    options = "clean_environment=true\npass_environment=PATH, LC_*, NONE"
    config = configured(tmp_path, options, "environment=A=b")
    assert environment(config, world) == {**own, "A": "b", "PATH": "/bin", "LC_ALL": "C"}


# -- the options -----------------------------------------------------------------


def test_mistakes_are_one_line_at_load(tmp_path: Path) -> None:
    where = "in section 'program:x' (file: '<dir>/c.conf'), option"
    not_a_name = "is neither the name of a variable nor the start of one (A_*)"
    cases = {
        "envfiles=a.env,,b.env": f"an item is empty in 'a.env,,b.env' {where} 'envfiles'",
        "envfiles=-": f"no file behind '-' in '-' {where} 'envfiles'",
        "secretfiles=/run/x": f"'/run/x' is not VARIABLE:FILE {where} 'secretfiles'",
        "secretfiles=A-B C:/x": f"'A-B C' is not the name of a variable {where} 'secretfiles'",
        "secretfiles=A:/x,A:/y": f"'A' is set twice {where} 'secretfiles'",
        "pass_environment=$PATH": f"'$PATH' {not_a_name} {where} 'pass_environment'",
        "clean_environment=x": f"not a valid boolean value: 'x' {where} 'clean_environment'",
    }
    assert_none(
        f"{options!r}: {found!r}"
        for options, expected in cases.items()
        if (found := mistake(tmp_path, options)) != expected
    )


def mistake(directory: Path, options: str) -> str:
    """Return the error about a program with some options, with `<dir>` for the directory."""
    with pytest.raises(ConfigurationError) as raised:
        configured(directory, options)
    return str(raised.value).replace(str(directory), "<dir>")


def test_each_kind_of_program_and_each_process_has_its_own_files(tmp_path: Path) -> None:
    options = """command=/bin/cat
numprocs=2
process_name=%(process_num)d
envfiles=%(here)s/%(program_name)s_%(process_num)02d.env
secretfiles=A:%(ENV_PLACE)s/%(process_num)d
environment=PLACE="/run"
"""
    file = tmp_path / "c.conf"
    file.write_text(
        f"[supervisord]\n[program:a]\n{options}[eventlistener:b]\nevents=TICK_5\n{options}"
        f"[fcgi-program:c]\nsocket=unix://%(here)s/s.sock\n{options}",
        encoding="utf-8",
    )
    groups = read(Source(str(file)), {}).groups
    assert [
        [config.envfiles[0].path, config.secretfiles[0].path]
        for group in groups
        for config in group.process_configs
    ] == [
        [f"{tmp_path}/{name}_0{number}.env", f"/run/{number}"]
        for name in ("b", "a", "c")  # listeners are first
        for number in (0, 1)
    ]


# -- login ----------------------------------------------------------------------

LOGIN = ("HOME", "USER", "LOGNAME", "SHELL")


@needs_root
def test_the_login_of_a_programs_user(tmp_path: Path, world: World) -> None:
    config = configured(tmp_path, "login_environment=true\nuser=nobody")
    login = posix.look_up_identity(UID).login
    found = environment(config, world)
    assert {name: found[name] for name in LOGIN} == login
    assert (login["USER"], login["LOGNAME"]) == ("nobody", "nobody")


def test_the_program_overrides_its_login(tmp_path: Path, world: World) -> None:
    """And the login what the daemon sets for all programs."""
    options = "login_environment=true\nenvironment=HOME=/own"
    found = environment(configured(tmp_path, options, "environment=HOME=/,SHELL=/no"), world)
    assert found["HOME"] == "/own"
    assert found["SHELL"] == posix.identity_of(os.getuid()).login["SHELL"]


def test_the_login_of_the_daemons_user_is_looked_up_while_reading(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the loop, and not at all without the option."""
    monkeypatch.setattr(posix, "_identities", {})
    configured(tmp_path, "", "user=12345")
    assert posix._identities == {}
    config = configured(tmp_path, "login_environment=true", "user=12345")
    assert list(posix._identities) == [(12345, None)]
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(posix, "look_up_identity", pytest.fail)
    found = environment(config, world)
    assert [found[name] for name in LOGIN] == ["/", "12345", "12345", "/bin/sh"]


# -- files ----------------------------------------------------------------------


def files(directory: Path, *paths: str, **secrets: str) -> VariableFiles:
    """Return env files (optional ones begin with `-`) and secrets below a directory."""
    return VariableFiles(
        tuple(EnvFile(str(directory / path.lstrip("-")), path.startswith("-")) for path in paths),
        tuple(SecretFile(name, str(directory / path)) for name, path in secrets.items()),
        {},
    )


def outcome(directory: Path, given: VariableFiles) -> str | dict[str, str]:
    """Return the variables, or the error with `<dir>` for the directory."""
    try:
        return given.complete({})
    except posix.ProcessException as error:
        return str(error).replace(str(directory), "<dir>")


def test_contents_and_obstacles(tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "a.env": b"A=b\n",
        "bad.env": b"A=b\n\nsecret\n",
        "large.env": b"#" * (MAX_FILE_BYTES + 1),
        "full.env": b"#" * MAX_FILE_BYTES,
        "two": b"secret\n\n",
        "crlf": b"secret\r\n",
        "bytes": b"\xff \xc3\xa4",
        "null": b"a\0b",
        "large": b"x" * (MAX_SECRET_BYTES + 1),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    cases: list[tuple[VariableFiles, str | dict[str, str]]] = [
        (files(tmp_path, "empty", "full.env", "-none", "-a.env/x"), {}),
        (files(tmp_path, "a.env", A="two"), {"A": "secret\n"}),
        (files(tmp_path, A="empty", B="crlf"), {"A": "", "B": "secret\r"}),
        (files(tmp_path, A="bytes"), {"A": "\udcff ä"}),
        (files(tmp_path, "none"), "cannot read <dir>/none: ENOENT"),
        (files(tmp_path, "a.env/x"), "cannot read <dir>/a.env/x: ENOTDIR"),
        (files(tmp_path, "-d"), "cannot read <dir>/d: EINVAL (it is a directory)"),
        (files(tmp_path, "-fifo"), "cannot read <dir>/fifo: EINVAL (it is a fifo)"),
        (
            files(tmp_path, "-large.env"),
            "cannot read <dir>/large.env: EFBIG (it is larger than 1048576 bytes)",
        ),
        (files(tmp_path, "a.env", "-bad.env"), "<dir>/bad.env:3: expected KEY=VALUE"),
        (files(tmp_path, A="none"), "cannot read A from <dir>/none: ENOENT"),
        (files(tmp_path, A="fifo"), "cannot read A from <dir>/fifo: EINVAL (it is a fifo)"),
        (files(tmp_path, A="null"), "cannot read A from <dir>/null: it contains a null byte"),
        (
            files(tmp_path, A="large"),
            "cannot read A from <dir>/large: EFBIG (it is larger than 131072 bytes)",
        ),
    ]
    assert_none(
        f"{found}, not {expected}"
        for given, expected in cases
        if (found := outcome(tmp_path, given)) != expected
    )


@needs_root
def test_a_symlink_of_another_user_is_not_followed(tmp_path: Path) -> None:
    """Its owner could have it lead to any file that the daemon can read."""
    (tmp_path / "a.env").write_text("A=b", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to("a.env")
    assert outcome(tmp_path, files(tmp_path, "link")) == {"A": "b"}
    give_away(link)
    refusal = "EPERM (it is a symbolic link of another user)"
    assert outcome(tmp_path, files(tmp_path, "-link")) == f"cannot read <dir>/link: {refusal}"


def test_a_daemon_without_files_imports_no_parser() -> None:
    code = "import sys, supervisor.supervisord; print([m for m in sys.modules if 'env_files' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
