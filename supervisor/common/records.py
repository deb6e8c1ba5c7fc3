"""A lightweight replacement for `dataclasses`.

The standard library's decorator compiles code for each class and imports `inspect`.  For the
classes of the daemon, that is half of the import cost, 150 of 275 million instructions, and
2 MiB of memory.  This module implements the features in use, with the same semantics: fields
with defaults and factories, inheritance, comparison by value, and `frozen` with a hash.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    R = TypeVar("R")
else:

    def dataclass_transform(**_: object) -> object:
        """Replace the decorator that only type checkers need: `typing` takes half a MiB."""
        return lambda function: function


class Field:
    """Specification of a field; subclasses add what their users need to know of it.

    `make` creates the default for each instance; without it, the field is required.  If
    `is_shared`, it is called once, and all instances share the default.
    """

    is_shared = False

    def __init__(self, make: Callable[[], Any] | None) -> None:
        self.make = make


REQUIRED = Field(None)
"""Specification of a field without a default."""


def field(*, default_factory: Callable[[], Any]) -> Any:
    """Return a default that the factory creates for each instance."""
    return Field(default_factory)


@dataclass_transform(field_specifiers=(field,))
def record(*, frozen: bool = False) -> Callable[[type[R]], type[R]]:
    """Add the generated methods for the annotated fields to a class.

    `specifications` returns every `Field` of the class, also those without an annotation, which
    instances do not have.
    """

    def decorate(cls: Any) -> Any:
        annotated = tuple(cls.__annotations__)
        cls.__match_args__ = (*getattr(cls, "__match_args__", ()), *annotated)  # type: ignore[misc]
        own = {name: vars(cls)[name] for name in annotated if name in vars(cls)}
        cls.record_defaults = {**getattr(cls, "record_defaults", {}), **own}
        _prepare_defaults(cls)
        specified = {name: each for name, each in vars(cls).items() if isinstance(each, Field)}
        cls.record_specifications = {**getattr(cls, "record_specifications", {}), **specified}
        for name in specified:
            delattr(cls, name)
        methods: dict[str, Any] = {"__init__": assign_fields, "__repr__": _repr, "__eq__": _eq}
        methods["__hash__"] = _hash if frozen else None
        if frozen:
            methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        for name, method in methods.items():
            # Python sets `__hash__ = None` on a class that defines `__eq__`.
            if vars(cls).get(name) is None:
                setattr(cls, name, method)
        return cls

    return decorate


def _prepare_defaults(cls: Any) -> None:
    """Sort the defaults: values that instances share, and factories to call for each instance."""
    cls.record_template = dict.fromkeys(cls.__match_args__)
    cls.record_factories = {}
    for name in cls.record_template:
        default = cls.record_defaults.get(name, REQUIRED)
        if not isinstance(default, Field):
            cls.record_template[name] = default
        elif default.is_shared and default.make is not None:
            cls.record_template[name] = default.make()
        else:
            cls.record_factories[name] = default.make


def names(cls: type[Any]) -> tuple[str, ...]:
    """Return the names of a record's fields."""
    found: tuple[str, ...] = cls.__match_args__
    return found


def specifications(cls: type[Any]) -> dict[str, Field]:
    """Return the `Field`s of a record by name, in the order of the class body."""
    found: dict[str, Field] = cls.record_specifications
    return found


def optional_defaults(kind: type[Any]) -> dict[str, Any]:
    """Return name -> default of the fields that have one; lists and dicts are new ones."""
    found = {}
    for name in names(kind):
        default = kind.record_defaults.get(name, REQUIRED)
        if not isinstance(default, Field):
            found[name] = default
        elif default.make is not None:
            found[name] = default.make()
    return found


def replace(instance: R, **changes: Any) -> R:
    """Return a copy of a record with some fields changed."""
    return type(instance)(**{**vars(instance), **changes})


# -- the methods -----------------------------------------------------------------


def assign_fields(self: Any, /, *args: Any, **kwargs: Any) -> None:
    """Set all fields; this is the generated `__init__`.

    Raises TypeError for an unknown, repeated or missing field.
    """
    kind = type(self)
    fields = kind.__match_args__
    if len(args) == len(fields) and not kwargs:
        self.__dict__.update(zip(fields, args, strict=True))
        return
    given = dict(zip(fields, args, strict=False)) | kwargs
    template = kind.record_template
    if len(given) < len(args) + len(kwargs) or not given.keys() <= template.keys():
        raise TypeError(f"{kind.__name__}() takes each of its fields once: {', '.join(fields)}")
    values = {**template, **given}
    for name, make in kind.record_factories.items():
        if name not in given:
            if make is None:
                raise TypeError(f"{kind.__name__}() needs {name}")
            values[name] = make()
    self.__dict__.update(values)


def _repr(self: Any) -> str:
    kind = type(self)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in kind.__match_args__)
    return f"{kind.__qualname__}({values})"


def _eq(self: Any, other: object) -> Any:
    kind = type(self)
    if type(other) is not kind:
        return NotImplemented
    if self is other or vars(self) == vars(other):
        return True
    for name in names(kind):
        mine, theirs = getattr(self, name), getattr(other, name)
        if mine is not theirs and mine != theirs:
            return False
    return True


def _hash(self: Any) -> int:
    return hash(_values(self))


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in type(self).__match_args__])


def _refuse(_self: Any, name: str, *_value: Any) -> None:
    raise AttributeError(f"cannot assign to field {name!r}")
