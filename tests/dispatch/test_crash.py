"""Real processes killed and stopped under load: every 202 is sent once, none is lost, none is sent twice."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp

from service.sandbox.faults import Fault
from tests.support.dispatching import ended, numbers
from tests.support.gateway import Calls, Gateway, run_gateway, run_process
from tests.support.waiting import until

EACH = 40
TAKE_OVER = 30.0  # lease and grace are 17 s


async def burst(calls: Calls, phones: list[str]) -> dict[str, str]:
    """Request for every number at once; return the verifications of those that were answered 202."""

    async def request(phone: str) -> tuple[str, str] | None:
        await asyncio.sleep(random.uniform(0, 0.5))
        try:
            reply = await calls.request(phone)
        except (aiohttp.ClientError, TimeoutError):
            return None
        return (phone, str(reply.body["id"])) if reply.status == 202 else None

    answered = await asyncio.gather(*(request(phone) for phone in phones))
    return dict(one for one in answered if one is not None)


async def signal_amid(gateway: Gateway, process: asyncio.subprocess.Process, phones: list[str], kind: int) -> None:
    """Strike a process when a number of its sends, drawn anew each run, have reached Telnyx."""
    mine, many = set(phones), random.randrange(1, len(phones) * 3 // 4)

    def reached() -> bool:
        return sum(call.phone_number in mine for call in gateway.stage.journal.list_calls("send")) >= many

    await until(reached, f"{many} sends reached Telnyx")
    process.send_signal(kind)


def slow_down(gateway: Gateway, phones: list[str]) -> None:
    """Have Telnyx act at once and answer late, each time another while: the signals hit sends of every age."""
    for phone in phones:
        wait = random.choice([0.0, 0.05, random.uniform(0, 1.5)])
        gateway.stage.faults.add(Fault(kind="slow", operations=("send",), phone_number=phone, times=1, seconds=wait))


async def test_whoever_dies_or_stands_still_each_request_that_was_answered_is_sent_once(database_url: str) -> None:
    killed_phones, stopped_phones, well_phones = (numbers(EACH, first) for first in (0, 100, 200))
    phones = killed_phones + stopped_phones + well_phones
    async with run_gateway(database_url, serve=False) as gateway, AsyncExitStack() as stack:
        starts = [stack.enter_async_context(run_process(gateway)) for _ in range(3)]
        killed, stopped, well = await asyncio.gather(*starts)
        slow_down(gateway, phones)
        strikes = asyncio.gather(
            signal_amid(gateway, killed.process, killed_phones, signal.SIGKILL),
            signal_amid(gateway, stopped.process, stopped_phones, signal.SIGSTOP),
        )
        stopped_burst = asyncio.create_task(burst(stopped.calls, stopped_phones))
        answered: dict[str, str] = {}
        for some in await asyncio.gather(burst(killed.calls, killed_phones), burst(well.calls, well_phones)):
            answered |= some
        await strikes
        for verification in answered.values():
            await ended(gateway, verification, patience=TAKE_OVER)
        await until_idle(gateway)
        stopped.process.send_signal(signal.SIGCONT)
        answered |= await stopped_burst
        await until_idle(gateway)
        await asyncio.sleep(2)  # whatever the one that stood still does now, it has done

        acted = Counter(call.phone_number for call in gateway.stage.journal.list_calls("send") if call.acted)
        assert {phone: acted[phone] for phone in answered} == dict.fromkeys(answered, 1)
        assert max(acted.values()) == 1
        for phone, verification in answered.items():
            [send] = await ended(gateway, verification)
            assert send["state"] == "sent", phone
            code = gateway.telnyx.find_code(send["provider_id"])
            assert (await well.calls.verify(verification, code)).body["verified"] is True
        assert (await stopped.calls.request("+13125559999")).status == 202


async def until_idle(gateway: Gateway) -> None:
    """Wait until no send is due or under way, those of unanswered requests included."""
    left = "select count(*) from sends where state in ('due', 'begun')"

    async def idle() -> bool:
        return not await gateway.database.pool.fetchval(left)

    await until(idle, "all was sent", TAKE_OVER)
