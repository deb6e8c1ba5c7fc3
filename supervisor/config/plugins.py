"""Python objects that the configuration names, and the sections of plugins (floor 3).

Daemon (`[rpcinterface:x]`) and client (`[ctlplugin:x]`) read their plugins' sections here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterator
    from typing import Any

    from supervisor.config.parser import Section, UnhosedConfigParser


# The object reference of an entry point, as 4.3.0 reads it:
# https://packaging.python.org/en/latest/specifications/entry-points/
REFERENCE = r"([\w.]+)\s*(?::\s*([\w.]+)\s*)?(?:\[.*\]\s*)?"


def resolve(spec: str, section: Section, option: str) -> Any:
    """Return the object that an option's `package.module:name` stands for.

    Raises ConfigurationError with the reason for any exception of the import: the module is a
    plugin's, and a mistake in it must not end in a traceback.
    """
    import importlib
    import re

    reason = "not of the form package.module:name"
    match = re.fullmatch(REFERENCE, spec)
    if match is not None:
        try:
            found = importlib.import_module(match[1])
            for attribute in filter(None, (match[2] or "").split(".")):
                found = getattr(found, attribute)
        except Exception as error:  # noqa: BLE001 - see the docstring
            reason = str(error) or type(error).__name__
        else:
            return found
    problem = f"{spec} cannot be resolved within [{section.name}]: {reason}"
    raise section.mistake(problem, option)


def read_factories(
    parser: UnhosedConfigParser, kind: str
) -> Iterator[tuple[str, Callable[..., Any], dict[str, str]]]:
    """Yield (name, factory, options) of the plugins' sections of a kind.

    The factory stands in `supervisor.<kind>_factory`; every other option, also those of
    `[DEFAULT]`, becomes a keyword argument.  Values know the environment, but not `here`.
    """
    factory_option = f"supervisor.{kind.removesuffix('plugin')}_factory"
    for name in parser.sections_of(kind):
        section = parser.section_without_here(name)
        spec = section.value(factory_option)
        if spec is None:
            raise section.mistake(
                f"section [{name}] does not specify a {factory_option}", factory_option
            )
        factory = resolve(spec, section, factory_option)
        options = {
            option: section.value(option) for option in section.options if option != factory_option
        }
        yield section.suffix, factory, options
