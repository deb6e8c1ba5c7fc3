"""The config of one stream of a process, and the rows of its options."""

from __future__ import annotations

from supervisor.common.text import PREFIX_FORMAT, RAW_FORMAT
from supervisor.config.conversions import (
    MAX_DAYS,
    file_mode,
    line_format,
    number,
    one_of,
    rotation_period,
)
from supervisor.config.option import option, option_record
from supervisor.config.targets import SYSLOG, copy_targets, log_of, standard_name
from supervisor.datatypes import (
    Automatic,
    LogTarget,
    boolean,
    byte_size,
    colon_separated_user_group,
    integer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.common.rotation_period import RotationPeriod


@option_record(frozen=True)
class StreamConfig:
    """The output of a process on one stream, stdout or stderr.

    `logfile` is a path, Automatic until the daemon has generated the path, or None, and
    `further_targets` are the targets behind it in the same option.  Frozen, because copies of a
    process's config share it.
    """

    capture_maxbytes: int = option(
        byte_size,
        "bytes that <!--XSUPERVISOR:BEGIN--> may capture; 0: off",
        default="0",
        info=1,
    )
    events_enabled: bool = option(
        boolean, "true sends an event for each line of {}", default="false", live=True, info=2
    )
    logfile: LogTarget = option(
        log_of,
        "a path, AUTO (a name in childlogdir) or NONE",
        default="AUTO",
        per_process=True,
        info=0,
    )
    logfile_backups: int = option(
        integer,
        "number of rotated logs to keep",
        default="10",
        per_process=True,
        live=True,
        info=4,
    )
    logfile_maxbytes: int = option(
        byte_size,
        "size at which the log is rotated; 0 never rotates",
        default="50MB",
        per_process=True,
        live=True,
        info=5,
    )
    syslog: bool = option(
        boolean, "true sends {} to syslog as well", default="false", per_process=True, info=3
    )
    logfile_format: str = option(
        line_format,
        "raw, prefix, timestamp, json, or a template with %(message)s (default: childlog_format)",
        default=RAW_FORMAT,
        expanded=False,
        live=True,
        in_sample=False,
    )
    tee: tuple[str, ...] = option(
        copy_targets,
        "targets of a copy of {}: stdout, stderr (the daemon's), syslog or a path",
        default="",
        per_process=True,
        live=True,
        in_sample=False,
    )
    tee_format: str = option(
        line_format,
        "raw, prefix, timestamp, json, or a template with %(message)s, for the copy",
        default=PREFIX_FORMAT,
        expanded=False,
        live=True,
        in_sample=False,
    )
    logfile_mode: int | None = option(
        file_mode,
        "octal mode of the log and its backups: 0640 (default: 0666 less the umask)",
        default=None,
        live=True,
        in_sample=False,
    )
    logfile_owner: tuple[int, int] | None = option(
        colon_separated_user_group,
        "user or user:group that owns the log; requires root (default: supervisord's)",
        default=None,
        live=True,
        in_sample=False,
    )
    logfile_rotate: RotationPeriod | None = option(
        rotation_period,
        "rotate the log also hourly, daily, weekly or after a number of seconds",
        default="none",
        live=True,
        in_sample=False,
    )
    logfile_compress: str = option(
        one_of("none", "gzip"),
        "gzip compresses the backups",
        default="none",
        live=True,
        in_sample=False,
    )
    logfile_maxage: float = option(
        number(least=0, most=MAX_DAYS),
        "days after which backups are removed; 0 keeps them",
        default="0",
        live=True,
        in_sample=False,
    )

    further_targets: tuple[str, ...] = ()

    @property
    def has_compressed_backups(self) -> bool:
        """Whether backups of the log are compressed."""
        return self.logfile_compress != "none"

    @property
    def copies(self) -> list[tuple[list[str], str]]:
        """Targets and format of what is written beside the log; each target once."""
        seen = {standard_name(str(self.logfile))}
        found = []
        for targets, text_format in (
            (self.further_targets, self.logfile_format),
            (self.tee, self.tee_format),
        ):
            others = [target for target in targets if target not in seen]
            seen.update(others)
            if others:
                found.append((others, text_format))
        return found

    @property
    def uses_syslog(self) -> bool:
        """Whether output goes to syslog."""
        return self.syslog or any(SYSLOG in targets for targets, _ in self.copies)

    def __eq__(self, other: object) -> bool:
        """Compare option by option; a log path generated for AUTO equals AUTO."""
        if not isinstance(other, StreamConfig):
            return NotImplemented
        mine, theirs = vars(self), vars(other)
        if mine == theirs:
            return True
        is_auto = Automatic in (self.logfile, other.logfile)
        return is_auto and {**mine, "logfile": None} == {**theirs, "logfile": None}

    def __hash__(self) -> int:
        return hash((self.syslog, self.logfile_maxbytes, self.logfile_backups))
