"""Who is counted with whom: numbers and accounts by client, addresses over all clients, IPv6 by household."""

from __future__ import annotations

import pytest

from service.phone import normalise
from tests.support.gateway import Calls, read_code, run_gateway

POLICY = """
[limits]
phone = ["2/1h"]
ip = ["3/1h"]
account = ["1/1h"]
[clients.app]
ip_required = false
[clients.big.limits]
phone = ["4/1h"]
ip = ["6/1h"]
"""


def number(last: int) -> str:
    return f"+1312555{last:04}"


async def statuses(calls: Calls, count: int, **fields: str) -> list[int]:
    return [(await calls.request(**{"phone_number": number(n)} | fields)).status for n in range(count)]


async def test_an_address_counts_over_all_clients_and_a_number_and_an_account_by_client(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as shop:
        bank = await shop.client("bank")
        assert await statuses(shop, 3, phone_number=number(1), ip_address="192.0.2.1") == [202, 202, 429]
        assert await statuses(bank, 1, phone_number=number(1), ip_address="192.0.2.1") == [202]
        assert await statuses(bank, 1, phone_number=number(2), ip_address="192.0.2.1") == [429]
        assert await statuses(shop, 2, account_id="a", ip_address="192.0.2.2") == [202, 429]
        assert await statuses(bank, 2, account_id="a", ip_address="192.0.2.3") == [202, 429]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:0DB8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "::FFFF:c000:0201", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
async def test_one_household_is_one_address(database_url: str, one: str, other: str, *, together: bool) -> None:
    async with run_gateway(database_url, policy=POLICY) as shop:
        assert await statuses(shop, 4, ip_address=one) == [202, 202, 202, 429]
        assert await statuses(shop, 1, ip_address=other) == [429 if together else 202]


async def test_a_client_may_count_by_account_alone_if_its_policy_says_so(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as shop:
        app = await shop.client("app")
        body = {"phone_number": number(1), "account_id": "a"}
        for calls, fields, status in [
            (shop, body, 422),
            (app, {"phone_number": number(1)}, 422),
            (app, body, 202),
            (app, body | {"phone_number": number(2)}, 429),
            (app, body | {"account_id": "b"}, 202),
            (app, body | {"account_id": "c"}, 429),
        ]:
            assert (await calls.call("POST", "/v1/verifications", fields)).status == status, fields


async def test_each_client_obeys_the_limits_of_its_own_policy_and_all_share_the_address(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as shop:
        big = await shop.client("big")
        assert await statuses(big, 5, phone_number=number(1), ip_address="192.0.2.1") == [202] * 4 + [429]
        assert await statuses(shop, 1, phone_number=number(9), ip_address="192.0.2.1") == [429]
        assert await statuses(big, 1, phone_number=number(0), ip_address="192.0.2.1") == [202]
        assert await statuses(big, 3, phone_number=number(2), ip_address="192.0.2.1") == [202, 429, 429]


async def test_a_phone_with_two_numbers_is_counted_once_and_dialled_as_it_was_given(database_url: str) -> None:
    """An Argentine mobile with and without its 9; San Marino's fixed lines under its own code and Italy's."""
    forms = [["+54 9 11 2345-6789", "+54 11 2345-6789"], ["+378 0549 886377", "+39 0549 886377"]]
    policy = POLICY + '[countries]\nallow = ["AR", "SM", "IT"]\n'
    async with run_gateway(database_url, policy=policy) as shop:
        for place, numbers in enumerate(forms):
            for text in numbers:
                await shop.begin(text, ip_address=f"192.0.2.{place}", channel="call")
                assert await read_code(shop, normalise(text), "call")
            for text in numbers:
                assert (await shop.request(text, ip_address="192.0.2.9")).status == 429


async def test_a_phone_with_two_numbers_has_one_budget_of_wrong_codes(database_url: str) -> None:
    """And Brazil's mobiles with and without the ninth digit, of which the plan no longer knows the short ones."""
    policy = '[limits]\nip = ["99/1h"]\n[lockout]\ncodes_per_phone = "3/24h"\n[countries]\nallow = ["AR", "BR"]\n'
    async with run_gateway(database_url, policy=policy) as shop:
        for one, other in (("+54 11 6907 1234", "+54 9 11 6907 1234"), ("+55 11 8123 4567", "+55 11 98123 4567")):
            first = await shop.begin(one, channel="call")
            assert [(await shop.verify(first, "0000")).body["attempts_remaining"] for _ in range(2)] == [2, 1]
            assert (await shop.request(other, channel="call")).body["attempts_remaining"] == 1
