"""Numbers that were verified once and then leave their codes unread: what they are sent, and who still gets in."""

from __future__ import annotations

from typing import Any

from service.fraud.facts import DeviceFacts, Facts, UnconvertedCodes
from service.fraud.stages import RULES
from tests.fraud.test_rules import POLICY, US, history, unconverted
from tests.support.dispatching import ended, numbers
from tests.support.fraud import FINGERPRINT_KEY, enforced, mint, sends_to
from tests.support.gateway import ADDRESS, OTHER_PHONE, PHONE, Gateway, run_gateway
from tests.support.guessing import begin_and_read

LIMITS = '[limits]\nip = ["1000/1h"]\nphone = ["1000/1h"]\nphone_everywhere = ["1000/1h"]\n'
POLICY_FILE = f'{LIMITS}[rules.number_unconverted]\nmode = "enforce"\ncodes = 3\n'
BOMBERS = [f"198.51.100.{n}" for n in range(1, 21)]


async def get_in(gateway: Gateway, phone: str = PHONE, **fields: Any) -> None:
    verification, code = await begin_and_read(gateway, phone, **fields)
    assert (await gateway.verify(verification, code)).body["verified"] is True


async def bomb(gateway: Gateway, phone: str, addresses: list[str], **fields: Any) -> list[set[str]]:
    """Request a code from each address and enter none; what suppressed each."""
    found = []
    for address in addresses:
        reply = await gateway.request(phone, ip_address=address, **fields)
        assert reply.status == 202
        assert reply.body["attempts_remaining"] == 5
        found.append(await enforced(gateway, reply.body["id"]))
    return found


async def test_a_number_that_was_verified_gets_three_unread_codes_a_day_and_nobody_is_told(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY_FILE) as gateway:
        await get_in(gateway)
        stopped = {"number_unconverted"}
        assert await bomb(gateway, PHONE, BOMBERS[:6]) == [set()] * 3 + [stopped] * 3
        assert sends_to(gateway, PHONE) == 1 + 3
        # One that nobody verified is judged by its range: three requests must not shut out whoever comes first.
        assert await bomb(gateway, OTHER_PHONE, BOMBERS[6:11]) == [set()] * 5
        # The owner's own count is apart, and a code that is entered is none of it.
        for _ in range(2):
            assert await bomb(gateway, PHONE, [ADDRESS, ADDRESS]) == [set()] * 2
            await get_in(gateway)
            await gateway.database.pool.execute("update verifications set created_at = created_at - interval '1 day'")
        # A stranger's three are a day old by now.
        assert await bomb(gateway, PHONE, BOMBERS[11:15]) == [set()] * 3 + [stopped]


async def test_a_known_source_that_leaves_its_codes_unread_is_stopped_as_well(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY_FILE) as gateway:
        await get_in(gateway)
        assert [bool(found) for found in await bomb(gateway, PHONE, [ADDRESS] * 5)] == [False] * 3 + [True] * 2
        assert all(await bomb(gateway, PHONE, BOMBERS[:2])), "the number's unread codes count against strangers"
        decoy = await gateway.begin(PHONE, deliver=False)
        await ended(gateway, decoy)
        assert sends_to(gateway, PHONE) == 1 + 3


async def test_strangers_at_two_clients_do_not_use_up_what_a_known_source_may_be_sent(database_url: str) -> None:
    policy = '[limits]\nip = ["1000/1h"]\nphone_everywhere = ["2/1h"]\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        await get_in(gateway)
        bank = await gateway.client("bank")
        for address in BOMBERS[:3]:
            await ended(gateway, await bank.begin(PHONE, ip_address=address))
        stranger = await gateway.begin(PHONE, ip_address=BOMBERS[4])
        assert await enforced(gateway, stranger) == {"phone_everywhere"}
        await get_in(gateway)
        await get_in(gateway)
        assert await enforced(gateway, await gateway.begin(PHONE)) == {"phone_everywhere"}, "a limit of its own"


async def test_a_device_gets_its_place_back_with_the_code_and_is_held_by_its_total(database_url: str) -> None:
    policy = '[limits]\nip = ["1000/1h"]\ndevice = ["2/24h"]\ndevice_total = ["4/24h"]\n'
    async with run_gateway(database_url, policy=policy, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
        phones = iter(numbers(10))

        async def ask() -> tuple[str, set[str]]:
            event = await mint(gateway, visitor_id="kiosk")
            verification = await gateway.begin(next(phones), device_event_id=event)
            return verification, await enforced(gateway, verification)

        entered, unread, over = [await ask() for _ in range(3)]
        assert [found for _, found in (entered, unread, over)] == [set(), set(), {"device"}]
        [send] = await ended(gateway, entered[0])
        code = gateway.telnyx.find_code(send["provider_id"])
        assert (await gateway.verify(entered[0], code)).body["verified"] is True
        assert [(await ask())[1] for _ in range(2)] == [set(), {"device"}]
        [send] = await ended(gateway, unread[0])
        assert (await gateway.verify(unread[0], gateway.telnyx.find_code(send["provider_id"]))).body["verified"] is True
        assert [(await ask())[1] for _ in range(2)] == [set(), {"device"}], "the total keeps both"


def test_neither_a_number_nor_an_address_is_spared_for_good() -> None:
    """A number that was verified is judged by its range again after three unread codes in a row."""
    pumped = [*unconverted(20), (90_000, 5000, True)]

    def judge(rule: str, codes: int, **histories: Any) -> str | None:
        facts = Facts(US, "sms", DeviceFacts("none"), histories, codes=UnconvertedCodes(of_a_day=0, in_a_row=codes))
        return RULES[rule](facts, POLICY)

    assert judge("range", 2, block_10k=history(pumped)) is None
    assert judge("range", 3, block_10k=history(pumped)) is not None
    network = history(unconverted(30))
    assert judge("burst", 0, network=network, ip=history([(0, 1, False), (600, 2, True)])) is None
    assert judge("burst", 0, network=network, ip=history([*unconverted(12), (900, 2, True)])) is not None
