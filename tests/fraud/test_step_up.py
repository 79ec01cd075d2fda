"""While a country's or a network's alarm is up, clients that ask for it get a captcha asked, for all of it alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.db.engine import Database
from service.errors import SettingsError
from service.fraud.gathering.captchas import check_provider
from service.fraud.histories import subjects
from service.policy import loading
from service.sandbox.captcha_app import SECRET
from service.sandbox.faults import Fault
from service.vault import Vault
from tests.support.countries import pump, wait_for_alarm
from tests.support.fraud import enforced, run_guarded, sends_to
from tests.support.gateway import ADDRESS, OTHER_PHONE, PHONE, Calls, Gateway, Reply, read_code
from tests.support.waiting import until

STEP_UP = '[clients.shop]\nstep_up = "captcha"\n'
VAULT = Vault([b"s" * 32], b"i" * 32)
BLOCK = """
insert into blocks (subject, kind, label, reason, level, began_at, until, set_by)
values ($1, $2, $3, 'tested', 0, now(), now() + interval '1 hour', $4)
"""
# What would be different about a number: nothing, a plan that does not know it, a premium one, a landline.
NUMBERS = (PHONE, OTHER_PHONE, "+18615550100", "+19005550142", "+12125550100")
KEPT = ("verifications", "sends", "histories", "counters", "captcha_verdicts", "idempotency_keys", "device_events")


@asynccontextmanager
async def run_asking(database_url: str, policy: str = STEP_UP) -> AsyncIterator[Gateway]:
    captcha = {"CAPTCHA_PROVIDER": "hcaptcha", "CAPTCHA_SECRET": SECRET}
    async with run_guarded(database_url, policy, **captcha) as gateway:
        yield gateway


@asynccontextmanager
async def run_alarmed(database_url: str, database: Database, policy: str = STEP_UP) -> AsyncIterator[Gateway]:
    """Run a gateway that knows of the alarm of the US."""
    await pump(database)
    async with run_asking(database_url, policy) as gateway:
        await wait_for_alarm(gateway)
        await until(lambda: is_asked(gateway), "the process knows of it")
        await database.pool.execute("truncate verifications, sends, guesses, histories, counters, idempotency_keys")
        yield gateway


async def is_asked(calls: Calls, **fields: Any) -> bool:
    return (await calls.request("+13125550199", **fields)).status == 422


def told(reply: Reply) -> tuple[int, Any, list[str]]:
    return reply.status, reply.body, sorted(set(reply.headers) - {"date", "x-request-id"})


async def test_every_number_of_the_country_gets_the_same_challenge_and_leaves_no_trace(
    database_url: str, database: Database
) -> None:
    async with run_alarmed(database_url, database) as gateway:
        range_of = subjects.range_of(VAULT, OTHER_PHONE, 4)
        await database.pool.execute(BLOCK, range_of, "range", "US block_10k", "key 1")
        answers = [told(await gateway.request(number)) for number in NUMBERS]
        answers += [told(await gateway.request(number, deliver=False)) for number in NUMBERS]
        answers += [told(await gateway.request(PHONE, captcha_token="fail-1")) for _ in range(2)]
        assert all(one == answers[0] for one in answers)
        status, body, _ = answers[0]
        assert (status, body["type"]) == (422, "urn:verify-gateway:problem:challenge-required")
        assert not any(number[1:] in str(body) for number in NUMBERS)
        left = {table: await database.pool.fetchval(f"select count(*) from {table}") for table in KEPT}
        assert left == dict.fromkeys(KEPT, 0)


async def test_people_get_their_code_with_a_good_captcha_which_is_verified_once(
    database_url: str, database: Database
) -> None:
    async with run_alarmed(database_url, database) as gateway:
        begun = await gateway.begin(captcha_token="pass-1")
        code = await read_code(gateway)
        assert (await gateway.verify(begun, code)).body["verified"] is True
        assert [call.code for call in gateway.stage.journal.list_calls("captcha")] == ["pass-1"]
        # A corrected number, from where it was solved; not a third one.
        again = [await gateway.request(number, captcha_token="pass-1") for number in (OTHER_PHONE, "+13125550144")]
        assert [reply.status for reply in again] == [202, 422]
        assert await read_code(gateway, OTHER_PHONE)


async def test_neither_another_country_nor_another_client_nor_a_test_client_is_asked(
    database_url: str, database: Database
) -> None:
    async with run_alarmed(database_url, database) as gateway:
        bank, tests = await gateway.client("bank"), await gateway.client("tests", test=True)
        assert (await gateway.request("+14165550100")).status == 202
        assert (await bank.request()).status == 202
        assert (await tests.request()).status == 202


@pytest.mark.parametrize(("fail", "status"), [("open", 202), ("closed", 422)])
async def test_while_the_provider_does_not_answer_the_policy_decides(
    database_url: str, database: Database, fail: str, status: int
) -> None:
    policy = f'{STEP_UP}[rules.captcha]\nfail = "{fail}"\n'
    async with run_alarmed(database_url, database, policy) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("captcha",)))
        assert (await gateway.request(captcha_token="pass-1")).status == status
        assert (await gateway.request()).status == 422


@pytest.mark.parametrize("near", ["address", "network"])
async def test_an_address_or_network_that_a_rule_blocked_is_asked_for_any_country_and_people_there_get_in(
    database_url: str, database: Database, near: str
) -> None:
    subject = subjects.address_of(VAULT, ADDRESS) if near == "address" else subjects.neighbours_of(VAULT, ADDRESS)
    await database.pool.execute(BLOCK, subject, "ip", near, "rule")
    async with run_asking(database_url) as gateway:
        bank = await gateway.client("bank")
        assert [told(await gateway.request(number))[0] for number in (PHONE, "+14165550100")] == [422, 422]
        assert (await gateway.request(OTHER_PHONE, ip_address="198.51.100.7")).status == 202
        assert await enforced(gateway, await gateway.begin(captcha_token="pass-1")) == set()
        assert await read_code(gateway)
        # In silence, as ever, for whoever has not asked for it.
        assert await enforced(gateway, await bank.begin("+13125550177")) == {"block"}
        assert sends_to(gateway, "+13125550177") == 0


@pytest.mark.parametrize(("set_by", "status", "found"), [("rule", 422, set[str]()), ("key 1", 202, {"block"})])
async def test_a_country_that_a_rule_blocked_is_asked_and_one_that_an_operator_blocked_stays_blocked(
    database_url: str, database: Database, set_by: str, status: int, found: set[str]
) -> None:
    await database.pool.execute(BLOCK, subjects.country_of(VAULT, "US"), "country", "US", set_by)
    async with run_asking(database_url) as gateway:
        assert (await gateway.request()).status == status
        assert await enforced(gateway, await gateway.begin(OTHER_PHONE, captcha_token="pass-1")) == found


async def test_when_the_alarm_is_over_nobody_is_asked_any_more(database_url: str, database: Database) -> None:
    async with run_alarmed(database_url, database) as gateway:
        assert await is_asked(gateway)
        await database.pool.execute("delete from country_hours")
        await database.pool.execute("update alerts set ended_at = now()")

        async def is_over() -> bool:
            await database.pool.execute("update alerts set ended_at = now() where ended_at is null")
            return (await gateway.request()).status == 202

        await until(is_over, "it goes on without")


def test_step_up_without_a_provider_is_named_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"CAPTCHA_PROVIDER: is missing; .*clients\.shop\.step_up"):
        check_provider(loading.parse(STEP_UP), configured=False)
    check_provider(loading.parse(STEP_UP), configured=True)


async def test_whoever_asks_again_under_their_key_is_not_asked_for_another_captcha(
    database_url: str, database: Database
) -> None:
    async with run_alarmed(database_url, database) as gateway:
        first = await gateway.request(captcha_token="pass-1", idem="k1")
        assert first.status == 202
        await database.pool.execute("update captcha_verdicts set at = at - interval '10 minutes'")
        for fields in ({}, {"captcha_token": "pass-1"}, {"captcha_token": "pass-2"}):
            again = await gateway.request(idem="k1", **fields)
            assert (again.status, again.body["id"]) == (202, first.body["id"]), fields
        assert (await gateway.request(OTHER_PHONE, idem="k1")).status == 422
        assert (await gateway.request(idem="k2")).body["type"] == "urn:verify-gateway:problem:challenge-required"
