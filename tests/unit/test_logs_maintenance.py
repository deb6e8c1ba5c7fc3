"""The maintenance of logs: rotation at boundaries, one helper at a time, backups that stay."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.rotation_period import RotationPeriod
from supervisor.engine.loop import Loop
from supervisor.logs import compression, maintenance, rotation
from supervisor.logs.compression import Compression
from supervisor.logs.gzip_child import compress
from supervisor.logs.maintenance import MAX_WAIT_SECONDS, LogMaintenance
from supervisor.logs.policy import LogPolicy
from supervisor.logs.sinks import Sink, clear, open_sink
from tests.support.clock import FakeClock
from tests.support.world import StillPoller

MINUTE = RotationPeriod(seconds=60.0)
START = 1_700_000_040.0
"""A multiple of a minute."""

DAY = 86400.0


class Helper:
    """A helper whose end is chosen by the test."""

    def __init__(self, source: int, target: int, on_end: Callable[[str | None], object]) -> None:
        self.source, self.target, self.on_end = source, target, on_end
        self.is_cancelled = False

    def cancel(self) -> None:
        """Note that it has been killed."""
        self.is_cancelled = True

    def finish(self) -> None:
        """Do the work and end."""
        compress(self.source, self.target)
        self.on_end(None)


class Site:
    """A maintenance on a loop with a fake clock, its helpers and reports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock(START)
        self.loop = Loop(self.clock, StillPoller())
        self.helpers: list[Helper] = []
        self.deadlines: list[float] = []
        self.reports: list[str] = []
        self.refusal: OSError | None = None
        self.maintenance = LogMaintenance(self.loop, self.start_helper, self.reports.append)

    def close(self) -> None:
        """End everything."""
        self.maintenance.close()
        self.loop.close()

    def start_helper(
        self, source: int, target: int, timeout: float, on_end: Callable[[str | None], object]
    ) -> Helper:
        """Stand in for the process layer."""
        if self.refusal is not None:
            raise self.refusal
        self.helpers.append(Helper(source, target, on_end))
        self.deadlines.append(timeout)
        return self.helpers[-1]

    def policy(self, **options: object) -> LogPolicy:
        """Return a policy of this maintenance."""
        return LogPolicy(maintenance=self.maintenance, **{"backups": 5, **options})  # type: ignore[arg-type]

    def open(self, name: str = "log", **options: object) -> Sink:
        """Open a log."""
        return open_sink(str(self.directory / name), policy=self.policy(**options))

    def pass_time(self, seconds: float) -> None:
        """Advance the clock and run what has come due, also what it calls."""
        self.clock.advance(seconds)
        for _ in range(5):
            self.loop.run_once(0)

    def files(self) -> dict[str, bytes]:
        """Return the contents of the directory, decompressed."""
        return {
            path.name: gzip.decompress(path.read_bytes())
            if path.suffix == ".gz"
            else path.read_bytes()
            for path in self.directory.iterdir()
        }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


