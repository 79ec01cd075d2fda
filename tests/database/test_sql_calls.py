"""Each call of an SQL function names its parameters, and the function of a migrated database has just those."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

import service
from service.db.calls import Columns, FunctionCall
from service.db.engine import Database
from service.policy import loading
from service.verification.storage.limit_windows import windows_of
from service.verification.storage.rows import Admission
from tests.support.clusters import CHECKOUT

# Begins something when it is imported.
ENTRANCE = "service.__main__"
FUNCTIONS = {path.stem for path in (CHECKOUT / "migrations" / "functions").glob("*.sql")}
DECLARED = """
select p.proname as name, p.proargnames[:p.pronargs] as names,
       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a(t, n) order by n) as types
from pg_proc p where p.pronamespace = 'public'::regnamespace
"""
# As many arguments as anybody can tell apart by their order.
FEW = 2


def find_calls() -> dict[str, FunctionCall]:
    """Find every call that a module of ours declares, by the module's and its own name."""
    found: dict[str, FunctionCall] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a vendor's package warns of itself when it is imported
        for module in pkgutil.walk_packages(service.__path__, "service."):
            if module.name != ENTRANCE:
                values = vars(importlib.import_module(module.name)).items()
                found |= {f"{module.name}.{name}": value for name, value in values if isinstance(value, FunctionCall)}
    return found


CALLS = find_calls()


@pytest.fixture
async def declared(database: Database) -> dict[str, dict[str, str]]:
    """Answer the parameters of each function of the database, with their types."""
    rows = await database.pool.fetch(DECLARED)
    assert len({row["name"] for row in rows}) == len(rows), "a name that stands twice is called by chance"
    return {row["name"]: dict(zip(row["names"] or [], row["types"], strict=True)) for row in rows}


async def test_every_call_gives_just_the_parameters_that_its_function_has_with_their_types(
    declared: dict[str, dict[str, str]],
) -> None:
    assert len(CALLS) > 20
    assert {name: call.types for name, call in CALLS.items()} == {
        name: declared[call.function] for name, call in CALLS.items()
    }


async def test_the_database_takes_the_text_of_every_call(database: Database) -> None:
    """With it the names of the columns that are read of what the function answers."""
    async with database.pool.acquire() as connection:
        for call in CALLS.values():
            statement = await connection.prepare(call.text)
            assert len(statement.get_parameters()) == len(call.types)


class Pair(msgspec.Struct):
    """Something to hand over."""

    left: int
    right: str | None


class Riap(msgspec.Struct):
    """The same, in another order."""

    right: str | None
    left: int


def test_the_order_of_a_structs_fields_makes_no_difference() -> None:
    pairs, riaps = (
        FunctionCall("f", now=datetime, items=Columns(Pair)),
        FunctionCall("f", now=datetime, items=Columns(Riap)),
    )
    one = pairs(now=None, items=[Pair(1, "a"), Pair(2, None)])
    other = riaps(now=None, items=[Riap("a", 1), Riap(None, 2)])
    assert one == ("select f(p_now => $1, p_left => $2, p_right => $3)", None, [1, 2], ["a", None])
    assert other == ("select f(p_now => $1, p_right => $2, p_left => $3)", None, ["a", None], [1, 2])
    assert pairs.types == riaps.types == {
        "p_now": "timestamp with time zone", "p_left": "integer[]", "p_right": "text[]"
    }  # fmt: skip


def test_what_belongs_to_an_item_brings_the_items_place_and_nothing_is_an_array_too() -> None:
    call = FunctionCall("f", ("a", "b"), items=Columns(Pair, "x", only=("right",), of_items=True))
    assert call(items=[(1, Pair(5, "a")), (3, Pair(6, "b"))])[1:] == (["a", "b"], [1, 3])
    assert call(items=[]) == ("select a, b from f(x_right => $1, x_item => $2)", [], [])


def test_a_value_too_many_or_too_few_is_refused() -> None:
    call = FunctionCall("f", now=datetime, id=UUID)
    for values in ({"now": None}, {"now": None, "id": None, "di": None}, {"now": None, "di": None}):
        with pytest.raises(TypeError, match="f takes now, id"):
            call(**values)


def test_each_kind_of_window_is_the_column_of_the_subject_that_it_counts_or_its_total() -> None:
    kinds = {kind.replace("_total", "_limit") for kind, _ in windows_of(loading.parse("").default)}
    assert kinds == {name for name in Admission.__struct_fields__ if name.endswith(("_limit", "_budget"))}


def list_texts() -> Iterator[tuple[Path, str]]:
    """List every text in the sources but docstrings."""
    for path in sorted((CHECKOUT / "service").rglob("*.py")):
        tree = ast.parse(path.read_text())
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield path, node.value


async def test_what_a_statement_calls_itself_is_called_by_names_where_there_are_more_than_few(
    declared: dict[str, dict[str, str]],
) -> None:
    call = re.compile(rf"\b({'|'.join(sorted(FUNCTIONS))})\(((?:[^()]|\([^()]*\))*)\)")
    found = [(path, *one) for path, text in list_texts() for one in call.findall(text)]
    assert found, "tidy_at, at least"
    for path, function, given in found:
        arguments = re.split(r",(?![^()]*\))", given)
        names = {one.partition("=>")[0].strip() for one in arguments if "=>" in one}
        assert len(arguments) <= FEW or len(names) == len(arguments), (path, function)
        assert names <= set(declared[function]), (path, function)
