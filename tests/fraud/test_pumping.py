"""Pumping is suppressed, people are not, and what was learnt holds over processes and in the database."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest

from service.sandbox.telnyx.service import TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.fraud import enforced, findings_of, run_guarded, sends_to
from tests.support.gateway import Gateway, read_code, run_gateway
from tests.support.telnyx_calls import connect
from tests.support.waiting import until

AREAS = (212, 213, 312, 305, 415, 617, 702, 713, 206, 303, 404, 512, 614, 704, 801, 901)


async def pump(gateway: Gateway, count: int, step: int = 3) -> list[str]:
    """Ask for numbers that follow one another, each from an address of its own, one after the other."""
    begun = []
    for i in range(count):
        begun.append(await gateway.begin(f"+1312555{1000 + i * step}", ip_address=f"198.51.100.{i}"))
        await enforced(gateway, begun[-1])
    return begun


async def pump_at_random(gateway: Gateway, count: int) -> None:
    """Ask for numbers of one range of ten thousand, in no order."""
    for i in range(count):
        asked = await gateway.begin(f"+1312555{1000 + (311 * i * i + 97 * i) % 8000}", ip_address=f"198.51.{100 + i}.1")
        assert await enforced(gateway, asked) == set()


async def test_a_sequential_run_is_suppressed_within_a_few_sends(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        begun = await pump(gateway, 30)
        assert len(gateway.stage.journal.list_calls("send")) <= 6
        assert "block" in await enforced(gateway, begun[-1])


async def test_a_run_that_comes_all_at_once_is_suppressed_as_well(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        asked = (gateway.begin(f"+1312555{1000 + i}", ip_address=f"198.51.100.{i}") for i in range(40))
        for verification in await asyncio.gather(*asked):
            await enforced(gateway, verification)
        assert len(gateway.stage.journal.list_calls("send")) <= 6


async def test_people_who_enter_their_codes_are_not_suppressed(database_url: str) -> None:
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


async def test_a_rule_that_observes_suppresses_nothing(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = [await gateway.begin(f"+1312555{1000 + i}") for i in range(8)]
        found = [await findings_of(gateway, verification) for verification in begun]
        assert all("enforce" not in modes.values() for modes in found)
        assert any("sequential" in modes for modes in found)
        assert sends_to(gateway, "+13125551007") == 1


async def test_one_network_that_asks_from_address_after_address_is_suppressed(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        for i in range(10):
            await enforced(gateway, await gateway.begin(stranger(i), ip_address=f"198.51.100.{i}"))
        await grow_old(gateway)
        suppressed = await gateway.begin(stranger(10), ip_address="198.51.100.10")
        elsewhere = await gateway.begin(stranger(11), ip_address="198.51.101.11")
        assert await enforced(gateway, suppressed) == {"burst"}
        assert await enforced(gateway, elsewhere) == set()
        assert "block" in await enforced(gateway, await gateway.begin(stranger(12), ip_address="198.51.100.12"))


async def test_after_a_block_an_unconverted_send_blocks_a_range_again_and_a_converted_one_frees_it(
    database_url: str,
) -> None:
    async with run_guarded(database_url) as gateway:
        await pump_at_random(gateway, 8)
        await grow_old(gateway)
        assert await enforced(gateway, await gateway.begin("+13125559999", ip_address="203.0.113.76")) == {"range"}
        await grow_old(gateway)
        probe = await gateway.begin("+13125558888", ip_address="203.0.113.77")
        assert await enforced(gateway, probe) == set()
        await asyncio.sleep(1)  # ages are whole seconds
        suppressed = await gateway.begin("+13125554444", ip_address="203.0.113.78")
        assert await enforced(gateway, suppressed) == {"range"}
        await end_blocks(gateway)
        assert (await gateway.verify(probe, await read_code(gateway, "+13125558888"))).body["verified"]
        await asyncio.sleep(1)  # the histories learn of it a little later
        freed = await gateway.begin("+13125553333", ip_address="203.0.113.79")
        assert await enforced(gateway, freed) == set()


async def test_after_a_block_it_takes_two_unconverted_sends_where_anybody_has_ever_converted(
    database_url: str,
) -> None:
    async with run_guarded(database_url) as gateway:
        await convert(gateway, "+13125557777", "203.0.113.75")
        await pump_at_random(gateway, 12)
        await grow_old(gateway)
        assert await enforced(gateway, await gateway.begin("+13125559999", ip_address="203.0.113.76")) == {"range"}
        await grow_old(gateway)
        for number in ("+13125558888", "+13125554444"):
            assert (
                await enforced(gateway, await gateway.begin(number, ip_address=f"203.0.113.{number[-3:-1]}")) == set()
            )
            await asyncio.sleep(1)  # ages are whole seconds
        third = await gateway.begin("+13125553333", ip_address="203.0.113.79")
        assert await enforced(gateway, third) == {"range"}


async def test_neighbouring_numbers_of_people_who_enter_their_codes_are_no_run(database_url: str) -> None:
    """An employer's block: some enter their codes, and the others' numbers lie as close together."""
    async with run_guarded(database_url) as gateway:
        for place in range(4):
            await convert(gateway, f"+1312555{1000 + place}", f"203.0.113.{place}")
        for place in range(4, 14):
            asked = await gateway.begin(f"+1312555{1000 + place}", ip_address=f"203.0.113.{place}")
            assert "sequential" not in await findings_of(gateway, asked)


async def test_numbers_of_many_countries_are_no_objection_to_an_address_where_codes_are_entered(
    database_url: str,
) -> None:
    numbers = ("+447400123456", "+4915112345678", "+33612345678", "+61412345678", "+48512345678", "+5511961234567")
    countries = '[countries]\nallow = ["US", "GB", "DE", "FR", "AU", "PL", "BR"]\n'
    async with run_guarded(database_url, countries) as gateway:
        for number in ("+13125550142", "+13125550143", "+13125550144"):
            await convert(gateway, number, "203.0.113.9")
        for number in numbers:
            asked = await gateway.begin(number, ip_address="203.0.113.9")
            assert "many_countries" not in await findings_of(gateway, asked)
        others = [await gateway.begin(number, ip_address="198.51.100.7") for number in numbers]
        assert "many_countries" in await findings_of(gateway, others[-1])


async def test_a_finding_says_in_a_sentence_what_happened_and_never_a_whole_number(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        await pump_at_random(gateway, 8)
        await grow_old(gateway)
        suppressed = await gateway.begin("+13125559999", ip_address="203.0.113.76")
        assert await enforced(gateway, suppressed) == {"range"}
        told = await gateway.database.pool.fetchval(
            "select decision from sends where verification_id = $1::text::uuid", suppressed
        )
        (found,) = (one for one in msgspec.json.decode(told)["findings"] if one["rule"] == "range")
        assert found["detail"].startswith("block_10k ")
        sentence = r"8 of 8 codes to US \+13125… \(10,000 numbers\) not entered since \d\d:\d\d UTC"
        assert re.fullmatch(sentence, found["reason"])
        assert await gateway.database.pool.fetchval("select reason from blocks") == found["reason"]
        blocked = await gateway.begin("+13125556666", ip_address="203.0.113.77")
        assert "block" in await enforced(gateway, blocked)


@pytest.mark.parametrize("readers", [1, 0])
async def test_failed_deliveries_say_nothing_against_a_range_where_people_read_codes(
    database_url: str, readers: int
) -> None:
    manners = Manners(sent_after=0.0, delivered_after=0.05)
    async with run_guarded(
        database_url, '[fallback]\nmode = "off"\n', telnyx=TelnyxSettings(manners=manners)
    ) as gateway:
        connect(gateway)
        for _ in range(readers):
            await convert(gateway, "+13125557777", "203.0.113.75")
        gateway.telnyx.courier.manners = msgspec.structs.replace(manners, undelivered=("+1312",))
        await pump_at_random(gateway, 8)
        await until(lambda: are_failed(gateway), "what was sent is reported as not delivered")
        await grow_old(gateway)
        asked = await gateway.begin("+13125559999", ip_address="203.0.113.76")
        assert ("range" in await enforced(gateway, asked)) is (readers == 0)


async def are_failed(gateway: Gateway) -> bool:
    left = await gateway.database.pool.fetchval(
        "select count(*) from sends where provider = 'telnyx' and delivery is distinct from 'failed' "
        "and delivery is distinct from 'delivered'"
    )
    return bool(left == 0)


async def convert(gateway: Gateway, number: str, address: str) -> None:
    """Have somebody ask for a code and enter it."""
    begun = await gateway.begin(number, ip_address=address)
    assert (await gateway.verify(begun, await read_code(gateway, number))).body["verified"]
    await asyncio.sleep(0.5)  # the histories learn of it a little later


async def test_a_number_that_was_verified_is_not_blamed_for_its_neighbours(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        known = "+13125559876"
        begun = await gateway.begin(known, ip_address="203.0.113.80")
        assert (await gateway.verify(begun, await read_code(gateway, known))).body["verified"]
        await pump_at_random(gateway, 12)
        await grow_old(gateway)
        for number, found in (
            ("+13125559999", {"range"}),
            ("+13125559998", {"block", "range"}),
            (known, set()),
        ):  # the address has read a code: it is no burst
            asked = await gateway.begin(number, ip_address="203.0.113.80")
            assert await enforced(gateway, asked) == found


def stranger(i: int) -> str:
    """A number of an area of its own."""
    return f"+1{AREAS[i]}{2110000 + 7919 * i}"


async def grow_old(gateway: Gateway) -> None:
    """Have all that was sent be ten minutes old, and every block be over since one minute."""
    await gateway.database.pool.execute(
        "update histories set ats = array(select a - interval '10 minutes' from unnest(ats) as a), "
        "failed = array(select a - interval '10 minutes' from unnest(failed) as a)"
    )
    await end_blocks(gateway)


async def end_blocks(gateway: Gateway) -> None:
    """Have every block be over since one minute."""
    await gateway.database.pool.execute(
        "update blocks set until = clock_timestamp() - interval '1 minute' where until > clock_timestamp()"
    )
