"""erase forgets a person: nothing in a dump of the database leads to the number, and what counts still counts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from service.fraud.histories.subjects import subjects_of as places_of
from service.phone import describe
from service.sandbox.faults import Fault
from service.vault import Vault
from service.verification.callers import Evidence, subjects_of
from tests.support.clusters import CHECKOUT
from tests.support.commands import Done, environment_with
from tests.support.fraud import enforced, findings_of, mint, run_guarded
from tests.support.gateway import ADDRESS, OTHER_PHONE, PHONE, Gateway, read_code, run_gateway, wrong

VAULT = Vault([b"s" * 32], b"i" * 32)
ACCOUNT = "account-4711"
EVENT = """
insert into webhook_events (event_id, event_type, delivery, provider_id) values ('e', 'verify.sent', 'sent', $1)
"""

TOKEN = """
insert into captcha_verdicts (token, verdict, phone_hashes, at)
select gen_random_uuid(), 'passed', array[gen_random_uuid(), phone_hash], now() from verifications where id = $1
"""


async def erase(gateway: Gateway, *words: str, given: str = "") -> Done:
    """Run `verify-gateway erase` in a process of its own, with this on its standard input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "erase", *words, cwd=CHECKOUT,
        env=environment_with(gateway.environment | {"PYTHONIOENCODING": "utf-8"}),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate(given.encode("latin-1"))
    return Done(process.returncode or 0, out.decode(), err.decode())


async def dump(gateway: Gateway) -> dict[str, str]:
    """Return every table of the database as text."""
    pool = gateway.database.pool
    tables = await pool.fetch("select tablename from pg_tables where schemaname = 'public'")
    return {name: "\n".join(row[0] for row in await pool.fetch(f"select t::text from {name} t")) for (name,) in tables}


def names_of(client_id: int, phone: str) -> set[str]:
    """Return all that stands in the database for a number: itself, and every hash of it."""
    evidence = Evidence(phone, ADDRESS, ACCOUNT)
    subjects = subjects_of(VAULT, client_id, evidence)
    sources = [source for source in subjects.sources if source is not None]
    hashes = [subjects.phone_hash, subjects.phone_limit, subjects.source_budget, subjects.total_budget, *sources]
    return {phone, phone[1:], *map(str, hashes), str(VAULT.hash(b"limit.every", phone))}


def marks_of(number: str) -> list[int]:
    return [one.mark for one in places_of(VAULT, number, describe(number), None)]


