"""Time from exec until all programs are up, and from SIGTERM to the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import (
    Asker,
    Bench,
    Figures,
    answers,
    call_request,
    child,
    cpu_seconds,
    head,
    memory_mib,
    programs,
    stamps,
    wait_for,
)
from tests.support.daemon import Implementation

PUBLIC_PYTHON = "/usr/bin/python3"
"""An interpreter that every user can read and run; it must be 3.11 or later."""


def boot_and_shutdown(bench: Bench, count: int) -> Figures:
    """Start with `count` programs, which report when they run, then shut down."""
    config = head(count) + programs(count, f"{child('stamp')} %(here)s/stamps")
    daemon = bench.daemon(config)
    with stamps(daemon) as from_children:
        began = time.monotonic()
        process = daemon.launch()
        try:
            if count:
                up = from_children.take(count)
            wait_for(lambda: answers(daemon.socket_path))
            if not count:
                up = time.monotonic()
            cpu = cpu_seconds(process.pid)
            ended = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait()
            gone = time.monotonic()
        finally:
            daemon.stop()
    figures = {"up [ms]": [(up - began) * 1e3], "CPU [ms]": [cpu * 1e3]}
    if count:
        figures["shutdown [ms]"] = [(gone - ended) * 1e3]
    return figures


def first_answer(bench: Bench, count: int) -> Figures:
    """Start with `count` programs; measure the first response to a client that asks at once."""
    config = head(count) + programs(count, f"{child('stamp')} %(here)s/stamps")
    daemon = bench.daemon(config)
    with stamps(daemon) as from_children:
        began = time.monotonic()
        daemon.launch()
        try:
            wait_for(lambda: answers(daemon.socket_path))
            with closing(Asker(daemon, call_request("supervisor.getState"))) as client:
                client.ask()
            answered = time.monotonic()
            up = from_children.take(count)
        finally:
            daemon.stop()
    return {"first response [ms]": [(answered - began) * 1e3], "up [ms]": [(up - began) * 1e3]}


def boot_as(bench: Bench, user: str) -> Figures:
    """Start without programs and with `user=`; needs root.  Measure the first answer and memory."""
    entry = pwd.getpwnam(user)
    if entry.pw_uid != os.getuid():
        bench = readable_by_all(bench)
    daemon = bench.daemon(f"{head(0)}user={user}\n")
    os.chown(daemon.directory, entry.pw_uid, entry.pw_gid)
    os.chown(daemon.config_path, entry.pw_uid, entry.pw_gid)
    began = time.monotonic()
    process = daemon.launch()
    try:
        wait_for(lambda: answers(daemon.socket_path))
        up, cpu = time.monotonic(), cpu_seconds(process.pid)
        daemon.rpc.supervisor.getState()
        daemon.close_rpc()
        memory = memory_mib(process.pid)
    finally:
        daemon.stop()
    return {
        "up [ms]": [(up - began) * 1e3],
        "CPU [ms]": [cpu * 1e3],
        "memory, PSS [MiB]": [memory],
    }


def readable_by_all(bench: Bench) -> Bench:
    """Return a bench whose daemon any user can run: Debian's interpreter, packages copied.

    The environments of the tests may be below a home directory, where 4.3.0 fails to import its
    own modules once it has changed the user.
    """
    directory = bench.directory / "public" / bench.implementation.name
    script = directory / "supervisord"
    if not script.exists():
        original = Path(bench.implementation.command("supervisord")[0])
        packages = original.parent.parent / "lib"
        if bench.implementation.name == "reference":
            packages = next(packages.glob("python*")) / "site-packages"
        shutil.copytree(packages, directory / "lib", ignore=shutil.ignore_patterns("pip*"))
        script.write_text(
            f"#!{PUBLIC_PYTHON}\nimport sys\nsys.path.insert(0, {str(directory / 'lib')!r})\n"
            "from supervisor.supervisord import main\nsys.exit(main())\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
        compile_it = [PUBLIC_PYTHON, "-m", "compileall", "-q", directory / "lib" / "supervisor"]
        subprocess.run(compile_it, check=True)
        bench.directory.chmod(0o711)
    return replace(
        bench, implementation=Implementation(bench.implementation.name, (f"{directory}/",))
    )
