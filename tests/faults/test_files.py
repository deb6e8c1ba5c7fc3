"""Files: who may say what they lead to, and who may have them at the same time."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.namespaces import private_dev
from tests.support.ports import free_port
from tests.support.strangers import give_away, needs_root
from tests.support.waiting import wait_until


def test_a_second_daemon_with_the_same_pid_file_changes_nothing(directory: Path) -> None:
    """It has a socket of its own, so that only the pid file can refuse it."""
    config = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=0\n"
    with Daemon(directory, config) as daemon:
        pid = daemon.wait_for_state("x", "RUNNING")["pid"]
        (directory / "other").mkdir()
        other = Daemon(directory / "other", f"pidfile={directory}/supervisord.pid\n{config}")
        assert other.launch().wait(20) == 2
        said = other.output_text()
        assert f"Another supervisord (pid {daemon.pid}) holds the pid file" in said
        assert len(said.splitlines()) == 2
        assert sorted(path.name for path in other.directory.iterdir()) == [
            "output.txt",
            "supervisord.conf",
        ]
        assert daemon.info("x")["pid"] == pid
        assert daemon.text("supervisord.pid") == f"{daemon.pid}\n"


def test_the_lock_goes_with_the_daemon_to_the_background(directory: Path) -> None:
    with Daemon(directory, arguments=()) as daemon:
        (directory / "other").mkdir()
        other = Daemon(directory / "other", f"pidfile={directory}/supervisord.pid\n")
        assert other.launch().wait(20) == 2
        assert f"(pid {daemon.pid})" in other.output_text()


def test_a_pid_file_of_a_daemon_that_was_killed_refuses_nobody(directory: Path) -> None:
    daemon = Daemon(directory)
    daemon.start()
    daemon.kill()
    assert (directory / "supervisord.pid").exists()
    with Daemon(directory) as successor:
        assert successor.text("supervisord.pid") == f"{successor.pid}\n"


def test_a_reload_keeps_the_pid_file(directory: Path) -> None:
    with Daemon(directory) as daemon:
        daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        wait_until(lambda: daemon.text("supervisord.pid") == f"{daemon.pid}\n")


@needs_root
def test_root_does_not_log_where_somebody_elses_link_leads(directory: Path) -> None:
    """The program is not started, and the file behind the link stays as it is."""
    precious = directory / "precious"
    precious.write_text("precious", encoding="utf-8")
    link = directory / "x.log"
    link.symlink_to(precious)
    os.lchown(link, 65534, 65534)
    config = f"""
[program:x]
command={child("echo")}
startretries=0
stdout_logfile={link}
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "FATAL")
        assert "symbolic link of another user" in daemon.log_text()
    assert precious.read_text(encoding="utf-8") == "precious"


def test_a_log_that_cannot_be_read_is_a_plain_answer(directory: Path) -> None:
    """A fifo without a writer would make the reader wait, /dev/zero would never end."""
    os.mkfifo(directory / "fifo")
    (directory / "zero").symlink_to("/dev/zero")
    program = "[program:{0}]\ncommand=x\nautostart=false\nstdout_logfile={1}\n"
    logs = {"fifo": directory / "fifo", "zero": directory / "zero"}
    with Daemon(directory, "".join(program.format(*each) for each in logs.items())) as daemon:
        for name, reason in (("fifo", "it is a fifo"), ("zero", "it is a device")):
            said = daemon.ctl("tail", name)
            why = f"cannot read {logs[name]}: {reason}"
            assert (said.stdout, said.returncode) == (f"{name}: ERROR ({why})\n", 1)
            assert "404" in daemon.ctl("tail", "-f", name).stderr
            assert daemon.rpc.supervisor.tailProcessStdoutLog(name, 0, 10) == ["", 0, False]