class TestRotationByTime:
    """Open logs are rotated at the boundaries of their period."""

    def test_a_log_is_rotated_at_the_boundary_unless_it_is_empty(self, site: Site) -> None:
        sink = site.open(period=MINUTE)
        sink.write(b"one\n")
        site.pass_time(59)
        assert site.files() == {"log": b"one\n"}
        site.pass_time(1)
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        site.pass_time(60)
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        sink.write(b"two\n")
        site.pass_time(60)
        assert site.files() == {"log": b"", "log.1": b"two\n", "log.2": b"one\n"}
        sink.close()

    def test_without_backups_the_file_is_truncated(self, site: Site) -> None:
        sink = site.open(period=MINUTE, backups=0)
        sink.write(b"one\n")
        site.pass_time(60)
        assert site.files() == {"log": b""}
        sink.close()

    def test_all_logs_of_a_period_share_a_timer(self, site: Site) -> None:
        site.pass_time(7)
        sinks = [site.open(f"log{number}", period=MINUTE) for number in range(3)]
        active = [timer for _, _, timer in site.loop._timers if timer.action is not None]
        assert [timer.when - site.clock.monotonic() for timer in active] == [53.0]
        for sink in sinks:
            sink.write(b"x")
        site.pass_time(53)
        assert len(site.files()) == 6
        for sink in sinks:
            sink.close()

    def test_without_open_logs_there_is_no_timer(self, site: Site) -> None:
        site.open(period=MINUTE).close()
        site.pass_time(60)
        assert all(timer.action is None for _, _, timer in site.loop._timers)

    def test_a_log_with_two_writers_is_rotated_once(self, site: Site) -> None:
        first, second = site.open(period=MINUTE), site.open(period=MINUTE)
        first.write(b"one\n")
        second.write(b"two\n")
        site.pass_time(60)
        assert site.files() == {"log": b"", "log.1": b"one\ntwo\n"}
        first.close()
        second.write(b"three\n")
        site.pass_time(60)
        assert site.files()["log.1"] == b"three\n"
        second.close()

    def test_a_closed_log_is_left_alone_until_it_is_opened_again(self, site: Site) -> None:
        sink = site.open(period=MINUTE)
        sink.write(b"one\n")
        os.utime(sink.path, (START, START))
        sink.close()
        site.pass_time(3600)
        assert site.files() == {"log": b"one\n"}
        sink = site.open(period=MINUTE)
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        sink.close()

    @pytest.mark.parametrize("other", [None, {}, {"is_compressed": True}, {"period": MINUTE}])
    def test_the_options_of_a_writer_that_has_left_do_not_count(
        self, site: Site, other: dict[str, Any] | None
    ) -> None:
        """An update replaces the writer of a running program, and opens the new one first."""
        first = site.open(period=MINUTE)
        policy = None if other is None else LogPolicy(backups=5, **other)
        second = open_sink(first.path, policy=policy)
        first.close(site.policy(period=MINUTE))
        second.write(b"one\n")
        assert second.policy == policy
        assert site.maintenance._periods._sinks == {}
        site.pass_time(60)
        assert site.files() == {"log": b"one\n"}
        second.close(policy)
        assert site.reports == []

    def test_the_options_of_a_writer_that_stays_go_on(self, site: Site) -> None:
        policy = site.policy(period=MINUTE)
        first, second = (open_sink(str(site.directory / "log"), policy=policy) for _ in range(2))
        third = open_sink(first.path, policy=site.policy(period=RotationPeriod("daily")))
        third.close(site.policy(period=RotationPeriod("daily")))
        second.close(policy)
        first.write(b"one\n")
        site.pass_time(60)
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        first.close(policy)

    def test_a_log_that_is_cleared_is_not_rotated_first(self, site: Site) -> None:
        policy = site.policy(period=MINUTE)
        log = site.directory / "log"
        log.write_bytes(b"secret\n")
        os.utime(log, (START - 1, START - 1))
        clear(str(log), policy)
        assert site.files() == {"log": b""}
        assert site.maintenance._periods._sinks == {}

    @pytest.mark.parametrize(
        ("written_at", "is_due"), [(START - 1, True), (START, False), (START + DAY, False)]
    )
    def test_a_log_of_the_last_run_is_rotated_if_its_period_is_over(
        self, site: Site, written_at: float, *, is_due: bool
    ) -> None:
        log = site.directory / "log"
        log.write_bytes(b"before\n")
        os.utime(log, (written_at, written_at))
        site.open(period=MINUTE).close()
        assert ("log.1" in site.files()) is is_due

    def test_a_clock_that_is_set_forward(self, site: Site) -> None:
        """The rotation is late by the longest wait at most."""
        hour = RotationPeriod("hourly")
        sink = site.open(period=hour)
        sink.write(b"one\n")
        site.clock.set_wall(START + 5 * 3600)
        site.pass_time(MAX_WAIT_SECONDS)
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        sink.close()

    def test_a_clock_that_is_set_back(self, site: Site) -> None:
        """Boundaries are those of the new time; the log is not left for the old ones."""
        sink = site.open(period=RotationPeriod("hourly"))
        sink.write(b"one\n")
        site.clock.set_wall(START - 30 * DAY)
        for _ in range(7):
            site.pass_time(MAX_WAIT_SECONDS)
        assert site.files()["log.1"] == b"one\n"
        sink.close()

    def test_many_rotations_are_spread_over_iterations(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def rotate(sink: Sink, backups: int) -> None:
            rotation.rotate_if_not_empty(sink, backups)
            site.clock.advance(0.004)

        monkeypatch.setattr(maintenance, "rotate_if_not_empty", rotate)
        sinks = [site.open(f"log{number}", period=MINUTE) for number in range(10)]
        for sink in sinks:
            sink.write(b"x")
        site.clock.advance(60)
        rotated = []
        for _ in range(4):
            site.loop.run_once(0)
            rotated.append(sum(name.endswith(".1") for name in site.files()))
        assert rotated == [3, 6, 9, 10]
        for sink in sinks:
            sink.close()

    def test_rotations_that_take_longer_than_their_period(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One log in each iteration, and none waits twice."""
        rotated: list[Sink] = []

        def rotate(sink: Sink, _backups: int) -> None:
            rotated.append(sink)
            site.clock.advance(1.0)

        monkeypatch.setattr(maintenance, "rotate_if_not_empty", rotate)
        period = RotationPeriod(seconds=2.0)
        sinks = [site.open(f"log{number}", period=period) for number in range(5)]
        site.clock.advance(2)
        for turn in range(1, 13):
            site.loop.run_once(0)
            assert len(rotated) == turn
            assert len(site.maintenance._periods._pending) <= len(sinks)
        assert set(rotated) == set(sinks)
        for sink in sinks:
            sink.close()

    def test_a_log_that_is_closed_before_its_turn(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def rotate(sink: Sink, backups: int) -> None:
            rotation.rotate_if_not_empty(sink, backups)
            site.clock.advance(0.02)

        monkeypatch.setattr(maintenance, "rotate_if_not_empty", rotate)
        sinks = [site.open(f"log{number}", period=MINUTE) for number in range(2)]
        for sink in sinks:
            sink.write(b"x")
        site.clock.advance(60)
        site.loop.run_once(0)
        sinks[1].close()
        site.pass_time(1)
        assert site.files() == {"log0": b"", "log0.1": b"x", "log1": b"x"}
        assert site.reports == []
        sinks[0].close()

    def test_a_log_that_cannot_be_rotated_is_one_line(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_sink: Sink, _backups: int) -> None:
            raise OSError(28, "No space left on device")

        sink = site.open(period=MINUTE)
        sink.write(b"x")
        monkeypatch.setattr(maintenance, "rotate_if_not_empty", refuse)
        site.pass_time(60)
        assert site.reports == [f"cannot rotate log {sink.path}: No space left on device"]
        sink.close()

    def test_a_fifo_is_never_rotated(self, site: Site) -> None:
        os.mkfifo(site.directory / "log")
        sink = site.open(period=MINUTE, is_compressed=True)
        assert site.maintenance._periods._sinks == {}
        sink.close()


class TestCompression:
    """Backups are compressed one after the other."""

    def rotate(self, sink: Sink, text: bytes) -> None:
        """Write and rotate."""
        sink.write(text)
        rotation.rotate_if_not_empty(sink, 5)

    def test_a_backup_is_compressed_with_its_mode_and_time(self, site: Site) -> None:
        sink = site.open(is_compressed=True)
        os.fchmod(sink.fd, 0o604)
        sink.write(b"one\n")
        os.utime(sink.path, (START, START))
        rotation.rotate_if_not_empty(sink, 5)
        assert set(site.files()) == {"log", "log.1", "log.compressing"}
        site.helpers[0].finish()
        assert site.files() == {"log": b"", "log.1.gz": b"one\n"}
        status = (site.directory / "log.1.gz").stat()
        assert (status.st_mode & 0o777, status.st_mtime) == (0o604, START)
        sink.close()

    def test_rotations_during_a_compression(self, site: Site) -> None:
        """The backup gets the number that it has at the end; others follow, one at a time."""
        sink = site.open(is_compressed=True)
        for text in (b"one\n", b"two\n", b"three\n"):
            self.rotate(sink, text)
        assert len(site.helpers) == 1
        site.helpers[0].finish()
        assert site.files()["log.3.gz"] == b"one\n"
        assert len(site.helpers) == 2
        site.helpers[1].finish()
        site.helpers[2].finish()
        assert len(site.helpers) == 3
        self.rotate(sink, b"four\n")
        site.helpers[3].finish()
        assert site.files() == {
            "log": b"",
            "log.1.gz": b"four\n",
            "log.2.gz": b"three\n",
            "log.3.gz": b"two\n",
            "log.4.gz": b"one\n",
        }
        sink.close()

    def test_the_oldest_is_removed_in_either_form(self, site: Site) -> None:
        for name in ("log.4", "log.5.gz", "log.2.gz"):
            data = name.encode()
            path = site.directory / name
            path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        sink = site.open(is_compressed=True)
        self.rotate(sink, b"new\n")
        site.maintenance.close()
        assert site.files() == {
            "log": b"",
            "log.1": b"new\n",
            "log.3.gz": b"log.2.gz",
            "log.5": b"log.4",
        }
        sink.close()

    def test_a_backup_that_is_rotated_out_meanwhile(self, site: Site) -> None:
        sink = site.open(is_compressed=True, backups=1)
        sink.write(b"one\n")
        rotation.rotate_if_not_empty(sink, 1)
        sink.write(b"two\n")
        rotation.rotate_if_not_empty(sink, 1)
        site.helpers[0].finish()
        site.helpers[1].finish()
        assert site.files() == {"log": b"", "log.1.gz": b"two\n"}
        sink.write(b"three\n")
        rotation.rotate_if_not_empty(sink, 1)
        site.maintenance.close()
        assert site.files() == {"log": b"", "log.1": b"three\n"}
        assert site.reports == []
        sink.close()

    def test_logs_wait_for_each_other(self, site: Site) -> None:
        sinks = [site.open(name, is_compressed=True) for name in ("a", "b")]
        for sink in sinks:
            self.rotate(sink, b"x\n")
            sink.close()
        assert len(site.helpers) == 1
        site.helpers[0].finish()
        site.helpers[1].finish()
        assert site.files() == {"a": b"", "a.1.gz": b"x\n", "b": b"", "b.1.gz": b"x\n"}

    def test_many_logs_without_backups_are_spread_over_iterations(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They wait while another log is compressed, as after the start of many programs."""
        seen: list[str] = []

        def begin(path: str, count: int) -> Compression | None:
            seen.append(path)
            site.clock.advance(0.004)
            return compression.begin_compression(path, count)

        sinks = [site.open("large", is_compressed=True)]
        self.rotate(sinks[0], b"x\n")
        monkeypatch.setattr(maintenance, "begin_compression", begin)
        sinks += [site.open(f"log{number}", is_compressed=True) for number in range(10)]
        site.helpers[0].finish()
        sinks.append(site.open("late", is_compressed=True))
        looked_at = [len(seen)]
        for _ in range(4):
            site.loop.run_once(0)
            looked_at.append(len(seen))
        assert looked_at == [2, 4, 6, 8, 10]
        assert site.reports == []
        for sink in sinks:
            sink.close()

    @pytest.mark.parametrize("reason", ["No space left on device", "terminated by SIGKILL"])
    def test_after_a_failure_the_plain_file_stays(self, site: Site, reason: str) -> None:
        sink = site.open(is_compressed=True)
        self.rotate(sink, b"one\n")
        os.write(site.helpers[0].target, b"half")
        site.helpers[0].on_end(reason)
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        assert site.reports == [f"cannot compress a backup of log {sink.path}: {reason}"]
        assert len(site.helpers) == 1
        self.rotate(sink, b"two\n")  # the next rotation tries both
        site.helpers[1].finish()
        site.helpers[2].finish()
        assert site.files() == {"log": b"", "log.1.gz": b"two\n", "log.2.gz": b"one\n"}
        sink.close()

    def test_a_helper_that_cannot_be_started(self, site: Site) -> None:
        site.refusal = OSError(11, "Resource temporarily unavailable")
        sink = site.open(is_compressed=True)
        self.rotate(sink, b"one\n")
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        assert len(site.reports) == 1
        sink.close()

    def test_a_backup_that_another_process_still_writes_to(self, site: Site) -> None:
        sink = site.open(is_compressed=True)
        self.rotate(sink, b"one\n")
        helper = site.helpers[0]
        compress(helper.source, helper.target)
        with open(site.directory / "log.1", "ab") as late:
            late.write(b"late\n")
        helper.on_end(None)
        assert site.files() == {"log": b"", "log.1": b"one\nlate\n"}
        assert site.reports[0].endswith(": another process is writing to it")
        sink.close()

    def test_the_end_of_the_daemon(self, site: Site) -> None:
        """The helper is killed; the daemon that follows compresses what is left."""
        sink = site.open(is_compressed=True, period=MINUTE)
        self.rotate(sink, b"one\n")
        site.maintenance.close()
        site.maintenance.close()
        assert site.helpers[0].is_cancelled
        assert site.files() == {"log": b"", "log.1": b"one\n"}
        self.rotate(sink, b"two\n")
        site.pass_time(3600)
        sink.close()
        assert len(site.helpers) == 1
        (site.directory / "log.compressing").write_bytes(b"half, from a crash")
        following = Site(site.directory)
        sink = following.open(is_compressed=True)
        following.helpers[0].finish()
        following.helpers[1].finish()
        assert following.files() == {"log": b"", "log.1.gz": b"two\n", "log.2.gz": b"one\n"}
        sink.close()
        following.close()

    def test_a_stale_unfinished_file_without_a_backup_is_removed(self, site: Site) -> None:
        (site.directory / "log.compressing").write_bytes(b"half")
        site.open(is_compressed=True).close()
        assert site.files() == {"log": b""}

    def test_what_is_no_backup_is_left_alone(self, site: Site) -> None:
        (site.directory / "log.1").mkdir()
        (site.directory / "log.2").symlink_to("/etc/passwd")
        site.open(is_compressed=True, max_age_seconds=1.0).close()
        assert site.helpers == []
        assert site.reports == []
        assert (site.directory / "log.2").is_symlink()

    def test_the_deadline_follows_from_the_size(self, site: Site) -> None:
        sink = site.open(is_compressed=True)
        os.truncate(sink.path, 600_000_000)
        rotation.rotate(sink, 1, 5)
        assert site.deadlines == [660.0]
        site.maintenance.close()
        sink.close()


class TestAge:
    """Backups are removed when they are too old, at rotations and when the log is opened."""

    def backups(self, site: Site) -> None:
        """Make backups, one for each day before."""
        for number, name in enumerate(["log.1", "log.2.gz", "log.3", "log.17"]):
            path = site.directory / name
            path.write_bytes(b"")
            at = START - (number + 0.5) * DAY
            os.utime(path, (at, at))

    @pytest.mark.parametrize(
        ("days", "left"),
        [
            (0.0, {"log.1", "log.2.gz", "log.3", "log.17"}),
            (9.0, {"log.1", "log.2.gz", "log.3", "log.17"}),
            (2.0, {"log.1", "log.2.gz"}),
            (1.0, {"log.1"}),
            (0.1, set()),
        ],
    )
    def test_when_the_log_is_opened(self, site: Site, days: float, left: set[str]) -> None:
        self.backups(site)
        site.open(max_age_seconds=days * DAY).close()
        assert {path.name for path in site.directory.iterdir()} == {"log", *left}

    def test_after_a_rotation(self, site: Site) -> None:
        sink = site.open(max_age_seconds=2 * DAY)
        self.backups(site)
        sink.write(b"new\n")
        os.utime(sink.path, (START, START))
        rotation.rotate_if_not_empty(sink, 5)
        assert {path.name for path in site.directory.iterdir()} == {
            *("log", "log.1", "log.2", "log.3.gz")
        }
        sink.close()
