"""The budgets of wrong codes: by client, number and source (account and network), and by client and number.

Nothing resets them but time and a right code.
"""

from __future__ import annotations

import asyncio

from tests.support.gateway import ADDRESS, PHONE, Calls, Gateway, run_gateway
from tests.support.guessing import begin_and_read, count_guesses_at_telnyx, count_statuses, guess_all, wrong_codes

STRANGER = "203.0.113.77"
LIMITS = """
[limits]
phone = ["100/1h"]
ip = ["1000/1h"]
account = ["100/1h"]
"""


def budgets(source: str, total: str) -> str:
    return LIMITS + f'[lockout]\ncodes_per_phone = "{source}"\ncodes_per_phone_total = "{total}"\n'


async def spend(gateway: Gateway, many: int, door: Calls | None = None, **fields: str) -> str:
    """Give so many wrong codes to a new verification, and return its id."""
    verification, code = await begin_and_read(gateway, PHONE, door, **fields)
    replies = await guess_all([door or gateway], verification, wrong_codes(code, many))
    assert count_statuses(replies) == {200: many}
    return verification


async def test_wrong_codes_count_across_verifications_and_at_the_end_nothing_more_is_taken(database_url: str) -> None:
    """CVE-2026-56450: a new verification, or a resend, is no way to more guesses."""
    async with run_gateway(database_url, policy=budgets("7/1h", "50/1h")) as gateway:
        first = await spend(gateway, 4)
        asked = await gateway.request()
        assert (asked.status, asked.body["attempts_remaining"]) == (202, 3)
        code = (await begin_and_read(gateway))[1]
        replies = await guess_all([gateway], asked.body["id"], wrong_codes(code, 20))
        assert count_statuses(replies)[200] == 3
        assert count_guesses_at_telnyx(gateway) == 7
        limited = await gateway.request()
        assert (limited.status, limited.body["type"].endswith("limited")) == (429, True)
        assert 3500 < int(limited.headers["retry-after"]) <= 3600
        assert "attempts" not in str(limited.body)
        for verification in (first, asked.body["id"]):
            read = (await gateway.read(verification)).body
            assert (read["status"], read["attempts_remaining"], read["fallback"]) == ("locked", 0, None)
            closed = await gateway.verify(verification, code)
            assert (closed.status, closed.body["verification_status"]) == (409, "locked")
            assert (await gateway.use_fallback(verification)).status == 409
        assert count_guesses_at_telnyx(gateway) == 7


async def test_a_stranger_spends_their_own_budget_until_the_numbers_is_spent(database_url: str) -> None:
    """ASVS 6.1.1: nobody can lock a victim out with a handful of wrong codes from elsewhere."""
    async with run_gateway(database_url, policy=budgets("3/1h", "7/1h")) as gateway:
        await spend(gateway, 3, ip_address=STRANGER)
        assert (await gateway.request(ip_address=STRANGER)).status == 429
        mine = await gateway.request(ip_address=ADDRESS)
        assert (mine.status, mine.body["attempts_remaining"]) == (202, 3)
        await spend(gateway, 3, account_id="account-of-mine", ip_address=STRANGER)
        assert (await gateway.request(account_id="account-of-mine", ip_address=STRANGER)).status == 429
        # On a form where accounts are named, naming one spends nothing of it elsewhere.
        named = await gateway.request(account_id="account-of-mine", ip_address=ADDRESS)
        assert (named.status, named.body["attempts_remaining"]) == (202, 1)
        assert (await gateway.read(mine.body["id"])).body["attempts_remaining"] == 1
        await spend(gateway, 1, ip_address="198.51.100.4")
        for fields in ({"ip_address": ADDRESS}, {"account_id": "another"}, {"ip_address": "192.0.2.1"}):
            assert (await gateway.request(**fields)).status == 429
        assert (await gateway.read(mine.body["id"])).body["status"] == "locked"


async def test_one_household_of_ipv6_is_one_source(database_url: str) -> None:
    async with run_gateway(database_url, policy=budgets("2/1h", "50/1h")) as gateway:
        await spend(gateway, 2, ip_address="2001:db8:1:2::5")
        assert (await gateway.request(ip_address="2001:db8:1:2:ffff::9")).status == 429
        assert (await gateway.request(ip_address="2001:db8:1:3::5")).status == 202
        await spend(gateway, 2, ip_address="::ffff:198.51.100.9")
        assert (await gateway.request(ip_address="198.51.100.9")).status == 429


async def test_another_client_has_budgets_of_its_own(database_url: str) -> None:
    async with run_gateway(database_url, policy=budgets("3/1h", "3/1h")) as gateway:
        other = await gateway.client("bank")
        await spend(gateway, 3)
        assert (await gateway.request()).status == 429
        asked = await other.request()
        assert (asked.status, asked.body["attempts_remaining"]) == (202, 3)


async def test_the_budgets_hold_across_channels_and_a_restart(database_url: str) -> None:
    policy = budgets("4/1h", "50/1h") + '[fallback]\nafter = "1s"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        verification, code = await begin_and_read(gateway)
        assert count_statuses(await guess_all([gateway], verification, wrong_codes(code, 2))) == {200: 2}
        await asyncio.sleep(0.6)
        used = await gateway.use_fallback(verification)
        assert (used.status, used.body["attempts_remaining"]) == (202, 2)
    async with run_gateway(database_url, policy=policy) as gateway:
        assert (await gateway.read(verification)).body["attempts_remaining"] == 2
        assert (await gateway.request(channel="call")).body["attempts_remaining"] == 2
        assert count_statuses(await guess_all([gateway], verification, wrong_codes(code, 20)))[200] == 2
        assert (await gateway.request(channel="flashcall")).status == 429


async def test_a_right_code_clears_both_budgets(database_url: str) -> None:
    async with run_gateway(database_url, policy=budgets("4/1h", "5/1h")) as gateway:
        other = await gateway.client("bank")
        await spend(gateway, 2, door=other)
        await spend(gateway, 3)
        verification, code = await begin_and_read(gateway)
        assert (await gateway.read(verification)).body["attempts_remaining"] == 1
        assert (await gateway.verify(verification, code)).body["verified"] is True
        assert (await gateway.request()).body["attempts_remaining"] == 4
        assert (await other.request()).body["attempts_remaining"] == 2


async def test_the_windows_slide(database_url: str) -> None:
    async with run_gateway(database_url, policy=budgets("2/3s", "50/1h")) as gateway:
        verification = await spend(gateway, 2)
        limited = await gateway.request()
        assert limited.status == 429
        await asyncio.sleep(int(limited.headers["retry-after"]))
        assert (await gateway.request()).body["attempts_remaining"] == 2
        assert (await gateway.read(verification)).body["status"] == "locked"
