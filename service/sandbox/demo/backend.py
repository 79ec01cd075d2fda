"""A small product backend: it holds the gateway's key and calls the gateway for the sign-up page.

Called by demo. The key must never reach a browser, nor what only the operator's key opens, but for the sandbox's panel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
from litestar import Litestar

from service.channels import Channel

TIME_LIMIT = 15.0
"""Seconds for one call to the gateway."""


class GatewayAnswer(msgspec.Struct, frozen=True):
    """What the gateway answered, or a 502 of our own if it did not."""

    status: int
    body: Any
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the gateway did what was asked."""
        return self.status < HTTPStatus.BAD_REQUEST


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    """What the backend knows of a sign-up. `event_id`: Fingerprint's, as the page brought it.

    `registered`: whether the number has an account where that is required, as for a login; if not, nothing is sent.
    """

    phone_number: str
    channel: Channel
    address: str
    event_id: str | None
    registered: bool = True


class Backend:
    """The calls that a product makes, between `open` and `close`; and the operator's one, for the panel."""

    def __init__(self, gateway_url: str, api_key: str, operator_key: str = "") -> None:
        self._url = gateway_url.rstrip("/")
        self._key = api_key
        self._operator_key = operator_key
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connection pool; needs the running loop."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIME_LIMIT))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(self, sign_up: SignUp) -> GatewayAnswer:
        """Request a verification."""
        body: dict[str, Any] = {
            "phone_number": sign_up.phone_number,
            "ip_address": sign_up.address,
            "channel": sign_up.channel,
            "deliver": sign_up.registered,
        }
        if sign_up.event_id is not None:
            body["device_event_id"] = sign_up.event_id
        return await self._call("POST", "/v1/verifications", body)

    async def verify(self, verification_id: str, code: str) -> GatewayAnswer:
        """Check a code."""
        return await self._call("POST", f"/v1/verifications/{verification_id}/verify", {"code": code})

    async def use_fallback(self, verification_id: str) -> GatewayAnswer:
        return await self._call("POST", f"/v1/verifications/{verification_id}/fallback")

    async def read(self, verification_id: str) -> GatewayAnswer:
        return await self._call("GET", f"/v1/verifications/{verification_id}")

    async def inspect(self, verification_id: str) -> GatewayAnswer:
        """Read what an operator sees."""
        return await self._call("GET", f"/v1/operator/verifications/{verification_id}", key=self._operator_key)

    def console(self, verification_id: str) -> str:
        """Return where the operators' console shows a verification."""
        return f"{self._url}/operator/verifications/{verification_id}"

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, key: str | None = None
    ) -> GatewayAnswer:
        if self._session is None:
            raise RuntimeError("the demo's backend is not open: its app must be served with its lifespan")
        headers = {"authorization": f"Bearer {self._key if key is None else key}"}
        try:
            async with self._session.request(method, self._url + path, json=body, headers=headers) as response:
                content = msgspec.json.decode(await response.read() or b"null")
                return GatewayAnswer(response.status, content, response.headers.get("retry-after"))
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            return GatewayAnswer(502, None)


@asynccontextmanager
async def open_backend(app: Litestar) -> AsyncIterator[None]:
    """Lifespan: the backend is the app's `state.backend`."""
    await app.state.backend.open()
    try:
        yield
    finally:
        await app.state.backend.close()
