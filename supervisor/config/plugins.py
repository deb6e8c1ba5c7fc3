"""Object references in the configuration, and plugin sections.

The daemon reads `[rpcinterface:x]` with this module, the client `[ctlplugin:x]`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterator
    from typing import Any

    from supervisor.config.parser import Section, UnhosedConfigParser


# Object reference of an entry point, as 4.3.0 parses it:
# https://packaging.python.org/en/latest/specifications/entry-points/
REFERENCE = r"([\w.]+)\s*(?::\s*([\w.]+)\s*)?(?:\[.*\]\s*)?"


_found: dict[int, tuple[Any, str]] = {}
"""Objects that have been found, by their ids: (object, reference).  They have to exist: else their
ids would be used again."""


def resolve(spec: str, section: Section, option: str) -> Any:
    """Import and return the object that an option's `package.module:name` refers to.

    Raises ConfigurationError with the reason.
    """
    try:
        return find_object(spec)
    except ValueError as error:
        problem = f"{spec} cannot be resolved within [{section.name}]: {error}"
        raise section.error(problem, option) from None


def find_object(spec: str) -> Any:
    """Import and return the object that `package.module:name` refers to.

    Raises `ValueError` with the reason for any exception of the import, because an error in a
    plugin's module must not end in a traceback.
    """
    import importlib
    import re

    match = re.fullmatch(REFERENCE, spec)
    if match is None:
        raise ValueError("not of the form package.module:name")
    try:
        found = importlib.import_module(match[1])
        for attribute in filter(None, (match[2] or "").split(".")):
            found = getattr(found, attribute)
    except Exception as error:  # noqa: BLE001 - see the docstring
        raise ValueError(str(error) or type(error).__name__) from None
    _found[id(found)] = found, spec
    return found


def reference_to(found: Any) -> str | None:
    """Return the reference by which an object has been found, None if it has not.

    Many objects do not know their own name: what a decorator has made, an instance, a bound method.
    """
    known = _found.get(id(found))
    return None if known is None else known[1]


def read_factories(
    parser: UnhosedConfigParser, kind: str
) -> Iterator[tuple[str, Callable[..., Any], dict[str, str]]]:
    """Yield (name, factory, options) for each plugin section of a kind.

    The option `supervisor.<kind>_factory` names the factory.  Every other option, including
    those of `[DEFAULT]`, becomes a keyword argument.  Values may use the environment, but not
    `here`.
    """
    factory_option = f"supervisor.{kind.removesuffix('plugin')}_factory"
    for name in parser.sections_of(kind):
        with parser.mistakes:
            section = parser.section_without_here(name)
            yield section.suffix, *_read_factory(section, factory_option)


def _read_factory(
    section: Section, factory_option: str
) -> tuple[Callable[..., Any], dict[str, str]]:
    spec = section.value(factory_option)
    if spec is None:
        raise section.error(
            f"section [{section.name}] does not specify a {factory_option}", factory_option
        )
    factory = resolve(spec, section, factory_option)
    options = {
        option: section.value(option) for option in section.options if option != factory_option
    }
    return factory, options
