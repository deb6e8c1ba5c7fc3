"""Records as JSON values, by the annotations of their fields.

    codecs = Codecs({"int": int, "Part": Part}, {})
    saved = codecs.of(Whole).encode(whole)       # {"size": 7, "part": {"name": "x"}}
    whole = codecs.of(Whole).decode(saved)

The annotation of a field is the only declaration of its type.  The set of types is closed: an
annotation that uses a name outside of the table, or a kind of type that has no codec, is an error.
In a union, a value that is not a scalar has a tag, an object with the name of its type as the only
key: `{"Part": {"name": "x"}}`.

A field that equals its default is left out, and gets the default of the version that decodes it;
an unknown field is skipped.  So the names of records and fields are part of the format, and so are
the defaults.

Errors are `ValueError`s with a reason for users.  A value may be a secret, so a reason has the path
to it and its type, never the value.
"""

from __future__ import annotations

import types

from supervisor.common.records import names, optional_defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    Texts = Mapping[Any, tuple[Callable[[Any], str], Callable[[str], Any]]]
    Make = Callable[[type[Any], dict[str, Any]], Any]

    class Codec(Protocol):
        """The conversion of one type; `tag` is its name in a union, "" for a scalar."""

        tag: str

        def accepts(self, value: object) -> bool:
            """Whether a value is of this type, without a look at its parts."""

        def encode(self, value: Any) -> Any:
            """Return the value as JSON values; raises `ValueError`."""

        def decode(self, saved: Any, make: Make) -> Any:
            """Return the value of JSON values; raises `ValueError`.

            `make` makes each record: make(type, values of its fields).
            """


SCALARS: dict[Any, Any] = {
    bool: bool,
    int: int,
    float: (float, int),
    str: str,
    type(None): type(None),
}
"""Types that JSON has itself -> the types of the values they accept, as for a type checker."""

COLLECTIONS = (list, tuple, frozenset)


def make_record(kind: type[Any], values: dict[str, Any]) -> Any:
    """Return a record with these values of its fields."""
    return kind(**values)


