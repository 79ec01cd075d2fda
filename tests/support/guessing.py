"""Guesses by the dozen, and what became of them: at the gateway, at Telnyx, in the database.

Used by the tests of checking codes. Nothing here judges.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.support.dispatching import ended
from tests.support.gateway import PHONE, Calls, Gateway, Reply
from tests.support.waiting import PATIENCE, until


async def guess_all(doors: Sequence[Calls], verification: str, codes: Iterable[str]) -> list[Reply]:
    """Try every code at the same moment, at the doors in turn."""
    return await asyncio.gather(
        *(doors[place % len(doors)].verify(verification, code) for place, code in enumerate(codes))
    )


def wrong_codes(right: str, many: int) -> list[str]:
    """Make so many different codes, none of them right."""
    return [f"{(int(right) + step) % 10 ** len(right):0{len(right)}}" for step in range(1, many + 1)]


def count_statuses(replies: Iterable[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in replies)


def count_turned_away(statuses: Counter[int]) -> int:
    """Count what reached nobody; 503 among it where the machine was too busy for a connection in time."""
    return statuses[409] + statuses[429] + statuses[503]


def count_guesses_at_telnyx(gateway: Gateway) -> int:
    """Count the checks of somebody's verification. Of nobody's, or of one that has ended, are those of decoys."""
    calls = gateway.stage.journal.list_calls("check")
    return sum(call.phone_number is not None and not call.over for call in calls)


async def wait_for_status(calls: Calls, verification: str, status: str, patience: float = PATIENCE) -> Any:
    """Wait until the verification reads so, and return what was read."""
    body: Any = None

    async def reads_so() -> bool:
        nonlocal body
        body = (await calls.read(verification)).body
        return bool(body["status"] == status)

    await until(reads_so, f"it reads {status}", patience)
    return body


async def wait_for_guesses_at_telnyx(gateway: Gateway, many: int) -> None:
    async def are_there() -> bool:
        return count_guesses_at_telnyx(gateway) >= many

    await until(are_there, f"{many} guesses reach Telnyx")


async def begin_and_read(
    gateway: Gateway, phone_number: str = PHONE, door: Calls | None = None, **fields: Any
) -> tuple[str, str]:
    """Request a verification and wait for its code; returns its id and the code."""
    verification = await (door or gateway).begin(phone_number, **fields)
    [send] = await ended(gateway, verification)
    return verification, gateway.telnyx.find_code(send["provider_id"])


async def read_budgets(gateway: Gateway) -> list[Any]:
    """Read every counted time of every subject, as the database holds it."""
    return list(await gateway.database.pool.fetch("select subject, hits from counters where hits <> '{}' order by 1"))


async def wait_until_settled(gateway: Gateway) -> None:
    """Wait until no guess is open."""

    async def are_settled() -> bool:
        return not await gateway.database.pool.fetchval("select count(*) from guesses where state = 'open'")

    await until(are_settled, "no guess is open")


async def pass_time_for_open_guesses(gateway: Gateway) -> None:
    """Have what a worker settles after 20 s be due now."""
    await gateway.database.pool.execute("update guesses set settle_at = now() where state = 'open'")
