"""Names of processes as users write them."""

from __future__ import annotations

import pytest

from supervisor.common.namespec import make_namespec, split_namespec


@pytest.mark.parametrize(
    ("namespec", "names"),
    [
        ("a", ("a", "a")),
        ("a:b", ("a", "b")),
        ("a:*", ("a", None)),
        ("a:", ("a", None)),
        ("a:b:c", ("a", "b:c")),
        ("*", ("*", "*")),
        (":b", ("", "b")),
        ("", ("", "")),
    ],
)
def test_split(namespec: str, names: tuple[str, str | None]) -> None:
    """A star, or nothing, behind the colon is the whole group."""
    assert split_namespec(namespec) == names


def test_make() -> None:
    """A process named like its group has a short name."""
    assert make_namespec("a", "a") == "a"
    assert make_namespec("a", "b") == "a:b"
