"""Test clients: numbers behave as their table says, and none of it reaches Telnyx."""

from __future__ import annotations

from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS, find_number
from tests.support.dispatching import ended
from tests.support.gateway import PHONE, run_gateway

# What the sends of a request by sms come to, by the number's last four digits.
SENDS: dict[str, list[tuple[str, str, str | None]]] = {
    "0100": [("sms", "sent", "delivered")],
    "0101": [("sms", "sent", "failed"), ("call", "sent", "failed"), ("flashcall", "sent", "failed")],
    "0102": [("sms", "refused", None), ("call", "refused", None), ("flashcall", "refused", None)],
    "0103": [("sms", "sent", "sent")],
    "0104": [("sms", "sent", "delivered")],
    "0105": [("sms", "refused", None), ("call", "sent", "delivered")],
    "0106": [("sms", "sent", "failed"), ("call", "sent", "delivered")],
    "0107": [("sms", "sent", "sent")],
    "0108": [("sms", "sent", "delivered")],
    "0142": [("sms", "sent", "delivered")],  # in no table
}


def test_every_number_of_the_table_is_tried() -> None:
    assert {number.phone_number[-4:] for number in NUMBERS} == SENDS.keys() - {PHONE[-4:]}


async def test_each_number_behaves_as_its_entry_says_and_nothing_reaches_telnyx(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        client = await gateway.client("tests", test=True)
        phones = [number.phone_number for number in NUMBERS] + [PHONE]
        begun = {phone: await client.begin(phone) for phone in phones}
        for phone, verification in begun.items():
            expected = SENDS[phone[-4:]]
            found = await ended(gateway, verification, len(expected))
            assert [(send["channel"], send["state"], send["delivery"]) for send in found] == expected, phone
            assert {send["provider"] for send in found} == {"rehearsal"}
            known = find_number(phone)
            right = known is None or (known.code_accepted and "sent" in {state for _, state, _ in expected})
            assert (await client.verify(verification, FIXED_CODE)).body["verified"] is right, phone
        # Its pace may be asked for, with a check of nobody's: to answer a guess at a refused number like any other.
        asked = gateway.stage.journal.list_calls()
        assert [call for call in asked if call.phone_number is not None or call.operation != "check"] == []


async def test_no_test_shuts_an_address_out_for_people_nor_the_other_way_round(database_url: str) -> None:
    async with run_gateway(database_url, policy='[limits]\nip = ["2/1h"]\n') as gateway:
        client = await gateway.client("tests", test=True)
        for calls in (client, gateway):
            asked = [await calls.request(f"+1312555{1000 + number}") for number in range(3)]
            assert [reply.status for reply in asked] == [202, 202, 429]
