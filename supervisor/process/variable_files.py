"""The variables of a child that are read from files.

`forking` calls this in the child, before the child changes its user, so that the files may be
readable by root alone.  It is the child that reads for two reasons: a file system that hangs holds
up this child only, and no value is ever in the memory of the daemon, from where it could get into
a log or an RPC result.  For the same reason errors name files and lines, and quote none of them.
"""

from __future__ import annotations

import errno
import os

from supervisor.common.env_files import EnvFileError, parse_env_file
from supervisor.common.records import record
from supervisor.engine import files, posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.common.env_files import EnvFile, SecretFile

MAX_FILE_BYTES = 1024 * 1024
"""Upper bound of an env file: together, Linux allows a process 2 MiB by default (execve(2))."""

MAX_SECRET_BYTES = 128 * 1024
"""Upper bound of a secret: more than Linux allows a variable (MAX_ARG_STRLEN, execve(2))."""


@record(frozen=True)
class VariableFiles:
    """The files with variables of one child, and the variables that override theirs."""

    envfiles: tuple[EnvFile, ...]
    secretfiles: tuple[SecretFile, ...]
    overrides: Mapping[str, str]

    def complete(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return an environment with the variables added; raises `ProcessException`."""
        completed = dict(environment)
        for file in self.envfiles:
            completed.update(_read_env_file(file))
        for secret in self.secretfiles:
            completed[secret.variable] = _read_secret(secret)
        completed.update(self.overrides)
        return completed


def _read_env_file(file: EnvFile) -> dict[str, str]:
    try:
        data = _read(file.path, MAX_FILE_BYTES)
    except OSError as error:
        if file.is_optional and error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return {}
        raise posix.ProcessException(
            f"cannot read {file.path}: {posix.error_reason(error)}"
        ) from None
    try:
        return parse_env_file(data)
    except EnvFileError as error:
        raise posix.ProcessException(f"{file.path}:{error}") from None


def _read_secret(secret: SecretFile) -> str:
    try:
        data = _read(secret.path, MAX_SECRET_BYTES)
    except OSError as error:
        raise _secret_failure(secret, posix.error_reason(error)) from None
    if b"\0" in data:
        raise _secret_failure(secret, "it contains a null byte")
    return os.fsdecode(data.removesuffix(b"\n"))


def _secret_failure(secret: SecretFile, reason: str) -> posix.ProcessException:
    return posix.ProcessException(f"cannot read {secret.variable} from {secret.path}: {reason}")


def _read(path: str, limit: int) -> bytes:
    """Return the content of a file of up to `limit` bytes; raises `OSError`."""
    with open(files.open_for_reading(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
    return data
