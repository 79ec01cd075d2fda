"""Pumping is stopped, people are not, and what was learnt holds over processes and in the database."""

from __future__ import annotations

import asyncio

from tests.support.fraud import enforced, run_guarded, sends_to
from tests.support.gateway import Gateway, read_code, run_gateway

AREAS = (212, 213, 312, 305, 415, 617, 702, 713, 206, 303, 404, 512, 614, 704, 801, 901)


async def pump(gateway: Gateway, count: int, step: int = 3) -> list[str]:
    """Ask for numbers that follow one another, each from an address of its own, one after the other."""
    begun = []
    for i in range(count):
        begun.append(await gateway.begin(f"+1312555{1000 + i * step}", ip_address=f"198.51.100.{i}"))
        await enforced(gateway, begun[-1])
    return begun


async def test_a_sequential_run_is_stopped_within_a_few_sends(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        begun = await pump(gateway, 30)
        assert len(gateway.stage.journal.list_calls("send")) <= 6
        assert "block" in await enforced(gateway, begun[-1])


async def test_a_run_that_comes_all_at_once_is_stopped_as_well(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        asked = (gateway.begin(f"+1312555{1000 + i}", ip_address=f"198.51.100.{i}") for i in range(40))
        for verification in await asyncio.gather(*asked):
            await enforced(gateway, verification)
        assert len(gateway.stage.journal.list_calls("send")) <= 6


async def test_people_who_read_their_codes_are_not_stopped(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        for i, area in enumerate(AREAS):
            phone = f"+1{area}{2110000 + 7919 * i}"
            verification = await gateway.begin(phone, ip_address=f"198.51.100.{i}")
            checked = await gateway.verify(verification, await read_code(gateway, phone))
            assert checked.body["verified"] is True


async def test_a_decoy_leaves_no_trace_in_the_histories(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        for i in range(12):
            verification = await gateway.begin(f"+1312555{1000 + i}", deliver=False, ip_address=f"198.51.100.{i}")
            await enforced(gateway, verification)
        rows = await gateway.database.pool.fetch("select cardinality(ats) as n from histories")
        assert {row["n"] for row in rows} == {0}
        assert await gateway.database.pool.fetchval("select count(*) from blocks") == 0


async def test_as_shipped_the_histories_are_observed_and_stop_nobody(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        for i in range(8):
            verification = await gateway.begin(f"+1312555{1000 + i}")
            assert await enforced(gateway, verification) == set()
        assert sends_to(gateway, "+13125551007") == 1
