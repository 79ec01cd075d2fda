"""Idempotency-Key on verify: the same key gets the same answer and counts once; what was not compared is not kept."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from service.sandbox.faults import Fault
from service.vault import Vault
from tests.support.gateway import OTHER_PHONE, PHONE, Reply, run_gateway, wrong
from tests.support.guessing import (
    begin_and_read,
    count_guesses_at_telnyx,
    count_statuses,
    guess_all,
    wait_for_guesses_at_telnyx,
    wrong_codes,
)

RESERVED = """
insert into guesses (id, verification_id, counted_at, settle_at, idem) values ($1, $2, now(), now() + interval '1h', $3)
"""


def same(first: Reply, second: Reply) -> bool:
    return (first.status, first.body) == (second.status, second.body) and second.headers[
        "idempotent-replayed"
    ] == "true"


async def test_the_same_key_is_answered_as_before_and_counted_once_whatever_came_between(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        missed = await gateway.verify(verification, wrong(code), idem="first")
        assert "idempotent-replayed" not in missed.headers
        assert same(missed, await gateway.verify(verification, wrong(code), idem="first"))
        hit = await gateway.verify(verification, code, idem="second")
        assert same(hit, await gateway.verify(verification, code, idem="second"))
        assert same(missed, await gateway.verify(verification, wrong(code), idem="first"))
        assert hit.body["verified"] is True
        assert count_guesses_at_telnyx(gateway) == 2


async def test_another_code_under_the_same_key_is_refused_and_never_told_what_the_first_one_got(
    database_url: str,
) -> None:
    """The worst of it would be "verified" for a wrong code. What is the same code in other letters is the same."""
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        missed = await gateway.verify(verification, wrong(code), idem="wrong")
        other = await gateway.verify(verification, code, idem="wrong")
        assert (other.status, other.body["type"].rpartition(":")[2]) == (422, "idempotency-mismatch")
        hit = await gateway.verify(verification, code, idem="right")
        assert hit.body["verified"] is True
        assert (await gateway.verify(verification, wrong(code), idem="right")).status == 422
        assert same(hit, await gateway.verify(verification, f" +{code[:3]} {code[3:]}", idem="right"))
        assert same(missed, await gateway.verify(verification, wrong(code), idem="wrong"))
        assert count_guesses_at_telnyx(gateway) == 2


async def test_a_stored_code_cannot_be_found_by_trying_all_codes(database_url: str) -> None:
    """All of a million codes could be hashed: under the gateway's key they would have to be, and with the caller's."""
    async with run_gateway(database_url) as gateway:
        for phone in (PHONE, OTHER_PHONE):
            verification, _ = await begin_and_read(gateway, phone)
            for key in ("one", "other"):
                await gateway.verify(verification, "000000", idem=f"{phone}{key}")
        rows = await gateway.database.pool.fetch("select body, guesses::text as whole from guesses")
        hashes = {row["body"] for row in rows}
        assert (len(hashes), None in hashes) == (4, False)
        assert not any("000000" in row["whole"] for row in rows)


async def test_a_key_in_flight_is_409_and_of_fifty_at_once_one_is_counted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.latency = {"check": 1.2}
        calls = [asyncio.ensure_future(gateway.verify(verification, wrong(code), idem="key")) for _ in range(50)]
        await wait_for_guesses_at_telnyx(gateway, 1)
        flying = await gateway.verify(verification, wrong(code), idem="key")
        assert (await gateway.verify(verification, code, idem="key")).status == 422
        assert (flying.status, flying.headers["retry-after"]) == (409, "1")
        replies = await asyncio.gather(*calls)
        assert count_statuses(replies) == {200: 1, 409: 49}
        assert count_guesses_at_telnyx(gateway) == 1
        assert (await gateway.read(verification)).body["attempts_remaining"] == 4
        [counted] = [reply for reply in replies if reply.status == 200]
        assert same(counted, await gateway.verify(verification, wrong(code), idem="key"))


async def test_a_503_is_not_kept(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), times=1))
        assert (await gateway.verify(verification, code, idem="key")).status == 503
        told = await gateway.verify(verification, code, idem="key")
        assert (told.status, told.body["verified"]) == (200, True)
        assert "idempotent-replayed" not in told.headers


async def test_what_is_refused_is_not_kept(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        assert (await gateway.verify(verification, "12", idem="key")).status == 422
        gateway.stage.latency = {"check": 1.2}
        flying = asyncio.ensure_future(guess_all([gateway], verification, wrong_codes(code, 5)))
        await wait_for_guesses_at_telnyx(gateway, 5)
        assert (await gateway.verify(verification, code, idem="key")).status == 429
        await flying
        assert (await gateway.verify(verification, code, idem="key")).status == 409
        other, other_code = await begin_and_read(gateway, OTHER_PHONE)
        assert (await gateway.verify(other, other_code, idem="key")).body["verified"] is True


async def test_one_key_on_two_verifications_is_taken_once(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        one, code = await begin_and_read(gateway)
        other, other_code = await begin_and_read(gateway, OTHER_PHONE)
        assert (await gateway.verify(one, wrong(code), idem="key")).status == 200
        assert (await gateway.verify(other, other_code, idem="key")).status == 422
        assert count_guesses_at_telnyx(gateway) == 1


async def test_one_key_on_two_verifications_at_the_same_moment_is_in_flight_for_one(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        one, _ = await begin_and_read(gateway)
        other, code = await begin_and_read(gateway, OTHER_PHONE)
        async with gateway.database.pool.acquire() as connection, connection.transaction():
            [[client]] = await connection.fetch("select id from clients")
            idem = Vault([b"s" * 32], b"i" * 32).hash(b"idem.key", str(client), "verify", "key")
            await connection.execute(RESERVED, uuid4(), UUID(one), idem)
            late = asyncio.ensure_future(gateway.verify(other, code, idem="key"))
            await asyncio.sleep(0.3)
        assert (await late).status == 409
        assert (await gateway.read(other)).body["attempts_remaining"] == 5
        assert count_guesses_at_telnyx(gateway) == 0


async def test_keys_of_two_clients_and_of_two_calls_are_apart(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        bank = await gateway.client("bank")
        mine = await gateway.request(idem="key")
        theirs, code = await begin_and_read(gateway, OTHER_PHONE, bank)
        assert (await bank.verify(theirs, wrong(code), idem="key")).status == 200
        told = await gateway.verify(mine.body["id"], "000000", idem="key")
        assert (told.status, "idempotent-replayed" in told.headers) == (200, False)
