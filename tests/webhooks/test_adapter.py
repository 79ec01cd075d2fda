"""A provider's own words end in its adapter: what is kept, steered by and stored are deliveries in ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import service
from service.api import webhooks
from service.providers.telnyx.signature import SIGNATURE, TIMESTAMP, find_fault
from service.providers.telnyx.webhook import DELIVERIES, TYPES, TelnyxWebhook
from service.providers.verify.protocol import DeliveryEvent, Undecodable
from tests.support.gateway import run_gateway
from tests.support.telnyx_calls import deliver, write_event

OURS = {"sent", "unconfirmed", "delivered", "failed"}
WORDS = {*TYPES, *DELIVERIES, SIGNATURE, TIMESTAMP, "delivery_status"} - OURS
ADAPTER = {sys.modules[part.__module__].__file__ for part in (TelnyxWebhook, find_fault)}


@pytest.mark.parametrize("told", [*DELIVERIES, "a word of next year's", None])
@pytest.mark.parametrize("kind", TYPES)
def test_whatever_telnyx_calls_it_a_delivery_is_read_in_our_words(kind: str, told: str | None) -> None:
    event = TelnyxWebhook().read(write_event("a", kind, told, id="one"))
    assert event == DeliveryEvent("telnyx", "one", "a", DELIVERIES.get(told or "", TYPES[kind]))


@pytest.mark.parametrize("body", [b"", b"{", b'{"data":null}', write_event("a", "verify.sent", 1)])
def test_what_makes_no_sense_is_a_value_and_raises_nothing(body: bytes) -> None:
    assert TelnyxWebhook().read(body) == Undecodable()


def test_what_does_not_concern_us_is_nothing() -> None:
    assert TelnyxWebhook().read(write_event("a", "message.sent")) is None


async def test_what_is_stored_of_a_webhook_holds_no_word_of_its_provider(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        for kind in TYPES:
            for told in (*DELIVERIES, "a word of next year's"):
                assert (await deliver(gateway, write_event("nobody", kind, told))).status == 200
        kept: list[Any] = await gateway.database.pool.fetch("select * from webhook_events")
    assert len(kept) == len(TYPES) * (len(DELIVERIES) + 1)
    assert {row["delivery"] for row in kept} == OURS
    assert not WORDS & {value for row in kept for value in row.values()}


def test_no_file_but_the_adapters_names_a_word_of_telnyxs_webhooks() -> None:
    root = Path(service.__file__).parent
    others = [file for file in root.rglob("*.py") if file.relative_to(root).parts[0] not in ("providers", "sandbox")]
    found = {
        (str(file.relative_to(root)), word)
        for file in others
        if str(file) not in ADAPTER
        for word in WORDS
        if word in file.read_text(encoding="utf-8")
    }
    assert str(webhooks.__file__) in map(str, others)
    assert not found
