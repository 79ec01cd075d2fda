"""A wrong SECRET_KEY or INDEX_KEY is noticed, by the doctor and at the start, and one that rotates is not wrong."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any
from uuid import uuid4

from service.db.engine import Database
from service.operators.known_keys import find_wrong_keys, note_keys
from service.settings import Settings, load
from service.vault import Vault
from tests.support.gateway import run_gateway, run_process
from tests.support.waiting import until

A, B, C, INDEX, OTHER = (bytes([n]) + bytes(range(31)) for n in range(5))
CLIENT = "insert into clients (name) values ($1) returning id"
ENDPOINT = "insert into callback_endpoints (client_id, row, sealed, host, created_at) values ($1, $2, $3, 'x', now())"


def having(*secret: bytes, index: bytes = INDEX) -> Settings:
    keys = [base64.b64encode(key).decode() for key in (*secret, index)]
    given: dict[str, Any] = {
        "database_url": "embedded:x", "secret_key": ",".join(keys[:-1]), "index_key": keys[-1], "telnyx_api_key": "K",
        "telnyx_verify_profile_id": str(uuid4()),
    }  # fmt: skip
    return load(Settings, **given)


async def find(database: Database, settings: Settings) -> list[str]:
    return [wrong.setting for wrong in await find_wrong_keys(database.pool, settings)]


async def test_other_keys_than_those_of_the_first_start_are_wrong_however_often_they_start(database: Database) -> None:
    assert await find(database, having(B)) == [], "nothing is known yet"
    assert await note_keys(database.pool, having(A)) == []
    for _ in range(2):
        for settings, wrong in (
            (having(A), []),
            (having(B), ["SECRET_KEY"]),
            (having(A, index=OTHER), ["INDEX_KEY"]),
            (having(B, index=OTHER), ["INDEX_KEY", "SECRET_KEY"]),
        ):
            assert [one.setting for one in await note_keys(database.pool, settings)] == wrong
            assert await find(database, settings) == wrong


async def test_a_key_that_rotates_is_right_at_each_step_and_one_that_was_replaced_is_wrong(database: Database) -> None:
    # Of a process that has not restarted yet, a crash may start it again with the step before.
    steps = [having(A), having(A, B), having(B, A), having(B), having(B, C), having(C, B), having(C)]
    for before, settings in pairwise(steps):
        assert await note_keys(database.pool, before) == []
        assert await note_keys(database.pool, settings) == []
        await note_keys(database.pool, before)
        assert await find(database, settings) == []
    assert await find(database, having(A, C)) == []
    assert await find(database, having(A)) == ["SECRET_KEY"]
    assert await find(database, having(B)) == ["SECRET_KEY"]


async def test_a_rotation_can_be_taken_back_before_the_new_key_was_used_and_not_cut_short(
    database: Database,
) -> None:
    for settings in (having(A), having(A, B)):
        assert await note_keys(database.pool, settings) == []
    assert await find(database, having(A)) == []
    assert await find(database, having(B)) == ["SECRET_KEY"]
    assert await note_keys(database.pool, having(B, A)) == []
    assert await find(database, having(A)) == ["SECRET_KEY"]


async def test_a_database_that_no_process_has_started_on_is_compared_by_what_is_sealed_in_it(
    database: Database,
) -> None:
    for name, key in (("shop", A), ("bank", B)):
        client, row = await database.pool.fetchval(CLIENT, name), uuid4()
        await database.pool.execute(ENDPOINT, client, row, Vault([key], INDEX).seal(row, b"address"))
    for settings, wrong in ((having(A), []), (having(C, B), []), (having(C), ["SECRET_KEY"])):
        assert await find(database, settings) == wrong


async def test_a_process_that_starts_with_a_wrong_key_says_so(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        await note_keys(gateway.database.pool, having(A))
        async with run_process(gateway, command="dispatch") as process:

            async def has_started() -> bool:
                return b'"starting"' in process.log.read_bytes()

            await until(has_started, "the process says what it is")
            lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    named = {line["setting"]: line for line in lines if line["event"] == "wrong_key"}
    assert set(named) == {"SECRET_KEY", "INDEX_KEY"}
    assert all(line["risk"] and line["remedy"] and line["level"] == "warning" for line in named.values())
