"""keys, migrate, purge: what goes to which stream, what happens twice, and what is said when it cannot be."""

from __future__ import annotations

import re

import pytest

from service.db.engine import open_database
from tests.conftest import command
from tests.support.clusters import query
from tests.support.commands import Done, run, run_inside
from tests.support.gateway import INDEX_KEY, SECRET_KEY, run_gateway


async def run_here(database_url: str, *words: str) -> Done:
    return await run_inside(*words, settings=settings_of(database_url))


def settings_of(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, "INDEX_KEY": INDEX_KEY}


async def test_a_key_is_alone_on_standard_output_and_good_for_its_scope(database_url: str) -> None:
    verify = await run("keys", "create", "shop", settings=settings_of(database_url))
    operator = await run_here(database_url, "keys", "create", "desk", "--scope", "operator")
    for done in (verify, operator):
        assert (done.code, done.err) == (0, "")
        assert re.fullmatch(r"vg_[\w-]{43}\n", done.out)
    async with run_gateway(database_url) as gateway:
        gateway.key = verify.out.strip()
        assert (await gateway.request()).status == 202
        assert (await gateway.call("GET", "/metrics")).status == 403
        gateway.key = operator.out.strip()
        assert (await gateway.call("GET", "/metrics")).status == 200


async def test_a_test_client_stays_one_and_another_never_becomes_one(database_url: str) -> None:
    assert (await run_here(database_url, "keys", "create", "rehearsal", "--test")).code == 0
    assert (await run_here(database_url, "keys", "create", "shop")).code == 0
    assert "rehearsal" in (await run_here(database_url, "keys", "create", "rehearsal")).sentence()
    assert "shop" in (await run_here(database_url, "keys", "create", "shop", "--test")).sentence()
    assert await query(database_url, "select count(*) from api_keys") == 2
    assert await query(database_url, "select string_agg(name, ' ') from clients where test") == "rehearsal"


@pytest.mark.parametrize("name", ["Shop", "my shop", "-shop", "a" * 64, "", "shop;drop", "café"])
async def test_a_client_is_named_in_lower_case_letters_and_digits(database_url: str, name: str) -> None:
    done = await run_here(database_url, "keys", "create", "--", name)
    assert "a-z" in done.sentence()
    assert await query(database_url, "select count(*) from clients") == 0


async def test_an_unknown_scope_is_a_usage_error(database_url: str) -> None:
    done = await run_here(database_url, "keys", "create", "shop", "--scope", "admin")
    assert (done.code, done.out) == (2, "")
    assert "verify" in done.err
    assert "operator" in done.err


async def test_a_key_is_listed_without_itself_and_revoked_once(database_url: str) -> None:
    key = (await run_here(database_url, "keys", "create", "shop")).out.strip()
    await run_here(database_url, "keys", "create", "rehearsal", "--test", "--scope", "operator")
    listed = (await run_here(database_url, "keys", "list")).out
    first, second = listed.splitlines()
    assert re.fullmatch(r"1  shop  verify  vg_[\w-]{4}…  \d{4}-\d\d-\d\d  never used", first)
    assert re.fullmatch(r"2  rehearsal \(test\)  operator  vgt_[\w-]{4}…  \d{4}-\d\d-\d\d  never used", second)
    assert key not in listed
    async with run_gateway(database_url) as gateway:
        gateway.key = key
        assert (await gateway.request()).status == 202
        assert (await run_here(database_url, "keys", "revoke", "1")).code == 0
        assert (await gateway.request()).status == 401
        assert (await gateway.request()).status == 401
    assert "no key 1" in (await run_here(database_url, "keys", "revoke", "1")).sentence()
    for never in ("0", "2147483648", "9" * 400):
        assert (await run_here(database_url, "keys", "revoke", never)).code == 2
    assert "no key 99" in (await run_here(database_url, "keys", "revoke", "99")).sentence()
    assert "revoked" in (await run_here(database_url, "keys", "list")).out.splitlines()[0]


async def test_migrating_twice_changes_nothing_the_second_time(empty_database_url: str) -> None:
    for _ in range(2):
        done = await run_inside("migrate", settings={"DATABASE_URL": empty_database_url})
        assert (done.code, done.err) == (0, "")
        assert done.out == "The schema is up to date.\n"
    assert await query(empty_database_url, "select count(*) from alembic_version") == 1


async def test_purge_says_how_much_it_deleted(database_url: str) -> None:
    await command(
        database_url,
        "insert into webhook_events (event_id, event_type, delivery, provider_id, received_at) "
        "values ('e', 'verify.sent', 'sent', 'p', now() - interval '2 days')",
    )
    done = await run_here(database_url, "purge")
    assert (done.code, done.err) == (0, "")
    assert "webhook_events: 1" in done.out.splitlines()


COMMANDS = [["keys", "create", "shop"], ["keys", "list"], ["keys", "revoke", "1"], ["purge"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_a_missing_schema_is_reported_in_a_sentence(empty_database_url: str, words: list[str]) -> None:
    assert "verify-gateway migrate" in (await run_here(empty_database_url, *words)).sentence()


@pytest.mark.parametrize("words", [*COMMANDS, ["migrate"]], ids=" ".join)
async def test_an_unreachable_database_is_reported_in_a_sentence(words: list[str]) -> None:
    said = (await run_here("postgresql+asyncpg://user:hidden@127.0.0.1:1/name", *words)).sentence()
    assert "database" in said
    assert "hidden" not in said
    assert len(said.splitlines()) == 1


async def test_a_database_that_refuses_us_is_reported_in_a_sentence(database_url: str) -> None:
    gone = database_url.replace("verify_test_", "nowhere_")
    for words in (["keys", "list"], ["migrate"]):
        assert "does not exist" in (await run_here(gone, *words)).sentence()


async def test_a_missing_setting_is_named(database_url: str) -> None:
    said = (await run_inside("keys", "list", settings={"DATABASE_URL": database_url})).sentence()
    assert "SECRET_KEY: is missing" in said
    assert "INDEX_KEY: is missing" in said
    assert "DATABASE_URL" in (await run_inside("migrate")).sentence()


async def test_a_key_made_here_is_of_no_use_under_another_secret(database_url: str) -> None:
    """The database alone does not tell who may call."""
    key = (await run_here(database_url, "keys", "create", "shop")).out.strip()
    database = await open_database(database_url)
    try:
        digest = await database.pool.fetchval("select digest from api_keys")
    finally:
        await database.aclose()
    assert key.encode() not in digest


async def test_no_key_is_made_whose_end_no_process_could_read(database_url: str) -> None:
    done = await run_here(database_url, "keys", "create", "shop", "--ends", "3000000d")
    assert (done.code, done.out) == (2, "")
    assert "at most 3650d" in done.err
    assert (await run_here(database_url, "keys", "create", "shop", "--ends", "3650d")).code == 0