class Codecs:
    """The codecs of a closed set of types.

    `types` are the names that annotations may use.  `texts` are types that have a text for each
    value: type -> (to text, from text), which raise `ValueError` with a reason.  `further` are
    attributes of a record that are no fields, name -> annotation; their defaults are attributes of
    its class.
    """

    def __init__(
        self,
        types: Mapping[str, Any],
        texts: Texts,
        further: Mapping[type[Any], Mapping[str, str]] | None = None,
    ) -> None:
        self._types = {"__builtins__": {}, **types}
        self._texts = texts
        self._further = further or {}
        self._codecs: dict[Any, Codec] = {}

    def of(self, declared: Any) -> Codec:
        """Return the codec of a type, or of an annotation; raises `ValueError`."""
        codec = self._codecs.get(declared)
        if codec is None:
            codec = self._codecs[declared] = self._make(declared)
        return codec

    def _make(self, declared: Any) -> Codec:
        if isinstance(declared, str):
            return self.of(self._evaluate(declared))
        if isinstance(declared, types.UnionType):
            return _Union([self.of(each) for each in declared.__args__])
        if declared in SCALARS:
            return _Scalar(declared)
        if hasattr(declared, "record_defaults"):
            return _Record(declared, self._annotations(declared), self)
        return self._make_generic(
            getattr(declared, "__origin__", declared), getattr(declared, "__args__", ())
        )

    def _make_generic(self, origin: Any, arguments: tuple[Any, ...]) -> Codec:
        """Return the codec of `origin[arguments]`, or of a type without arguments."""
        if origin is type and arguments:
            return _Class(arguments[0])
        if origin in self._texts:
            return _Text(origin, *self._texts[origin])
        if origin is tuple and arguments[-1:] != (...,):
            return _FixedTuple([self.of(each) for each in arguments])
        if origin in COLLECTIONS and arguments:
            return _Collection(origin, self.of(arguments[0]))
        if hasattr(origin, "keys") and arguments[:1] == (str,):
            return _Mapping(self.of(arguments[1]))
        raise ValueError(f"no codec for {origin!r}")

    def _evaluate(self, annotation: str) -> Any:
        try:
            return eval(annotation, self._types)  # noqa: S307 - an annotation of our own source
        except NameError:
            raise ValueError(f"no codec for {annotation}") from None

    def _annotations(self, kind: type[Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for base in reversed(kind.__mro__):
            found |= getattr(base, "__annotations__", {})
            found |= self._further.get(base, {})
        return found


def _error(expected: str, found: object) -> ValueError:
    return ValueError(f"{expected} expected, not {type(found).__name__}")


def _at(place: object, error: ValueError) -> ValueError:
    """Return an error with its place in front: `environment: PATH: ...`."""
    return ValueError(f"{place}: {error}")


# -- codecs ----------------------------------------------------------------------


class _Scalar:
    """A type that JSON has itself."""

    tag = ""

    def __init__(self, kind: type[Any]) -> None:
        self._name = kind.__name__
        self._kinds = SCALARS[kind]

    def accepts(self, value: object) -> bool:
        return isinstance(value, self._kinds)

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self._kinds):
            raise _error(self._name, value)
        return value

    def decode(self, saved: Any, _make: Make) -> Any:
        return self.encode(saved)


class _Text:
    """A type with a text for each value."""

    def __init__(
        self, kind: type[Any], to_text: Callable[[Any], str], from_text: Callable[[str], Any]
    ) -> None:
        self.tag = kind.__name__
        self._kind = kind
        self.to_text = to_text
        self.from_text = from_text

    def accepts(self, value: object) -> bool:
        return isinstance(value, self._kind)

    def encode(self, value: Any) -> str:
        if not isinstance(value, self._kind):
            raise _error(self.tag, value)
        return self.to_text(value)

    def decode(self, saved: Any, _make: Make) -> Any:
        if not isinstance(saved, str):
            raise _error("str", saved)
        return self.from_text(saved)


class _Class:
    """A class that is a value itself, such as a marker; its JSON value is null."""

    def __init__(self, kind: type[Any]) -> None:
        self.tag = kind.__name__
        self._kind = kind

    def accepts(self, value: object) -> bool:
        return value is self._kind

    def encode(self, value: Any) -> None:
        if value is not self._kind:
            raise _error(self.tag, value)

    def decode(self, saved: Any, _make: Make) -> Any:
        if saved is not None:
            raise _error("null", saved)
        return self._kind


class _Union:
    """One of several types."""

    tag = ""

    def __init__(self, codecs: Sequence[Codec]) -> None:
        self._codecs = codecs
        self._tagged = {codec.tag: codec for codec in codecs if codec.tag}
        self._scalars = [codec for codec in codecs if not codec.tag]

    def accepts(self, value: object) -> bool:
        return any(codec.accepts(value) for codec in self._codecs)

    def encode(self, value: Any) -> Any:
        for codec in self._codecs:
            if codec.accepts(value):
                saved = codec.encode(value)
                return {codec.tag: saved} if codec.tag else saved
        raise ValueError(f"{type(value).__name__} is not one of its types")

    def decode(self, saved: Any, make: Make) -> Any:
        if not isinstance(saved, dict):
            if any(codec.accepts(saved) for codec in self._scalars):
                return saved
            raise ValueError(f"{type(saved).__name__} is not one of its types")
        if len(saved) != 1:
            raise ValueError(f"one tag expected, not {len(saved)}")
        [(tag, value)] = saved.items()
        if tag not in self._tagged:
            raise ValueError(f"{tag!r} is not one of its types")
        return self._tagged[tag].decode(value, make)


class _Collection:
    """Any number of values of one type; a list for JSON."""

    def __init__(self, kind: Callable[[list[Any]], Any], items: Codec) -> None:
        self.tag = getattr(kind, "__name__", "")
        self._kind = kind
        self._items = items

    def accepts(self, value: object) -> bool:
        return isinstance(value, COLLECTIONS)

    def encode(self, value: Any) -> list[Any]:
        return self._convert(value, self._items.encode)

    def decode(self, saved: Any, make: Make) -> Any:
        decode = self._items.decode
        return self._kind(self._convert(saved, lambda each: decode(each, make)))

    def _convert(self, values: Any, convert: Callable[[Any], Any]) -> list[Any]:
        if not isinstance(values, COLLECTIONS):
            raise _error(self.tag, values)
        found: list[Any] = []
        try:
            for each in values:
                found.append(convert(each))  # noqa: PERF401 - its length is the place of an error
        except ValueError as error:
            raise _at(len(found) + 1, error) from None
        return found


class _FixedTuple:
    """A tuple with one type for each position; a list for JSON."""

    tag = "tuple"

    def __init__(self, items: Sequence[Codec]) -> None:
        self._items = items

    def accepts(self, value: object) -> bool:
        return isinstance(value, list | tuple) and len(value) == len(self._items)

    def encode(self, value: Any) -> list[Any]:
        self._check(value)
        return [codec.encode(each) for codec, each in zip(self._items, value, strict=True)]

    def decode(self, saved: Any, make: Make) -> tuple[Any, ...]:
        self._check(saved)
        pairs = zip(self._items, saved, strict=True)
        return tuple([codec.decode(each, make) for codec, each in pairs])

    def _check(self, value: Any) -> None:
        if not self.accepts(value):
            raise ValueError(f"a list of {len(self._items)} values expected")


class _Mapping:
    """A dict whose keys are strings."""

    tag = "dict"

    def __init__(self, values: Codec) -> None:
        self._values = values

    def accepts(self, value: object) -> bool:
        return hasattr(value, "items")

    def encode(self, value: Any) -> dict[str, Any]:
        return self._convert(value, self._values.encode)

    def decode(self, saved: Any, make: Make) -> dict[str, Any]:
        decode = self._values.decode
        return self._convert(saved, lambda each: decode(each, make))

    def _convert(self, values: Any, convert: Callable[[Any], Any]) -> dict[str, Any]:
        if not self.accepts(values):
            raise _error("dict", values)
        key: object = ""
        found: dict[str, Any] = {}
        try:
            for key, value in values.items():
                if not isinstance(key, str):
                    raise _error("a key of str", key)
                found[key] = convert(value)
        except ValueError as error:
            raise _at(key, error) from None
        return found


NO_DEFAULT: Any = object()


class _Record:
    """A record; an object for JSON."""

    def __init__(self, kind: type[Any], annotations: Mapping[str, str], codecs: Codecs) -> None:
        self.tag = kind.__name__
        self._kind = kind
        self._annotations = annotations
        self._codecs = codecs
        fields = names(kind)
        known = optional_defaults(kind)
        self._required = [name for name in fields if name not in known]
        further = {name: getattr(kind, name) for name in annotations if name not in fields}
        self._defaults = {**{name: known.get(name, NO_DEFAULT) for name in fields}, **further}

    def accepts(self, value: object) -> bool:
        return isinstance(value, self._kind)

    def encode(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, self._kind):
            raise _error(self.tag, value)
        saved = {}
        for name, default in self._defaults.items():
            found = getattr(value, name)
            if found is not default and not _is_same(found, default):
                try:
                    saved[name] = self._codec(name).encode(found)
                except ValueError as error:
                    raise self._at(name, getattr(value, "name", ""), error) from None
        return saved

    def decode(self, saved: Any, make: Make) -> Any:
        if not isinstance(saved, dict):
            raise _error("dict", saved)
        values = {}
        for name, each in saved.items():
            if name in self._defaults:
                try:
                    values[name] = self._codec(name).decode(each, make)
                except ValueError as error:
                    raise self._at(name, saved.get("name", ""), error) from None
        for name in self._required:
            if name not in values:
                raise self._at(name, saved.get("name", ""), ValueError("missing"))
        return make(self._kind, values)

    def _codec(self, name: str) -> Codec:
        return self._codecs.of(self._annotations[name])

    def _at(self, name: str, record_name: object, error: ValueError) -> ValueError:
        """Return an error with the field in front, and the name of a record that has one."""
        error = _at(name, error)
        return _at(record_name, error) if record_name else error


def _is_same(value: Any, default: Any) -> bool:
    """Whether a value and a default are interchangeable.

    Records are compared by their fields: the equality of a record may be wider.
    """
    if hasattr(value, "record_defaults"):
        return type(value) is type(default) and bool(vars(value) == vars(default))
    return bool(value == default)
