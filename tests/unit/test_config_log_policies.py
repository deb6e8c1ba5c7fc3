"""The options of log files: mistakes, warnings, and owners that the daemon cannot set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.common.rotation_period import RotationPeriod
from supervisor.config.log_permissions import FOREIGN_OWNER, READ_ONLY
from tests.support.configs import located, read, refusal
from tests.support.strangers import UID, needs_root

PROGRAM = "[program:x]\ncommand=/bin/cat\n"


def test_the_values(tmp_path: Path) -> None:
    lines = (
        "stdout_logfile_mode=0640\nstdout_logfile_rotate=weekly\n"
        "stderr_logfile_rotate=15m\nstderr_logfile_compress=GZIP\nstderr_logfile_maxage=1.5\n"
    )
    (group,) = read(tmp_path, PROGRAM + lines).groups
    stdout, stderr = group.process_configs[0].stdout, group.process_configs[0].stderr
    assert stdout.logfile_mode == 0o640
    assert stdout.logfile_rotate == RotationPeriod("weekly")
    assert not stdout.has_compressed_backups
    assert stderr.logfile_rotate == RotationPeriod(seconds=900.0)
    assert stderr.has_compressed_backups
    assert stderr.logfile_maxage == 1.5
    assert stderr.logfile_mode is None


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("mode", "0888", "not an octal file mode, such as 0640: '0888'"),
        ("owner", "nobodyxx", "Invalid user:group definition nobodyxx"),
        ("owner", "root:nogroupxx", "Invalid user:group definition root:nogroupxx"),
        ("owner", ":", "Invalid user:group definition :"),
        ("rotate", "monthly", "not hourly, daily, weekly or a time in seconds: 'monthly'"),
        ("rotate", "0", "time out of range: '0' (at least 1 s)"),
        ("compress", "xz", "'xz' is not one of none, gzip"),
        ("maxage", "-1", "'-1' is out of range (0 to 36500)"),
        ("maxage", "30d", "not a number: '30d'"),
    ],
)
def test_mistakes(tmp_path: Path, option: str, value: str, message: str) -> None:
    for stream in ("stdout", "stderr"):
        name = f"{stream}_logfile_{option}"
        found = refusal(tmp_path, f"{PROGRAM}{name}={value}\n")
        assert found == located(message, "program:x", name)


@pytest.mark.parametrize(
    ("owner", "is_refused"),
    [("0", True), ("4242", False), ("4242:4343", False), ("4242:0", True), ("4242:4444", False)],
)
def test_an_owner_without_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str, *, is_refused: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "getegid", lambda: 4343)
    monkeypatch.setattr(os, "getgroups", lambda: [4444])
    text = f"{PROGRAM}stderr_logfile_owner={owner}\n"
    if is_refused:
        message = located(FOREIGN_OWNER, "program:x", "stderr_logfile_owner")
        assert refusal(tmp_path, text) == message
    else:
        read(tmp_path, text)


def test_a_mode_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write to any file."""
    text = f"{PROGRAM}stdout_logfile_mode=0440\n"
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert refusal(tmp_path, text) == located(READ_ONLY, "program:x", "stdout_logfile_mode")
    read(tmp_path, text.replace("0440", "0640"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    read(tmp_path, text)


@needs_root
def test_an_owner_for_a_daemon_that_drops_root_privileges(tmp_path: Path) -> None:
    """Logs are opened after that."""
    text = f"user={UID}\n{PROGRAM}stdout_logfile_owner=0\n"
    assert refusal(tmp_path, text) == located(FOREIGN_OWNER, "program:x", "stdout_logfile_owner")
    read(tmp_path, f"user={UID}\n{PROGRAM}stdout_logfile_owner={UID}:{UID}\n")


@needs_root
def test_a_missing_group_is_found_for_each_process(tmp_path: Path) -> None:
    text = f"{PROGRAM}numprocs=3\nprocess_name=p%(process_num)d\nstdout_logfile_owner={UID}\n"
    (group,) = read(tmp_path, text).groups
    assert {each.stdout.logfile_owner for each in group.process_configs} == {(UID, -1)}


OPTIONS = {
    "mode": "0640",
    "owner": str(os.geteuid()),
    "rotate": "daily",
    "compress": "gzip",
    "maxage": "30",
}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("", None),
        ("stdout_logfile=%(here)s/x\n", None),
        ("stdout_logfile=NONE\n", "the program has no stdout_logfile"),
        ("stdout_logfile=syslog\n", "the program has no stdout_logfile"),
        ("stdout_logfile=/dev/stdout\n", "/dev/stdout is no regular file"),
    ],
)
def test_options_without_a_file_are_warnings(
    tmp_path: Path, lines: str, reason: str | None
) -> None:
    values = "".join(f"stdout_logfile_{name}={value}\n" for name, value in OPTIONS.items())
    warnings = read(tmp_path, PROGRAM + lines + values).warnings
    where = f"in section 'program:x' (file: '{tmp_path / 'c.conf'}')"
    assert [each for each in warnings if "has no effect" in each] == [
        f"option 'stdout_logfile_{name}' has no effect {where}: {reason}"
        for name in OPTIONS
        if reason is not None
    ]


def test_rules_for_backups_without_backups_are_warnings(tmp_path: Path) -> None:
    lines = "stderr_logfile_backups=0\nstderr_logfile_compress=gzip\nstderr_logfile_maxage=3\n"
    where = f"in section 'program:x' (file: '{tmp_path / 'c.conf'}')"
    assert [each for each in read(tmp_path, PROGRAM + lines).warnings if "effect" in each] == [
        f"option 'stderr_logfile_{name}' {where} has no effect: stderr_logfile_backups is 0"
        for name in ("compress", "maxage")
    ]
