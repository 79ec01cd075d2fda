"""What the database refuses or cannot do is 503 to everybody, whatever statement meets it, and never 500."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.clients.key_admin import KeyAdmin
from service.db.engine import Database, open_database
from service.db.faults import Collided, ConstraintViolated, LockNotAvailable
from service.db.pooler import advise
from service.errors import Unavailable, Unclear
from service.sandbox.faults import Fault
from service.vault import Vault
from tests.conftest import command
from tests.support.dispatching import ended, numbers
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, run_gateway
from tests.support.guessing import begin_and_read
from tests.support.standing import locked, run_pooler
from tests.support.waiting import until

# A full disk, no memory, too many connections; a deadlock, a failed serialisation; canceled; a file that cannot be
# read; somebody else's lock.
NOT_DONE = ["53100", "53200", "53300", "40P01", "40001", "57014", "58030", "55P03"]
RAISE = "do $$ begin raise exception using errcode = '{state}', message = 'on purpose'; end $$"
FAIL = """
create function fail() returns trigger language plpgsql as $$
begin raise exception using errcode = '{state}', message = 'on purpose'; end $$;
create trigger fail before insert or update on {table} for each row execute function fail();
"""


@pytest.mark.parametrize("state", NOT_DONE)
async def test_what_the_server_did_not_do_is_unavailable_and_not_unclear(database: Database, state: str) -> None:
    with pytest.raises(Unavailable) as refused:
        await database.pool.execute(RAISE.format(state=state))
    assert not isinstance(refused.value, Unclear)
    assert isinstance(refused.value, Collided) == (state in ("40P01", "40001"))
    assert isinstance(refused.value, LockNotAvailable) == (state == "55P03")
    assert "on purpose" not in str(refused.value)


@pytest.mark.parametrize("state", ["57P01", "08006", "40003", "25P04"])
async def test_what_may_have_been_done_is_unclear(database: Database, state: str) -> None:
    with pytest.raises(Unclear):
        await database.pool.execute(RAISE.format(state=state))


async def test_a_violated_constraint_is_named(database: Database) -> None:
    one = "insert into clients (name) values ('shop')"
    await database.pool.execute(one)
    with pytest.raises(ConstraintViolated) as broken:
        await database.pool.execute(one)
    assert broken.value.constraint == "uq_clients_name"


async def test_a_statement_rolled_back_in_favour_of_another_transaction_is_run_again(database: Database) -> None:
    await database.pool.execute("create sequence tries")
    await database.pool.execute(
        "create function lose() returns bigint language plpgsql as $$ begin "
        "if nextval('tries') < 3 then raise exception using errcode = '40P01'; end if; return currval('tries'); end $$"
    )
    assert await database.pool.fetchval("select lose()") == 3


@pytest.mark.parametrize("table", ["verifications", "sends", "counters"])
@pytest.mark.parametrize("state", ["53100", "40P01"])
async def test_a_full_disk_is_503_and_nothing_is_sent(
    database_url: str, database: Database, state: str, table: str
) -> None:
    async with run_gateway(database_url) as gateway:
        await ended(gateway, await gateway.begin())
        await database.pool.execute(FAIL.format(state=state, table=table))
        replies = await asyncio.gather(*(gateway.request(phone) for phone in numbers(5)))
        assert {reply.status for reply in replies} == {503}
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)
        await database.pool.execute(f"drop trigger fail on {table}")
        await ended(gateway, await gateway.begin(OTHER_PHONE))
        assert len(gateway.stage.journal.list_calls("send")) == 2


async def test_a_full_disk_is_503_to_whoever_checks_a_code_or_cancels(database_url: str, database: Database) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        verification, code = await begin_and_read(gateway)
        for table in ("guesses", "verifications"):
            await database.pool.execute(FAIL.format(state="53100", table=table))
            assert (await gateway.verify(verification, code)).status == 503
            assert (await gateway.cancel(verification)).status == (503 if table == "verifications" else 200)
            await database.pool.execute(f"drop trigger fail on {table}; drop function fail()")
            if table == "guesses":
                verification, code = await begin_and_read(gateway, OTHER_PHONE)
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_a_look_up_that_meets_a_lock_is_made_again_and_not_left_to_the_lease(
    database_url: str, database: Database
) -> None:
    async with run_gateway(database_url) as gateway:
        await ended(gateway, await gateway.begin(OTHER_PHONE))
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("send",), phone_number=PHONE, seconds=0.0))
        verification = await gateway.begin()
        await until(lambda: bool(gateway.stage.journal.list_calls("send")[1:]), "Telnyx was called")
        begun = time.monotonic()
        async with locked(database_url, "sends"):
            await asyncio.sleep(3)
        [send] = await ended(gateway, verification)
        assert send["state"] == "sent"
        assert time.monotonic() - begun < 12, "before its lease was over"


async def test_a_key_that_cannot_be_written_is_reported_in_a_sentence(database: Database) -> None:
    await database.pool.execute(FAIL.format(state="53100", table="api_keys"))
    with pytest.raises(Unavailable, match="did not answer"):
        await KeyAdmin(database, Vault([b"s" * 32], b"i" * 32)).create("shop")


async def test_behind_a_pooler_a_role_without_a_time_limit_is_told_what_to_set(
    postgres: str, database_url: str, database: Database
) -> None:
    assert await advise(database, "none") is None
    async with run_pooler(database_url) as near:
        pooled = await open_database(near, pooler="transaction")
        advice = await advise(pooled, "transaction")
        await pooled.aclose()
    assert advice is not None
    assert "ALTER ROLE \"app\" SET statement_timeout = '2s'" in advice
    name = await database.pool.fetchval("select current_database()")
    await command(postgres, f"alter role app in database {name} set statement_timeout = '2s'")
    async with run_pooler(database_url) as near:
        pooled = await open_database(near, pooler="transaction")
        assert await advise(pooled, "transaction") is None
        await pooled.aclose()
