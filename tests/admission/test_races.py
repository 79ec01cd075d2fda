"""Two processes on one database admit together what one alone would, however many requests come at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle
from typing import NamedTuple
from uuid import uuid4

import pytest

from service.clients.key_admin import KeyAdmin
from service.vault import Vault
from tests.conftest import at, command
from tests.support.gateway import PHONE, Calls, Gateway, run_gateway, run_process
from tests.support.waiting import PATIENCE

POLICY = """
[limits]
ip = ["200/1h"]
"""
SPELLINGS = (
    "+13125550142",
    "+1 312 555 0142",
    "+1-312-555-0142",
    "+1 (312) 555-0142",
    "+1.312.555.0142",
    "+1/312/555/0142",
    "\uff0b1 312 5550142",  # full-width plus
    "+\uff11\uff13\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff14\uff12",  # full-width digits
    "+\u0661\u0663\u0661\u0662\u0665\u0665\u0665\u0660\u0661\u0664\u0662",  # Arabic-Indic digits
    "+1\u00a0312\u2010555\u20110142",  # no-break space, hyphens of Unicode's
)


class TwoProcesses(NamedTuple):
    """A gateway's surroundings, and its client's calls to each of two processes."""

    gateway: Gateway
    processes: tuple[Calls, Calls]


@pytest.fixture(scope="module")
async def pair(postgres: str, template: str) -> AsyncIterator[TwoProcesses]:
    """Run two processes on a database of their own for all tests of this file."""
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name} template {template} strategy file_copy")
    async with (
        run_gateway(at(postgres, name), policy=POLICY, serve=False) as gateway,
        run_process(gateway) as one,
        run_process(gateway) as other,
    ):
        yield TwoProcesses(gateway, (one.calls, other.calls))
    await command(postgres, f"drop database {name} with (force)")


async def test_exactly_three_of_fifty_are_let_in_in_whatever_spelling(pair: TwoProcesses) -> None:
    replies = await asyncio.gather(
        *(
            calls.request(spelling, ip_address="192.0.2.1")
            for _, calls, spelling in zip(range(50), cycle(pair.processes), cycle(SPELLINGS), strict=False)
        )
    )
    assert Counter(reply.status for reply in replies) == {202: 3, 429: 47}
    refused = [reply for reply in replies if reply.status == 429]
    assert all(590 <= int(reply.headers["retry-after"]) <= 600 for reply in refused)
    assert len({reply.body["type"] for reply in refused}) == 1
    async with asyncio.timeout(PATIENCE):
        while len(pair.gateway.telnyx.verifications.list_by_phone(PHONE)) < 3:
            await asyncio.sleep(0.05)


async def test_a_hot_address_lets_in_exactly_its_limit(pair: TwoProcesses) -> None:
    asked = [
        calls.request(f"+1312556{number:04}", ip_address="192.0.2.2")
        for number, calls in zip(range(400), cycle(pair.processes), strict=False)
    ]
    assert Counter(reply.status for reply in await asyncio.gather(*asked)) == {202: 200, 429: 200}


async def test_one_key_in_parallel_is_one_verification_and_one_send(pair: TwoProcesses) -> None:
    number = "+13125550199"
    asked = [
        calls.request(number, ip_address="192.0.2.3", idem="k")
        for _, calls in zip(range(40), cycle(pair.processes), strict=False)
    ]
    replies = await asyncio.gather(*asked)
    taken = [reply for reply in replies if reply.status == 202]
    assert {reply.status for reply in replies} <= {202, 409}
    assert sum("idempotent-replayed" not in reply.headers for reply in taken) == 1
    assert len({str(reply.body) for reply in taken}) == 1
    assert all(reply.headers["retry-after"] == "1" for reply in replies if reply.status == 409)
    later = [await calls.request(number, ip_address="192.0.2.3", idem="k") for calls in pair.processes]
    assert [reply.body for reply in later] == [taken[0].body] * 2
    await asyncio.sleep(1)
    assert len(pair.gateway.telnyx.verifications.list_by_phone(number)) == 1


async def test_a_revoked_key_is_refused_at_once_in_every_process_that_knows_it(pair: TwoProcesses) -> None:
    shop = await pair.gateway.client("shop")
    mine = [Calls(calls.url, shop.key, calls.session) for calls in pair.processes]
    verifications = [await calls.begin(f"+131255502{n:02}", ip_address="192.0.2.4") for n, calls in enumerate(mine)]
    book = KeyAdmin(pair.gateway.database, Vault([b"s" * 32], b"i" * 32))
    newest = int((await book.list())[-1].split()[0])
    assert await book.revoke(newest)
    for calls, verification in zip(mine, verifications, strict=True):
        replies = [
            await calls.request("+13125550210", ip_address="192.0.2.4"),
            await calls.verify(verification, "123456"),
            await calls.read(verification),
            await calls.use_fallback(verification),
            await calls.cancel(verification),
        ]
        assert [reply.status for reply in replies] == [401] * 5
