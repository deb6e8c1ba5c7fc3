"""Calls of the C library for which Python has no function."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


LIBRARY = ctypes.CDLL(None, use_errno=True)


def prepare_call(function: str, *arguments: int) -> Callable[[], None]:
    """Return a call that raises `OSError` if its result is -1.

    All conversions are made here, so that a forked child can make the call.
    """
    call: Any = getattr(LIBRARY, function)
    values = [ctypes.c_long(each) for each in arguments]
    get_errno = ctypes.get_errno

    def make_call() -> None:
        if call(*values) == -1:
            raise OSError(get_errno(), os.strerror(get_errno()))

    return make_call
