"""The functions of a migrated database are those that stand in migrations/functions, and what was there before them."""

from __future__ import annotations

import re

from service.db.engine import Database
from service.db.schema.sql_files import BY_KEYS_ALONE, list_functions, write_function
from tests.support.clusters import CHECKOUT

MIGRATIONS = CHECKOUT / "migrations"
CURRENT = {path.stem: path for path in (MIGRATIONS / "functions").glob("*.sql")}
BEFORE = {path.stem for folder in (MIGRATIONS / "sql").iterdir() for path in list_functions(folder)}
DEFINITION = (
    "select pg_get_functiondef(p.oid) from pg_proc p where p.proname = $1 and p.pronamespace = $2::regnamespace"
)
# A way to write a duration, but for the smallest, by which moments are told apart, and a minute and a day as units.
DURATION = re.compile(r"interval '(?!1 (?:microsecond|millisecond|minute|day)')[^']*'|\b(?:3600|86400|1209600)\b")


async def test_every_function_of_the_database_is_the_one_in_its_file(database: Database) -> None:
    """Each is made once more, in a schema of its own, and both are written out by the server: body, types, settings."""
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("create schema again; set local search_path = again, public")
        await connection.execute("set local check_function_bodies = off")
        for path in CURRENT.values():
            for statement in write_function(path):
                await connection.execute(statement)
        for name in CURRENT:
            made, stands = [
                re.sub(rf"\b{schema}\.{name}\b", name, str(await connection.fetchval(DEFINITION, name, schema)))
                for schema in ("again", "public")
            ]
            assert stands == made, name


async def test_no_function_stands_in_the_database_that_no_file_makes(database: Database) -> None:
    names = "select proname from pg_proc where pronamespace = 'public'::regnamespace"
    assert {row[0] for row in await database.pool.fetch(names)} - CURRENT.keys() <= BEFORE


def test_a_function_is_named_as_its_file_and_none_that_was_replaced_is_called_any_more() -> None:
    """What a process of this release needs must not go when what is kept for the release before goes."""
    replaced = BEFORE - CURRENT.keys()
    for name, path in CURRENT.items():
        text = path.read_text()
        assert re.findall(r"create or replace function (\w+)\(", text) == [name]
        body = re.sub(r"--.*", "", text)
        assert replaced.isdisjoint(re.findall(r"\b(\w+)\(", body)), name


def test_what_looks_rows_up_by_their_keys_alone_is_said_once_and_of_functions_that_there_are() -> None:
    assert CURRENT.keys() >= BY_KEYS_ALONE
    assert [name for name, path in CURRENT.items() if "enable_seqscan" in path.read_text()] == []


async def test_it_has_the_settings_in_the_database(database: Database) -> None:
    having = "select proname from pg_proc where 'enable_seqscan=off' = any (proconfig)"
    assert {row[0] for row in await database.pool.fetch(having)} - BEFORE | BY_KEYS_ALONE & BEFORE == BY_KEYS_ALONE


def test_no_function_holds_a_duration_or_the_name_of_a_provider() -> None:
    bodies = {name: re.sub(r"--.*", "", path.read_text()) for name, path in CURRENT.items()}
    assert {name: found for name, body in bodies.items() if (found := DURATION.findall(body))} == {}
    assert [name for name, body in bodies.items() if "telnyx" in body] == []
