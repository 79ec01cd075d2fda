"""A client's receiver of callbacks: a real server that keeps what it was sent, and answers as it is told.

Used by the tests of callbacks. Checks each signature with Standard Webhooks' own package.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from service.callbacks.endpoint_admin import Endpoints
from service.db.engine import Database
from service.vault import Vault
from tests.support.gateway import Gateway
from tests.support.ports import free_port

KEYS = Vault([b"s" * 32], b"i" * 32)


class Told(msgspec.Struct):
    """One callback that came."""

    id: str
    headers: dict[str, str]
    text: str
    body: dict[str, Any]


class Receiver:
    """What came, and how the next ones are answered: with `status`, or not at all while it `hangs`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: list[Told] = []
        self.status = 200
        self.hangs = False

    async def take(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append(Told(headers["webhook-id"], headers, text, msgspec.json.decode(text)))
        while self.hangs:
            await asyncio.sleep(0.05)
        return web.Response(status=self.status, headers={"Location": f"{self.url}/elsewhere"})

    def types_of(self, verification: str) -> list[str]:
        """List what was told of a verification, in the order in which it came."""
        return [one.body["type"] for one in self.told if one.body["data"]["verification_id"] == verification]


def check(told: Told, secret: str) -> None:
    """Raise where the signature is not this secret's."""
    Webhook(secret).verify(told.text, told.headers)


@asynccontextmanager
async def run_receiver(port: int | None = None) -> AsyncIterator[Receiver]:
    """Serve a receiver."""
    port = port or free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}/callbacks")
    app = web.Application()
    app.router.add_post("/callbacks", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield receiver
    finally:
        receiver.hangs = False
        await runner.cleanup()


async def call_back(gateway: Gateway, receiver: Receiver, client: str = "shop") -> str:
    """Have a client called back; return the secret."""
    return await set_up(gateway.database, receiver.url, client)


async def set_up(database: Database, url: str, client: str = "shop") -> str:
    return await Endpoints(database, KEYS, allow_private=True).set(client, url)


async def hurry(database: Database) -> None:
    """Have everything that waits for its next attempt tried now."""
    await database.pool.execute("update callbacks set next_at = now() where next_at is not null")
