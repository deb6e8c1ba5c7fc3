"""Options as fields: one row declares an option, and everything else follows from it.

A row is a field of the record that holds the option's value:

    startsecs: int = option(integer, "seconds it must stay up to count as running", default="1")

The readers, the comparison of a reread, `getAllConfigInfo`, the warnings about unknown options
and the reference documentation iterate over the rows.  The type checker compares the annotation
with the result of the conversion.
"""

from __future__ import annotations

from supervisor.common.records import Field, names, record, replace, specifications
from supervisor.config.parser import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeVar, dataclass_transform

    from supervisor.config.parser import Section

    R = TypeVar("R")
    T = TypeVar("T")
else:
    from supervisor.common.records import dataclass_transform

    Any = object

NO_VALUES: Mapping[str, Any] = {}

REQUIRED: Any = object()
"""Default of a field that has none: the constructor needs a value."""


class Option(Field):
    """One option of a section.

    `name` is its name in the section, `attribute` that of the record's field; both default to the
    name of the class attribute.  `summary` is its help, one line without a full stop.  `default`
    is the text to use if a section does not set the option.  If it is None, `value` is used as it
    is, or the result of `default_factory`; the real default then often depends on other options.

    `shielded` values are expanded as `common.quoting` explains; a value that is not `expanded`
    keeps its `%` fields.  `per_process` values are read for each process of a program and may use
    `process_num` and `numprocs`.  `live` options can be
    applied to a process that runs; any other change requires a restart of it.  `info` is the
    position among the fields of `getAllConfigInfo`, None for an option that it does not list: its
    fields are those of Supervisor 4.3, in a fixed order.  `only` names the section that has the
    option, if a record is read from several kinds of sections.  `flag` is the letter of the
    daemon's command-line option of the same name, "" for one without a letter.
    `in_sample` is false for an option that few users need.
    """

    def __init__(
        self,
        convert: Callable[[str], Any],
        summary: str,
        default: str | None = None,
        *,
        value: Any = None,
        default_factory: Callable[[], Any] | None = None,
        name: str = "",
        is_required: bool = False,
        shielded: bool = False,
        expanded: bool = True,
        per_process: bool = False,
        live: bool = False,
        info: int | None = None,
        only: str | None = None,
        flag: str | None = None,
        in_sample: bool = True,
    ) -> None:
        super().__init__(None if is_required else self.default_value)
        self._default_factory = default_factory
        self.convert = convert
        self.summary = summary
        self.default = default
        # Convert here once, instead of once for each section.
        self.value = value if default is None else convert(default)
        if isinstance(self.value, list | dict):
            self._default_factory = self.value.copy
        self.is_shared = not is_required and self._default_factory is None
        self.name = self.attribute = name
        self.shielded = shielded
        self.expanded = expanded
        self.per_process = per_process
        self.live = live
        self.info = info
        self.only = only
        self.flag = flag
        self.in_sample = in_sample

    def __set_name__(self, owner: type[Any], attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute

    def default_value(self) -> Any:
        """Return the value of an option that is not set, a new list or dict each time."""
        return self.value if self._default_factory is None else self._default_factory()

    def read(
        self,
        section: Section,
        names: Mapping[str, object] | None = None,
        called: str | None = None,
    ) -> Any:
        """Return the option's value in a section.

        `names` and `called` are passed to `Section.value`.  Raises ConfigurationError if the
        text is invalid.
        """
        if self.name not in section.options:  # the frequent case, without a call for most
            return self.value if self._default_factory is None else self._default_factory()
        try:
            return section.value(
                self.name,
                self.convert,
                names,
                called,
                shielded=self.shielded,
                expanded=self.expanded,
            )
        except ConfigurationError as error:
            section.mistakes.report_value(error)
        return self.default_value()

    def of_group(self, group: str, info: int | None) -> Option:
        """Return the row of a nested record's option, with the group's name as its prefix."""
        row = Option.__new__(Option)
        vars(row).update(vars(self))
        row.name = row.attribute = f"{group}_{self.name}"
        row.summary = self.summary.format(group)
        row.info = None if info is None or self.info is None else info + self.info
        return row


class OptionGroup(Field):
    """A nested record whose options have the field's name as prefix, as `stdout_` does.

    The owner also gets each of them as an attribute with the flat name, for plugins.  Without
    `prefixed`, the flat names are those of the nested record.
    """

    is_shared = True  # because nested records are frozen

    def __init__(self, kind: type[Any], info: int | None = None, *, prefixed: bool = True) -> None:
        self.default = kind()
        super().__init__(lambda: self.default)
        self.kind = kind
        self._info = info
        self._prefixed = prefixed
        self.options: tuple[Option, ...] = ()
        self._attributes: dict[str, str] = {}  # flat name -> attribute of the nested record

    def __set_name__(self, owner: type[Any], name: str) -> None:
        rows = options_of(self.kind)
        self.options = rows
        if self._prefixed:
            self.options = tuple(row.of_group(name, self._info) for row in rows)
        for flat, row in zip(self.options, rows, strict=True):
            self._attributes[flat.attribute] = row.attribute
            setattr(owner, flat.attribute, _flat_attribute(name, row.attribute))

    def nest(self, flat: dict[str, Any], base: Any) -> Any:
        """Return the nested record; its values are taken out of `flat`, the rest from `base`."""
        attributes = self._attributes
        given = flat.keys() & attributes.keys()
        if not given:
            return self.default if base is None else base
        own = {attributes[name]: flat.pop(name) for name in given}
        return self.kind(**own) if base is None else replace(base, **own)


def _flat_attribute(group: str, attribute: str) -> property:
    """Return a property for an option of a nested record.

    An assignment replaces the nested record, because copies of its owner share it.
    """

    def read(self: Any) -> Any:
        return getattr(getattr(self, group), attribute)

    def write(self: Any, value: Any) -> None:
        setattr(self, group, replace(getattr(self, group), **{attribute: value}))

    return property(read, write, doc=f"`{group}.{attribute}`, under its name of Supervisor 4.")


def option(
    convert: Callable[[str], T],
    summary: str,
    *,
    default: str | None = REQUIRED,
    section_default: str | None = None,
    **row: Any,
) -> T:
    """Return the row of a field; the parameters are those of `Option`.

    Without `default`, the constructor of the record requires a value; `section_default` is then
    the text for a section that does not set the option.
    """
    is_required = default is REQUIRED
    text = section_default if is_required else default
    made: Any = Option(convert, summary, default=text, is_required=is_required, **row)
    return made  # type: ignore[no-any-return]


def option_group(*, default_factory: type[T], info: int | None = None, prefixed: bool = True) -> T:
    """Return the field of a nested record; `info` is the position of its first option."""
    made: Any = OptionGroup(default_factory, info, prefixed=prefixed)
    return made  # type: ignore[no-any-return]


@dataclass_transform(field_specifiers=(option, option_group))
def option_record(*, frozen: bool = False) -> Callable[[type[R]], type[R]]:
    """Make a record (see `common.records`) whose fields may be options."""

    def decorate(cls: type[R]) -> type[R]:
        made: Any = record(frozen=frozen)(cls)
        fields = specifications(made).items()
        made.option_groups = [each for each in fields if isinstance(each[1], OptionGroup)]
        return cls

    return decorate


def options_of(kind: type[Any]) -> tuple[Option, ...]:
    """Return the rows of a record in their order, those of nested records with flat names."""
    return tuple(_options_of(kind))


def _options_of(kind: type[Any]) -> Iterator[Option]:
    for field in specifications(kind).values():
        if isinstance(field, OptionGroup):
            yield from field.options
        elif isinstance(field, Option):
            yield field


def nest_groups(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field values of a record whose nested options may have flat names."""
    nested = dict(values)
    for name, field in kind.option_groups:
        nested[name] = field.nest(nested, nested.get(name))
    return nested


def parameters(kind: type[Any]) -> frozenset[str]:
    """Return the names that `nest_groups` accepts: the fields and the flat names."""
    flat = (row.attribute for _, group in kind.option_groups for row in group.options)
    return frozenset(names(kind)).union(flat)


def read_options(
    options: Iterable[Option], section: Section, names: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return attribute -> value in a section, for some options."""
    return {option.attribute: option.read(section, names) for option in options}


class OptionValues(dict[str, Any]):
    """The options that a section sets, attribute -> value; any other has its default.

    Most sections set few of all options, so readers and records handle only those.
    """

    def __init__(self, rows: Mapping[str, Option], values: Mapping[str, Any] = NO_VALUES) -> None:
        """Take the rows of all options by their attributes, and first values."""
        super().__init__(values)
        self._rows = rows

    def __missing__(self, attribute: str) -> Any:
        return self._rows[attribute].default_value()

    def complete(self) -> dict[str, Any]:
        """Return the values of all options."""
        return {attribute: row.default_value() for attribute, row in self._rows.items()} | self


class OptionRows:
    """Some rows of a record, of which a section sets a few."""

    def __init__(self, options: Iterable[Option]) -> None:
        self._by_name = {row.name: (number, row) for number, row in enumerate(options)}

    def set_in(self, section: Section) -> list[Option]:
        """Return the options that a section sets, in the order of the rows."""
        rows = self._by_name
        return [row for _, row in sorted([rows[name] for name in section.options if name in rows])]


def named(name: str, convert: Callable[[str], T]) -> Callable[[str], T]:
    """Wrap a conversion so that its errors contain `name`."""

    def converted(value: str) -> T:
        try:
            return convert(value)
        except ValueError:
            raise ValueError(f"Invalid {name} value {value}") from None

    return converted
