"""Tools for rows: a daemon of either implementation, children in C, the kernel's accounting.

A row is a function `(Bench, ...) -> Figures`.  It measures one implementation once; `__main__`
calls it for both alternately, several times, and collects the samples of each figure.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import meld3

from tests.support import proctable
from tests.support.daemon import Daemon, Implementation, reference
from tests.support.reference import reference_environment

ROOT = Path(__file__).parent.parent
CHILDREN = Path(__file__).parent / "children"
MEMORY_DIRECTORY = Path("/dev/shm")  # noqa: S108 - logs there, so that no disk is measured
PAUSE_SECONDS = 0.0005
DEADLINE_SECONDS = 120

Figures = dict[str, list[float]]
"""Figure and unit, `answer [ms]` for example -> its samples."""

T = TypeVar("T")


@dataclass(frozen=True)
class Bench:
    """One implementation, a directory for its daemons, and whether this is the quick form."""

    implementation: Implementation
    directory: Path
    quick: bool

    def times(self, full: int, quick: int) -> int:
        """Return the number of repetitions for the full or the quick form."""
        return quick if self.quick else full

    def daemon(self, config: str = "") -> Daemon:
        """Return a daemon that has not been started, in its own directory."""
        directory = Path(tempfile.mkdtemp(dir=self.directory))
        return Daemon(
            directory,
            config,
            implementation=self.implementation,
            seconds=DEADLINE_SECONDS,
        )


def work_directory() -> str | None:
    """Return a directory for files, in memory if possible."""
    return str(MEMORY_DIRECTORY) if os.access(MEMORY_DIRECTORY, os.W_OK) else None


def implementations(directory: Path) -> dict[str, Implementation]:
    """Return both, compiled, on the same interpreter and with the same installed packages."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    package = directory / "lib" / "supervisor"
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "supervisor", package, ignore=without_caches)
    templates = Path(meld3.__file__).parent  # the reference has its own
    shutil.copytree(templates, package.parent / "meld3", ignore=without_caches)
    python = reference_environment() / "bin" / "python"
    subprocess.run([python, "-m", "compileall", "-q", package.parent], check=True)
    scripts = directory / "bin"
    scripts.mkdir()
    for name in ("supervisord", "supervisorctl"):
        script = scripts / name
        script.write_text(
            f"#!{python}\n"
            f"import sys\nsys.path[0] = {str(package.parent)!r}\n"
            f"from supervisor.{name} import main\nsys.exit(main())\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
    return {"ours": Implementation("ours", (f"{scripts}/",)), "4.3.0": reference()}


@cache
def children_directory() -> tempfile.TemporaryDirectory[str]:
    """Return the directory of the compiled children, which is removed when the benchmarks end."""
    return tempfile.TemporaryDirectory(prefix="benchmarks-")


@cache
def child(name: str) -> str:
    """Return the path of a program of `children/`, compiled on first use.

    It is linked statically if possible, so that the time to load shared libraries is not
    measured.
    """
    program = Path(children_directory().name) / name
    compile_it = [*_compiler(), "-o", str(program), str(CHILDREN / f"{name}.c")]
    if subprocess.run(compile_it, check=False).returncode != 0:
        sys.exit(f"{compile_it[0]} cannot compile {name}.c: the benchmarks need a C compiler")
    return str(program)


@cache
def _compiler() -> list[str]:
    """Return the compiler and its options."""
    compiler = [os.environ.get("CC", "cc"), "-O2"]
    statically = [*compiler, "-static"]
    probe = [*statically, "-x", "c", "-o", f"{children_directory().name}/probe", "-"]
    program = b"int main(void) { return 0; }"
    result = subprocess.run(probe, input=program, stderr=subprocess.DEVNULL, check=False)
    return compiler if result.returncode else statically


def programs(count: int, command: str = "", options: str = "") -> str:
    """Return the section of a homogeneous group `many` of `count` quiet programs."""
    return (
        f"""
        [program:many]
        command={command or child("stamp")}
        process_name=%(program_name)s_%(process_num)s
        numprocs={count}
        stdout_logfile=NONE
        redirect_stderr=true
        startsecs=0
        {options}
        """
        if count
        else ""
    )


def head(count: int) -> str:
    """Return options of `[supervisord]` for `count` programs."""
    return f"minfds={max(1024, 5 * count + 100)}\n"


# -- waiting and asking --------------------------------------------------------


def wait_for(predicate: Callable[[], T], pause: float = PAUSE_SECONDS) -> T:
    """Poll until a condition is true, at a much shorter interval than tests do."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError("a benchmark waited for something that never happened")
        time.sleep(pause)
    return answer


class Stamps:
    """A FIFO to which children write timestamps."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "stamps"
        os.mkfifo(self.path)
        self._file = os.fdopen(os.open(self.path, os.O_RDWR), "rb", buffering=0)
        self._rest = b""

    def next(self) -> tuple[float, int]:
        """Wait for the next stamp; return its monotonic time in seconds and its number."""
        while b"\n" not in self._rest:
            self._rest += self._file.read(65536)
        line, _, self._rest = self._rest.partition(b"\n")
        nanoseconds, number = line.split()
        return int(nanoseconds) / 1e9, int(number)

    def take(self, count: int) -> float:
        """Wait for a number of stamps; return the time of the latest."""
        return max(self.next()[0] for _ in range(count))

    def close(self) -> None:
        """Close the FIFO."""
        self._file.close()


@contextmanager
def stamps(daemon: Daemon) -> Iterator[Stamps]:
    """Create a FIFO `stamps` in the daemon's directory; its path is `%(here)s/stamps`."""
    made = Stamps(daemon.directory)
    try:
        yield made
    finally:
        made.close()


class Asker:
    """A client that repeats one HTTP request and reads the complete responses."""

    def __init__(self, daemon: Daemon, request: bytes) -> None:
        self.path = str(daemon.socket_path)
        self.request = request
        self.socket: socket.socket | None = None

    def ask(self, *, keep: bool = True) -> bytes:
        """Return the body of the response; the connection is kept for the next request.

        Raises `RuntimeError` for another status than 200: an error page is quick to make.
        """
        if self.socket is None:
            self.socket = connect(self.path)
        self.socket.sendall(self.request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._more()
        head, _, rest = head.partition(b"\r\n\r\n")
        if b" 200 " not in head[:15]:
            raise RuntimeError(f"the response is {head.decode()}")
        chunks, length = [rest], len(rest)
        wanted = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while length < wanted:
            chunks.append(self._more())
            length += len(chunks[-1])
        if not keep or b"connection: close" in head.lower():
            self.close()
        return b"".join(chunks)

    def _more(self) -> bytes:
        assert self.socket is not None  # noqa: S101 - for type checkers
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("the daemon closed a connection in the middle of an answer")
        return data

    def close(self) -> None:
        """Close the kept connection."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def connect(path: str) -> socket.socket:
    """Return a connection to a unix socket."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


def call_request(method: str, *names: str) -> bytes:
    """Return the HTTP request of an XML-RPC call whose parameters are names."""
    body = xmlrpc.client.dumps(names, method).encode()
    head = (
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answers(path: Path) -> bool:
    """Whether a server accepts connections at a socket."""
    with suppress(OSError):
        connect(str(path)).close()
        return True
    return False


# -- the kernel's accounting ---------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, user and system, to the nanosecond.

    The clock id is computed as in clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def wake_ups(pid: int) -> int:
    """Return the number of voluntary context switches of a process so far."""
    return proctable.voluntary_switches(pid)


def memory_mib(pid: int) -> float:
    """Return the proportional set size of a process."""
    return proctable.proportional_bytes(pid) / 1024**2


def short(value: float) -> str:
    """Return three digits of a number, all digits of a larger one."""
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.3g}"
