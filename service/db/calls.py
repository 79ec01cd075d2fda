"""Calls of our SQL functions, by the names of their parameters: the order on either side links nothing.

Declared beside the other statements (verification.storage.statements, fraud.storage, worker.alarms); the text follows
from the declaration, and tests/database/test_sql_calls.py holds it against the functions of a migrated database. Runs
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, NewType, get_args, get_origin
from uuid import UUID

import msgspec

# A text that holds JSON; PostgreSQL takes it for what it is.
JsonText = NewType("JsonText", str)
TYPES: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "double precision",
    bool: "boolean",
    UUID: "uuid",
    bytes: "bytea",
    datetime: "timestamp with time zone",
    timedelta: "interval",
    JsonText: "jsonb",
}


class Columns(NamedTuple):
    """Parameters that take one array for each field of some structs: p_id, p_token and so on for the prefix p.

    `only`: the fields that are handed over, where not all are. `of_items`: each struct comes with the place, from 1, of
    the item that it belongs to, which goes in an array of its own (b_item). `written`: the arrays are handed over as
    texts (see `write`), for what is the same with every call: the driver would look at every element anew. For what
    has to be written each time, the server's reading costs more than is saved here.
    """

    of: type[msgspec.Struct]
    prefix: str = "p"
    only: tuple[str, ...] = ()
    of_items: bool = False
    written: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the fields that are handed over."""
        return self.only or self.of.__struct_fields__

    def list_types(self) -> Iterator[tuple[str, str]]:
        """List the parameters, each with its type."""
        kinds = {
            field.name: type_of(field.type) for field in msgspec.structs.fields(self.of) if field.name in self.fields
        }
        for name in self.fields:
            yield f"{self.prefix}_{name}", kinds[name] if kinds[name].endswith("[]") else f"{kinds[name]}[]"
        if self.of_items:
            yield f"{self.prefix}_item", "integer[]"

    def split(self, rows: Any) -> Iterable[object]:
        """Return one value a parameter: of structs, of pairs of a place and a struct, or of what `write` made."""
        if self.written:
            return tuple(rows)
        if self.of_items:
            return [*self._split([row for _, row in rows]), [place for place, _ in rows]]
        return self._split(rows)

    def _split(self, rows: Sequence[msgspec.Struct]) -> list[list[object]]:
        # `zip` of no rows gives no columns, and each parameter needs its empty array.
        if self.only or not rows:
            return [[getattr(row, name) for row in rows] for name in self.fields]
        return list(map(list, zip(*map(msgspec.structs.astuple, rows), strict=True)))


class FunctionCall:
    """One function: the text that calls it, and the values in the order of that text."""

    def __init__(self, function: str, answer: Sequence[str] = (), /, **parameters: Any) -> None:
        """Declare a function's parameters, as types (then they are called p_NAME) or as Columns.

        `answer`: the columns that are read of what it returns; none for a function that returns a value.
        """
        self.function = function
        self.types = dict(_list_types(parameters))
        self._parameters = parameters
        # As text, and cast by the server: asked for an array, the driver would expect a list.
        written = {name for one in parameters.values() if _is_written(one) for name, _ in one.list_types()}
        given = ", ".join(
            f"{name} => ${place}" + (f"::text::{kind}" if name in written else "")
            for place, (name, kind) in enumerate(self.types.items(), 1)
        )
        call = f"{function}({given})"
        self.text = " ".join(["select", ", ".join(answer), "from", call] if answer else ["select", call])

    def __call__(self, **values: Any) -> tuple[str, *tuple[object, ...]]:
        """Return the text and its values, for Pool.fetch. Raises TypeError where one is missing or not known."""
        # Otherwise a value under an unknown name would be dropped without a word.
        if values.keys() != self._parameters.keys():
            message = f"{self.function} takes {', '.join(self._parameters)}"
            raise TypeError(message)
        found: list[object] = []
        for name, parameter in self._parameters.items():
            if isinstance(parameter, Columns):
                found += parameter.split(values[name])
            else:
                found.append(values[name])
        return self.text, *found


def fields_of(struct: type[msgspec.Struct], *before: str) -> tuple[str, ...]:
    """Name the columns that a struct is read from, in its order: by its fields, or by the names that they give."""
    return (*before, *struct.__struct_encode_fields__)


def write(rows: Iterable[msgspec.Struct]) -> tuple[str, ...]:
    """Write structs of numbers and plain words as one array a field."""
    return tuple(
        f"{{{','.join(map(str, column))}}}" for column in zip(*map(msgspec.structs.astuple, rows), strict=True)
    )


def _is_written(parameter: Any) -> bool:
    return isinstance(parameter, Columns) and parameter.written


def _list_types(parameters: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, parameter in parameters.items():
        if isinstance(parameter, Columns):
            yield from parameter.list_types()
        else:
            yield f"p_{name}", type_of(parameter)


def type_of(kind: Any) -> str:
    """Return PostgreSQL's name of a type. An array of arrays is one of the same type there."""
    if isinstance(kind, UnionType) or type(None) in get_args(kind):
        [kind] = [one for one in get_args(kind) if one is not NoneType]
    if get_origin(kind) is Literal:
        return "text"
    if get_origin(kind) is list:
        inner = type_of(get_args(kind)[0])
        return inner if inner.endswith("[]") else f"{inner}[]"
    return TYPES[kind]
