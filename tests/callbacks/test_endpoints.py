"""Endpoints on the command line: set, rotated with two secrets at once, disabled, enabled, replayed; all audited."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from standardwebhooks.webhooks import WebhookVerificationError
from structlog.testing import capture_logs

from service.callbacks.delivery import LOOK_EVERY
from tests.support.commands import run_inside
from tests.support.gateway import SECRET_KEY, Gateway, read_code, run_gateway
from tests.support.receivers import Receiver, check, run_receiver
from tests.support.waiting import until

UNREADABLE = "unreadable_callback_endpoint"
NEW_KEY = base64.b64encode(b"n" * 32).decode()


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    async with run_gateway(database_url, CALLBACK_ALLOW_PRIVATE="true") as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with run_receiver() as running:
        yield running


async def command(gateway: Gateway, *words: str) -> str:
    done = await run_inside("callbacks", *words, settings=gateway.environment)
    assert (done.code, done.err) == (0, ""), done
    return done.out.strip()


async def verify(gateway: Gateway) -> None:
    verification = await gateway.begin()
    assert (await gateway.verify(verification, await read_code(gateway))).body["verified"]


async def test_a_secret_is_printed_once_and_signs(gateway: Gateway, receiver: Receiver) -> None:
    secret = await command(gateway, "set", "shop", receiver.url)
    assert secret.startswith("whsec_")
    await verify(gateway)
    await until(lambda: bool(receiver.told), "it is told")
    check(receiver.told[0], secret)
    assert secret not in await command(gateway, "list")


async def test_a_new_secret_and_the_one_before_sign_together_until_the_overlap_is_over(
    gateway: Gateway, receiver: Receiver
) -> None:
    old = await command(gateway, "set", "shop", receiver.url)
    new = await command(gateway, "rotate", "shop")
    await verify(gateway)
    await until(lambda: bool(receiver.told), "it is told")

    async def has(signatures: int, by: str) -> bool:
        await command(gateway, "replay", "shop", "--id", receiver.told[0].id)
        with suppress(WebhookVerificationError):
            check(receiver.told[-1], by)
            return len(receiver.told[-1].headers["webhook-signature"].split()) == signatures
        return False

    await until(lambda: has(2, new), "the process has taken the new secret in")
    check(receiver.told[-1], old)
    newest = await command(gateway, "rotate", "shop", "--overlap", "1s")
    await until(lambda: has(1, newest), "the process has taken it in, and the overlap is over")
    with pytest.raises(WebhookVerificationError):
        check(receiver.told[-1], new)


async def test_while_disabled_nothing_goes_out_and_nothing_is_lost(gateway: Gateway, receiver: Receiver) -> None:
    await command(gateway, "set", "shop", receiver.url)
    await command(gateway, "disable", "shop")
    await verify(gateway)
    assert "disabled" in await command(gateway, "list")
    assert "1 waiting" in await command(gateway, "list")
    assert receiver.told == []
    await command(gateway, "enable", "shop")
    await until(lambda: bool(receiver.told), "what has waited goes out")


async def test_a_client_without_a_valid_key_is_told_nothing_until_it_has_one(
    gateway: Gateway, receiver: Receiver
) -> None:
    """It could not read the status either. An operator's key of the same client is none."""
    await gateway.client("shop", scope="operator")
    verification = await gateway.begin()
    await gateway.database.pool.execute("update api_keys set revoked_at = now() where scope = 'verify'")
    await command(gateway, "set", "shop", receiver.url)
    end = "update verifications set status = 'canceled', closed_at = now() where id = $1::uuid"
    await gateway.database.pool.execute(end, verification)
    # Longer than processes take to learn of a change.
    await asyncio.sleep(LOOK_EVERY + 1)
    assert receiver.told == []
    assert "no valid key  1 waiting" in await command(gateway, "list")
    await gateway.client("shop")
    await until(lambda: bool(receiver.told), "what has waited goes out")


async def test_an_endpoint_that_no_key_opens_is_said_once(gateway: Gateway) -> None:
    await command(gateway, "set", "shop", "https://shop.example/")
    await gateway.database.pool.execute("update callback_endpoints set sealed = '\\x00', row = gen_random_uuid()")
    with capture_logs() as lines:
        await until(lambda: any(UNREADABLE in line.values() for line in lines), "it is said")
        await asyncio.sleep(LOOK_EVERY + 1)
    assert [line["event"] for line in lines].count(UNREADABLE) == 1


async def test_those_of_a_time_are_replayed_under_their_ids(gateway: Gateway, receiver: Receiver) -> None:
    await command(gateway, "set", "shop", receiver.url)
    await verify(gateway)
    await until(lambda: gateway.database.pool.fetchval("select taken_at is not null from callbacks"), "it is taken")
    assert await command(gateway, "replay", "shop", "--since", "1h") == "0 to be tried again."
    assert await command(gateway, "replay", "shop", "--since", "1h", "--taken") == "1 to be tried again."
    await until(lambda: len(receiver.told) == 2, "it comes again")
    assert receiver.told[0].id == receiver.told[1].id


async def test_acts_are_audited(gateway: Gateway, receiver: Receiver) -> None:
    await command(gateway, "set", "shop", receiver.url)
    for word in ("rotate", "disable", "enable", "remove"):
        await command(gateway, word, "shop")
    rows = await gateway.database.pool.fetch("select action from audits where action like '%callbacks' order by id")
    assert [row["action"] for row in rows] == [
        f"{word}_callbacks" for word in ("set", "rotate", "disable", "enable", "remove")
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("set", "nobody", "https://shop.example/"), ("rotate", "nobody"), ("enable", "shop"), ("disable", "nobody"),
        ("remove", "nobody"), ("replay", "shop"), ("replay", "shop", "--id", "x"),
        ("replay", "nobody", "--since", "1h"), ("set", "shop", "https://10.0.0.1/"),
    ],
    ids=" ".join,
)  # fmt: skip
async def test_a_mistake_gets_a_sentence(gateway: Gateway, words: tuple[str, ...]) -> None:
    settings = gateway.environment | {"CALLBACK_ALLOW_PRIVATE": "false"}
    (await run_inside("callbacks", *words, settings=settings)).sentence()


async def test_setting_a_receiver_for_nobody_says_where_the_names_are(gateway: Gateway) -> None:
    done = await run_inside("callbacks", "set", "nobody", "https://shop.example/", settings=gateway.environment)
    assert done.sentence().endswith("There is no client nobody: `verify-gateway keys list` has their names.")


async def test_a_new_secret_key_seals_the_endpoints_anew(database_url: str, receiver: Receiver) -> None:
    """So that the old key can be removed once the new one has been in use."""
    tag = "select encode(substr(sealed, 1, 4), 'hex') from callback_endpoints"
    async with run_gateway(database_url, CALLBACK_ALLOW_PRIVATE="true") as gateway:
        secret = await command(gateway, "set", "shop", receiver.url)
        before = await gateway.database.pool.fetchval(
            "select encode(substr(sealed, 1, 4), 'hex') from callback_endpoints"
        )
    async with run_gateway(
        database_url, CALLBACK_ALLOW_PRIVATE="true", SECRET_KEY=f"{NEW_KEY},{SECRET_KEY}"
    ) as gateway:
        await until(lambda: gateway.database.pool.fetchval(f"select ({tag}) <> $1", before), "it is sealed anew")
        await verify(gateway)
        await until(lambda: bool(receiver.told), "it is told")
        check(receiver.told[0], secret)
