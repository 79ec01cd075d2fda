"""One account is one subject, however its id is spelt."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service import accounts
from service.fraud.gathering.device_events import DeviceEvents
from service.fraud.question import Question
from service.policy import loading
from service.providers.fingerprint.sealed import Sealed
from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import FingerprintSettings, SimulatedFingerprint
from tests.support.gateway import run_gateway

SPELLINGS = {
    "case": ("account-4711", "ACCOUNT-4711"),
    "spaces": ("account-4711", " account-4711\u3000"),
    "widths": ("account-4711", "\uff41ccount-\uff14\uff17\uff11\uff11"),
    "zero width": ("account-4711", "acc\u200bount\u2060-47\ufe0f11\ufeff"),
    "controls": ("account-4711", "\taccount-\x7f4711\r\n"),
    "composition": ("jos\u00e9", "JOSE\u0301"),
    "folding": ("strasse", "STRA\u00dfE"),
    "iota": ("\u1fc3", "\u0397\u0345"),
    "ligature": ("office", "o\ufb03ce"),
}


@pytest.mark.parametrize(("one", "other"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_spellings_of_one_account_are_one(one: str, other: str) -> None:
    assert accounts.normalise(one) == accounts.normalise(other) != ""


@pytest.mark.parametrize(
    ("one", "other"), [("a", "b"), ("a b", "ab"), ("a-1", "a_1"), ("e", "\u00e9"), ("i", "\u0131")]
)
def test_different_accounts_are_counted_apart(one: str, other: str) -> None:
    assert accounts.normalise(one) != accounts.normalise(other)


@given(st.text(max_size=40))
@example("\u0345\u0391\u0301")
@example("\u03d3\u0301")
@example("\u1e9b\u0323")
@example("\xa8\u200b ")
def test_a_canonical_account_id_is_left_as_it_is(text: str) -> None:
    once = accounts.normalise(text)
    assert accounts.normalise(once) == once
    assert accounts.normalise(f" {text}\u200b ") == once


@pytest.mark.parametrize(("account", "same"), [("account-4711 ", True), ("account-4712", False)])
async def test_a_device_event_belongs_to_its_account_however_the_page_spelt_the_id(account: str, *, same: bool) -> None:
    key = b"k" * 32
    made = SimulatedFingerprint(FingerprintSettings(sealed_key=key)).mint(Mint(linked_id="Account-4711"))
    question = Question(
        id=uuid4(), ordinal=1, client_id=1, phone_hash=uuid4(), phone_number="+13125550142", channel="sms",
        asked_at=datetime.now(UTC), counts=True, account_id=account, sealed_result=made.sealed_result,
    )  # fmt: skip
    read = await DeviceEvents(None, Sealed([key])).read(question, loading.parse("").default)
    assert (read.device.state, read.device.same_account) == ("found", same)


async def test_a_limit_counts_all_spellings_of_an_account_together(database_url: str) -> None:
    policy = '[limits]\nip = ["1000/1h"]\naccount = ["1/1h"]\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        plain = dict.fromkeys(one for one, _ in SPELLINGS.values())
        for place, account in enumerate([*plain, *(f"{one}x" for one in plain)]):
            assert (await gateway.request(f"+131255500{place:02}", account_id=account)).status == 202, account
        for place, (_, account) in enumerate(SPELLINGS.values(), start=50):
            assert (await gateway.request(f"+131255500{place:02}", account_id=account)).status == 429, account


async def test_an_account_in_which_nothing_can_be_seen_is_none(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        for nothing in (" ", "\u3000\t", "\u200b\u2060", "\ufeff", "\u3164", "\U000e0041"):
            refused = await gateway.request(account_id=nothing)
            assert (refused.status, "account_id" in str(refused.body)) == (422, True)