@needs_root
def test_the_null_device_is_an_empty_log(directory: Path) -> None:
    config = "[program:x]\ncommand=x\nautostart=false\nstdout_logfile=/dev/null\n"
    with Daemon(directory, config, within=private_dev()) as daemon:
        assert daemon.rpc.supervisor.readProcessStdoutLog("x", 0, 10) == ""
        said = daemon.ctl("tail", "x")
        assert (said.stdout, said.returncode) == ("\n", 0)


@needs_root
def test_root_does_not_show_the_target_of_another_users_link(directory: Path) -> None:
    secret, link = directory / "secret", directory / "x.log"
    secret.write_text("secret", encoding="utf-8")
    link.symlink_to(secret)
    give_away(link)
    config = f"[program:x]\ncommand=x\nautostart=false\nstdout_logfile={link}\n"
    with Daemon(directory, config) as daemon:
        shown = daemon.ctl("tail", "x").stdout
        assert shown == f"x: ERROR (cannot read {link}: it is a symbolic link of another user)\n"
        assert "404" in daemon.ctl("tail", "-f", "x").stderr
        assert daemon.rpc.supervisor.tailProcessStdoutLog("x", 0, 10) == ["", 0, False]


def test_a_fifo_among_the_included_files_is_not_waited_for(directory: Path) -> None:
    (directory / "conf.d").mkdir(mode=0o755)
    with Daemon(directory, "[include]\nfiles=conf.d/*\n") as daemon:
        os.mkfifo(directory / "conf.d/fifo")
        said = daemon.ctl("reread").stdout
        assert f"could not read config file {directory}/conf.d/fifo: it is a fifo" in said
        assert daemon.rpc.supervisor.getState()["statename"] == "RUNNING"


def test_a_child_inherits_no_fd(directory: Path) -> None:
    """Neither from the daemon nor from whoever started it."""
    config = """
[program:x]
command=/bin/ls -l /proc/self/fd
startsecs=0
autorestart=false
stdout_logfile=%(here)s/x.log
"""
    stray = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(stray, True)
    try:
        with Daemon(directory, config) as daemon:
            daemon.wait_for_state("x", "EXITED")
            entries = daemon.text("x.log").splitlines()[1:]
    finally:
        os.close(stray)
    fds = {line.partition(" -> ")[0].split()[-1] for line in entries}
    assert len(fds - {"0", "1", "2"}) == 1  # the folder that ls reads


def test_no_password_reaches_a_child(directory: Path) -> None:
    """Neither its environment nor its command line."""
    config = f"""
[program:x]
command=/usr/bin/env
startsecs=0
autorestart=false
stdout_logfile=%(here)s/x.log
[inet_http_server]
port=127.0.0.1:{free_port()}
username=user
password=verysecret
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "EXITED")
        assert "SUPERVISOR_PROCESS_NAME=x" in daemon.text("x.log")
        assert "verysecret" not in daemon.text("x.log")
        assert "verysecret" not in daemon.log_text()
        command = Path(f"/proc/{daemon.pid}/cmdline").read_text(encoding="utf-8")
        assert "verysecret" not in command


@needs_root
def test_another_user_has_none_of_roots_groups(directory: Path) -> None:
    directory.chmod(0o755)
    config = """
[program:x]
command=/usr/bin/id -G
user=nobody
startsecs=0
autorestart=false
stdout_logfile=%(here)s/x.log
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "EXITED")
        assert "0" not in daemon.text("x.log").split()


def test_the_log_warns_of_what_is_readable_or_unknown(directory: Path) -> None:
    daemon = Daemon(directory, "[program:x]\ncommand=/bin/cat\nautostrat=true\n")
    text = daemon.config_path.read_text(encoding="utf-8")
    daemon.config_path.write_text(f"{text}\n[supervisorctl]\npassword=x\n", encoding="utf-8")
    daemon.config_path.chmod(0o644)
    with daemon:
        log = daemon.log_text()
    for text in (
        "can be read by all users",
        "unknown option 'autostrat' in section 'program:x'",
        "section [supervisorctl] is defined 2 times",
    ):
        assert len([line for line in log.splitlines() if "WARN" in line and text in line]) == 1
