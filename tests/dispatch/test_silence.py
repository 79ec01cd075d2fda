"""What must not be sent leaves nothing at Telnyx, and the same rows as what was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.sandbox.faults import Fault
from tests.support.dispatching import calls_to, ended, row
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Gateway, run_gateway
from tests.support.waiting import until

PREMIUM = "+19002345678"
COUNTED = ("weighed", "weighed_at", "country", "booked", "price", "booked_on")
BRITISH = "+447700900123"
CALLS_TO_CANADA = f"""{POLICY}
[countries]
call = ["CA"]
[fallback]
after = "1s"
"""


def asked_about(gateway: Gateway, phone_number: str) -> list[str]:
    """List whatever Telnyx was asked about a number."""
    return [call.operation for call in gateway.stage.journal.list_calls() if call.phone_number == phone_number]


def shape(record: Any) -> dict[str, object]:
    """Say of each column whether it is filled, and what stands in those that hold a word.

    Not of those that name the histories and the ledger's line in which a send counts: what is not sent counts in none.
    """
    words = ("state", "channel", "cause", "attempts", "error", "delivery", "status", "used", "deliver", "test")
    columns = {name: value for name, value in record.items() if name not in COUNTED}
    return {name: value if name in words else value is not None for name, value in columns.items()}


@pytest.mark.parametrize("phone", [PREMIUM, BRITISH])
async def test_a_number_that_gets_nothing_leaves_the_rows_of_one_that_gets_a_code(
    database_url: str, phone: str
) -> None:
    async with run_gateway(database_url) as gateway:
        real, silent = await gateway.begin(), await gateway.begin(phone)
        [sent], [kept_back] = await ended(gateway, real), await ended(gateway, silent)
        assert (sent["provider"], kept_back["provider"]) == ("telnyx", "silent")
        assert shape(sent) == shape(kept_back)
        assert shape(await row(gateway, real)) == shape(await row(gateway, silent))
        assert asked_about(gateway, phone) == []
        assert asked_about(gateway, PHONE) == ["send"]


async def test_a_decoy_leaves_the_rows_of_a_real_one_except_for_the_flag_that_made_it_one(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        real, decoy = await gateway.begin(), await gateway.begin(OTHER_PHONE, deliver=False)
        [sent], [silent] = await ended(gateway, real), await ended(gateway, decoy)
        assert shape(sent) == shape(silent)
        assert shape(await row(gateway, real)) == shape(await row(gateway, decoy)) | {"deliver": True}
        assert asked_about(gateway, OTHER_PHONE) == []


async def test_a_decoy_waits_out_an_outage_like_a_real_one(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="throttle", operations=("send",), times=1, seconds=2))
        real = await gateway.begin()
        await until(lambda: bool(calls_to(gateway, PHONE)), "the real one met the outage")
        await asyncio.sleep(0.1)  # for the answer to arrive
        decoy = await gateway.begin(OTHER_PHONE, deliver=False)
        [sent], [silent] = await ended(gateway, real), await ended(gateway, decoy)
        paused = calls_to(gateway, PHONE)[0].at + 2
        assert min(sent["ended_at"].timestamp(), silent["ended_at"].timestamp()) >= paused


async def test_a_channels_own_list_narrows_that_channel_alone(database_url: str) -> None:
    async with run_gateway(database_url, policy=CALLS_TO_CANADA) as gateway:
        american, canadian = PHONE, "+16135550142"
        ways = {
            (phone, way): await gateway.begin(phone, channel=way)
            for phone in (american, canadian)
            for way in ("sms", "call")
        }
        found = {key: (await ended(gateway, verification))[0]["provider"] for key, verification in ways.items()}
        assert found == {
            (american, "sms"): "telnyx",
            (american, "call"): "silent",
            (canadian, "sms"): "telnyx",
            (canadian, "call"): "telnyx",
        }
        assert [call.channel for call in calls_to(gateway, american)] == ["sms"]


async def test_a_fallback_is_decided_again_for_its_own_channel(database_url: str) -> None:
    async with run_gateway(database_url, policy=CALLS_TO_CANADA) as gateway:
        verification = await gateway.begin()

        async def used() -> bool:
            return (await gateway.use_fallback(verification)).status == 202

        await until(used, "the fallback was taken")
        sms, call = await ended(gateway, verification, 2)
        assert (sms["provider"], call["provider"], call["state"]) == ("telnyx", "silent", "sent")
        assert [one.channel for one in calls_to(gateway, PHONE)] == ["sms"]
