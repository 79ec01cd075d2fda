"""The provider of test clients behaves as the table of numbers says, alike in every process."""

from __future__ import annotations

import uuid
from pathlib import Path

import phonenumbers
import pytest

from service.channels import CHANNELS, Channel
from service.providers.verify.protocol import CodeCompared, Order, Provider, Refused, Sent, State
from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS, ScriptedNumber
from service.providers.verify.testing import TestProvider

SECRET = b"the same in every process"
ANYBODY = "+13125550142"


def order(phone_number: str, channel: Channel = "sms") -> Order:
    return Order(phone_number=phone_number, channel=channel, profile_id=str(uuid.uuid4()), timeout_secs=300)


async def send(phone_number: str, channel: Channel = "sms") -> Sent:
    answer = await TestProvider(SECRET, slow_answer=0.0).send(order(phone_number, channel))
    assert isinstance(answer, Sent)
    return answer


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.phone_number)
def test_every_scripted_number_is_valid_and_kept_for_fiction(number: ScriptedNumber) -> None:
    assert phonenumbers.is_valid_number(phonenumbers.parse(number.phone_number))
    assert number.phone_number[5:].startswith("55501")
    assert number.meaning.endswith(".")


def test_the_documentation_lists_the_numbers_as_they_are() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    rows = [f"| {number.phone_number} | {number.meaning[:-1]} |" for number in NUMBERS]
    assert "\n".join(rows) in documented
    assert f"`{FIXED_CODE}`" in documented


def test_no_number_stands_in_the_table_twice() -> None:
    assert len({number.phone_number for number in NUMBERS}) == len(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.phone_number)
@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_scripted_number_does_what_its_entry_says(number: ScriptedNumber, channel: Channel) -> None:
    provider: Provider = TestProvider(SECRET, slow_answer=0.0)
    answer = await provider.send(order(number.phone_number, channel))
    outcome = number.outcome(channel)
    if outcome == "refused":
        assert answer == Refused("40309")
        return
    assert isinstance(answer, Sent)
    assert answer.delivery == {"delivered": "delivered", "undelivered": "failed"}.get(outcome, "sent")
    assert await provider.check(answer.provider_id, FIXED_CODE) == CodeCompared(number.code_accepted)


async def test_any_other_number_is_delivered_the_fixed_code() -> None:
    sent = await send(ANYBODY)
    assert sent.delivery == "delivered"
    assert await TestProvider(SECRET).check(sent.provider_id, FIXED_CODE) == CodeCompared(accepted=True)
    assert await TestProvider(SECRET).check(sent.provider_id, "654321") == CodeCompared(accepted=False)


async def test_ids_are_uuids_and_never_the_same() -> None:
    ids = {(await send(ANYBODY)).provider_id for _ in range(100)}
    assert len(ids) == 100
    assert {uuid.UUID(one).version for one in ids} == {8}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}


async def test_an_id_that_was_made_up_or_altered_takes_no_code() -> None:
    provider = TestProvider(SECRET)
    never = uuid.UUID((await send("+14155550104")).provider_id)
    altered = bytearray(never.bytes)
    altered[6] |= 1
    for forged in [str(uuid.UUID(bytes=bytes(altered))), str(uuid.uuid4()), "nonsense", ""]:
        assert await provider.check(forged, FIXED_CODE) == CodeCompared(accepted=False)
    other = (await send(ANYBODY)).provider_id
    assert await TestProvider(b"another secret").check(other, FIXED_CODE) == CodeCompared(accepted=False)


async def test_a_code_of_any_shape_is_judged() -> None:
    sent = await send(ANYBODY)
    for code in ["", "١٢٣٤٥٦", "123456 ", "0" * 15]:
        assert await TestProvider(SECRET).check(sent.provider_id, code) == CodeCompared(accepted=False)


async def test_nothing_is_kept_so_nothing_is_found_or_accepted_afterwards() -> None:
    provider = TestProvider(SECRET)
    sent = await send(ANYBODY)
    await provider.check(sent.provider_id, FIXED_CODE)
    assert await provider.state(sent.provider_id) == State(accepted=False)
    assert await provider.look_up(ANYBODY) == []
    await provider.aclose()
