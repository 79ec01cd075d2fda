"""A small product backend: it holds the gateway's key and calls the gateway for the demo page.

Called by demo. It passes on what the gateway answers; the key must never reach a browser.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import msgspec
from litestar import Litestar

from service.channels import Channel
from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import SimulatedFingerprint

TIME_LIMIT = 15.0
"""Seconds for one call to the gateway."""

Visitor = Literal["person", "bot", "stranger"]
"""Who plays: an ordinary person, an automated browser, or somebody whom the product has not registered."""


class GatewayAnswer(msgspec.Struct, frozen=True):
    """What the gateway answered, or a 502 of our own if it did not."""

    status: int
    body: Any
    retry_after: str | None = None


class Backend:
    """The four calls that a product makes, between `open` and `close`. `channels`: those that its users may choose."""

    def __init__(
        self, gateway_url: str, api_key: str, fingerprint: SimulatedFingerprint, channels: Sequence[Channel]
    ) -> None:
        self.channels = channels
        self._url = gateway_url.rstrip("/")
        self._key = api_key
        self._fingerprint = fingerprint
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connection pool; needs the running loop."""
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {self._key}"}, timeout=aiohttp.ClientTimeout(total=TIME_LIMIT)
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(self, phone_number: str, channel: str, visitor: Visitor, address: str) -> GatewayAnswer:
        """Request a verification, with the event that the visitor's browser would have brought."""
        minted = self._fingerprint.mint(Mint(bot="bad" if visitor == "bot" else "not_detected", ip=address))
        body = {
            "phone_number": phone_number,
            "ip_address": address,
            "channel": channel,
            "device_event_id": minted.event_id,
            "deliver": visitor != "stranger",
        }
        return await self._call("POST", "/v1/verifications", body)

    async def verify(self, verification_id: str, code: str) -> GatewayAnswer:
        """Check a code."""
        return await self._call("POST", f"/v1/verifications/{verification_id}/verify", {"code": code})

    async def use_fallback(self, verification_id: str) -> GatewayAnswer:
        return await self._call("POST", f"/v1/verifications/{verification_id}/fallback", None)

    async def read(self, verification_id: str) -> GatewayAnswer:
        return await self._call("GET", f"/v1/verifications/{verification_id}", None)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> GatewayAnswer:
        if self._session is None:
            raise RuntimeError("the demo's backend is not open: its app must be served with its lifespan")
        try:
            async with self._session.request(method, self._url + path, json=body) as response:
                content = msgspec.json.decode(await response.read() or b"null")
                return GatewayAnswer(response.status, content, response.headers.get("retry-after"))
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            detail = "The gateway gave no usable answer. Is it running?"
            return GatewayAnswer(502, {"title": "Gateway not reached", "detail": detail, "status": 502})


@asynccontextmanager
async def open_backend(app: Litestar) -> AsyncIterator[None]:
    """Lifespan: the backend is the app's `state.backend`."""
    await app.state.backend.open()
    try:
        yield
    finally:
        await app.state.backend.close()


def draw_address() -> str:
    """Return an address for a visitor of the demo, from the IPv6 range reserved for documentation.

    Everybody who tries the demo is on this machine: with its own address they would use up each other's limit.
    """
    return f"2001:db8:{secrets.randbelow(0xFFFF) + 1:x}:{secrets.randbelow(0xFFFF) + 1:x}::1"
