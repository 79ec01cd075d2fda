"""The OpenAPI file describes each callback under `webhooks`, with the body and the headers that really come."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from jsonschema_rs import Draft202012Validator
from standardwebhooks.webhooks import Webhook

from service.callbacks.message import EventType
from tests.support.gateway import PHONE, POLICY, Gateway, read_code, run_gateway, wrong
from tests.support.generators import FILE
from tests.support.receivers import Told, call_back, run_receiver
from tests.support.waiting import until

DOCUMENT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
WEBHOOKS: dict[str, Any] = DOCUMENT["webhooks"]
SHORT = POLICY + '[verification]\nexpires_after = "1s"\n'


def test_every_type_of_event_is_described() -> None:
    assert set(WEBHOOKS) == set(get_args(EventType))


async def end(gateway: Gateway, way: str) -> str:
    """End a verification in one of the four ways; return its id."""
    verification = await gateway.begin(PHONE)
    if way == "canceled":
        assert (await gateway.cancel(verification)).status == 200
    if way in ("verified", "locked"):
        code = await read_code(gateway)
        for _ in range(5 if way == "locked" else 1):
            await gateway.verify(verification, wrong(code) if way == "locked" else code)
    return verification


@pytest.mark.parametrize("way", ["verified", "locked", "expired", "canceled"])
async def test_a_real_callback_is_as_described(database_url: str, way: str) -> None:
    policy = SHORT if way == "expired" else POLICY
    async with (
        run_gateway(database_url, policy=policy, CALLBACK_ALLOW_PRIVATE="true") as gateway,
        run_receiver() as one,
    ):
        secret = await call_back(gateway, one)
        verification = await end(gateway, way)
        await until(lambda: one.types_of(verification) == [f"verification.{way}"], "it is told")
        check_described(one.told[0], secret)


def check_described(told: Told, secret: str) -> None:
    operation = WEBHOOKS[told.body["type"]]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    schema = content["schema"] | {"components": DOCUMENT["components"]}
    validator = Draft202012Validator(schema, validate_formats=True)
    validator.validate(told.body)
    [example] = [named["value"] for named in content["examples"].values()]
    validator.validate(example)
    assert (example["type"], example["data"]["status"]) == (told.body["type"], told.body["data"]["status"])
    assert {one["name"] for one in operation["parameters"]} <= set(told.headers)
    Webhook(secret).verify(told.text, told.headers)