async def test_nothing_but_limits_and_budgets_leads_to_the_number_any_more(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        event = await mint(gateway)
        verified = await gateway.begin(device_event_id=event, account_id=ACCOUNT, idem="key-1")
        await gateway.verify(verified, await read_code(gateway))
        shared = await mint(gateway)
        neighbour = await gateway.begin(OTHER_PHONE, device_event_id=shared)
        await findings_of(gateway, neighbour)
        pending = await gateway.begin(account_id=ACCOUNT, device_event_id=shared)
        await findings_of(gateway, pending)
        await gateway.database.pool.execute(TOKEN, UUID(pending))
        await gateway.verify(pending, wrong(await read_code(gateway)))
        await operator.call("POST", "/v1/operator/search", {"phone_number": PHONE})
        await operator.call(
            "POST", "/v1/operator/exemptions",
            {"phone_number": PHONE, "duration": "1h", "reason": "called us", "limits": True},
        )  # fmt: skip
        [sent, *_] = provider_ids = [one.id for one in gateway.telnyx.verifications.list_by_phone(PHONE)]
        await gateway.database.pool.execute(EVENT, sent)
        client = await gateway.database.pool.fetchval("select id from clients where name = 'shop'")
        names, before = names_of(client, PHONE), await dump(gateway)
        assert all(any(name in text for text in before.values()) for name in names - {PHONE, PHONE[1:]})
        done = await erase(gateway, "-", given="+1 312 555-0142\n")
        assert (done.code, done.out, done.err) == (0, "Forgotten. Verifications of this number: 2.\n", "")
        after = await dump(gateway)
        counters = after.pop("counters")
        for name in [*names, *provider_ids, "+1…42"]:
            assert not [table for table, text in after.items() if name in text], name
        assert counters == before["counters"]
        assert before["known_sources"]
        assert (
            after["known_sources"] == after["idempotency_keys"] == after["webhook_events"] == after["exemptions"] == ""
        )
        marks = await gateway.database.pool.fetch("select marks from histories")
        kept = {mark for row in marks for mark in row[0]}
        assert kept.isdisjoint(marks_of(PHONE))
        assert kept >= set(marks_of(OTHER_PHONE)), "the neighbour's place is not this number's"
        assert (await gateway.read(pending)).body["status"] == "canceled"
        assert (await gateway.read(verified)).body["status"] == "verified"
        assert (await gateway.read(neighbour)).body["status"] == "pending"
        decided = await gateway.database.pool.fetch("select verification_id from sends where decision is not null")
        assert [str(row[0]) for row in decided] == [neighbour]
        notes = await gateway.database.pool.fetch(
            "select action, subject from audits where action <> 'create_key' order by id"
        )
        assert [tuple(note) for note in notes] == [("search", None), ("exempt", None), ("erase", None)]


async def test_a_lockout_and_a_used_event_cannot_be_erased(database_url: str) -> None:
    async with run_guarded(database_url, policy='[lockout]\ncodes_per_phone = "2/24h"\n') as gateway:
        event = await mint(gateway)
        verification = await gateway.begin(device_event_id=event)
        code = await read_code(gateway)
        for _ in range(2):
            await gateway.verify(verification, wrong(code))
        assert (await gateway.request()).status == 429
        assert (await erase(gateway, PHONE)).code == 0
        assert (await gateway.request()).status == 429
        assert await enforced(gateway, await gateway.begin(OTHER_PHONE, device_event_id=event)) == set()
        third = await gateway.begin("+13125550144", device_event_id=event)
        assert await enforced(gateway, third) == {"event_bound"}
        seen = await gateway.read(verification)
        assert seen.body["status"] == "locked"


async def test_the_sums_stay_and_the_histories_go_on(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        for phone in (PHONE, OTHER_PHONE):
            await findings_of(gateway, await gateway.begin(phone))
        sums = "select subject, round(day_sends), round(long_sends) from histories order by 1"
        before = await gateway.database.pool.fetch(sums)
        await erase(gateway, PHONE)
        assert await gateway.database.pool.fetch(sums) == before
        await findings_of(gateway, await gateway.begin("+13125550144"))
        widths = await gateway.database.pool.fetch(
            "select cardinality(ats), cardinality(marks), cardinality(goods) from histories"
        )
        assert all(len(set(row)) == 1 for row in widths)
        assert max(row[0] for row in widths) == 2


async def test_a_send_that_is_on_its_way_is_forgotten_when_it_has_come_to_an_end(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="slow", operations=("send",), seconds=3.0))
        verification = await gateway.begin()
        await asyncio.sleep(0.3)
        assert (await erase(gateway, PHONE)).code == 0
        row = await gateway.database.pool.fetchrow("select * from sends where verification_id = $1", UUID(verification))
        assert row is not None
        assert (row["state"], row["decision"], row["provider_id"]) == ("sent", None, None)
        assert row["phone_hash"] != VAULT.hash(b"phone", PHONE)
        assert (await gateway.read(verification)).body["status"] == "canceled"


async def test_what_is_no_number_is_said_without_repeating_it_and_nobody_is_forgotten(
    database_url: str, tmp_path: Path
) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        for words, given in ((["312555"], ""), (["-"], "nonsense 312555\n"), (["-"], "é 312555"), (["-"], "")):
            done = await erase(gateway, *words, given=given)
            assert "not a possible phone number" in done.sentence()
            assert "312555" not in done.err
        done = await erase(gateway, PHONE)
        assert done.out == "Forgotten. Verifications of this number: 0.\n"


async def test_a_number_is_forgotten_in_every_form_of_it(database_url: str) -> None:
    """An Argentine mobile with and without its 9 is one person, also where an older row stands under the other form."""
    with_nine, without = "+5491123456789", "+541123456789"
    async with run_gateway(database_url, policy='[countries]\nallow = ["AR"]\n') as gateway:
        verification = await gateway.begin(with_nine)
        await gateway.verify(verification, await read_code(gateway, with_nine))
        older = await gateway.begin(OTHER_PHONE)
        await gateway.database.pool.execute(
            "update verifications set phone_hash = $2 where id = $1", UUID(older), VAULT.hash(b"phone", without)
        )
        done = await erase(gateway, without)
        assert done.out == "Forgotten. Verifications of this number: 2.\n"
        assert await gateway.database.pool.fetchval("select count(*) from known_sources") == 0
