"""The JSON schema of `status --json`, and a validator for the keywords that it uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.tables import assert_none

SCHEMA_PATH = Path(__file__).parents[2] / "docs" / "reference" / "status.schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))

KEYWORDS = {"type", "enum", "minimum", "required", "properties", "items"}
NOTES = {"$schema", "title", "description"}

TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def assert_valid(value: object) -> None:
    """Fail with a line for each way in which a value is no output of `status --json`."""
    assert_none(violations(value, SCHEMA, "$"))


def violations(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the ways in which a value does not fit a schema (json-schema.org, 2020-12)."""
    assert schema.keys() <= KEYWORDS | NOTES, f"unknown keyword in {schema.keys()}"
    kind = schema["type"]
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean"):
        yield f"{path}: {value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not one of {schema['enum']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{path}: {value!r} is below {schema['minimum']}"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name} is missing"
    for name, part in schema.get("properties", {}).items():
        if name in value:
            yield from violations(value[name], part, f"{path}.{name}")
    if kind == "array":
        for number, item in enumerate(value):
            yield from violations(item, schema["items"], f"{path}[{number}]")
