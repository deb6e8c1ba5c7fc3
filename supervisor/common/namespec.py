"""Process names in user notation: `group:process`, `process`, `group:*`; and patterns of names."""

WILDCARDS = frozenset("*?[")
"""Characters that make a name a pattern, as in `fnmatch`."""


def make_namespec(group_name: str, process_name: str) -> str:
    """Return `group:process`, or the process name alone if the group has the same name."""
    if group_name == process_name:
        return process_name
    return f"{group_name}:{process_name}"


def split_namespec(namespec: str) -> tuple[str, str | None]:
    """Return (group name, process name); the process is None for a whole group."""
    group_name, colon, process_name = namespec.partition(":")
    if not colon:
        return namespec, namespec
    return group_name, None if process_name in ("", "*") else process_name


def is_pattern(name: str) -> bool:
    """Whether a name has wildcards; `group:*` is a name of Supervisor 4."""
    return not WILDCARDS.isdisjoint(name.removesuffix(":*"))
