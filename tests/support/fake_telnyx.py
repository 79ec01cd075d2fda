"""A caller of the sandbox's Telnyx, for tests of the sandbox itself.

It speaks plain HTTP and judges nothing, so that the tests see what the stand-in said, word for word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from litestar import Litestar

from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import create_telnyx
from service.sandbox.telnyx.service import PROFILE_ID, SimulatedTelnyx, TelnyxSettings
from tests.support.serving import serve_app

PHONE = "+13125550142"


class Caller:
    """One stand-in that is served, and calls to it. Each call returns the status and the decoded body."""

    def __init__(self, url: str, session: aiohttp.ClientSession, app: Litestar) -> None:
        self.url = url
        self.session = session
        self.telnyx: SimulatedTelnyx = app.state.telnyx
        self.stage: SandboxStage = app.state.stage

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        given = {"authorization": f"Bearer {self.telnyx.settings.api_key}"} | headers
        async with self.session.request(method, self.url + path, json=body, headers=given) as response:
            return response.status, await response.json()

    async def send(self, phone_number: str = PHONE, channel: str = "sms", **extra: Any) -> tuple[int, Any]:
        body = {"phone_number": phone_number, "verify_profile_id": PROFILE_ID, **extra}
        return await self.call("POST", f"/v2/verifications/{channel}", body)

    async def begin(self, phone_number: str = PHONE, channel: str = "sms", **extra: Any) -> str:
        """Send, and return the verification's id."""
        status, body = await self.send(phone_number, channel, **extra)
        assert status == 200, body
        return str(body["data"]["id"])

    async def check(self, verification_id: str, code: str) -> str:
        """Check a code by id, and return the response_code."""
        path = f"/v2/verifications/{verification_id}/actions/verify"
        status, body = await self.call("POST", path, {"code": code})
        assert status == 200, body
        return str(body["data"]["response_code"])

    async def read_status(self, verification_id: str) -> str:
        status, body = await self.call("GET", f"/v2/verifications/{verification_id}")
        assert status == 200, body
        return str(body["data"]["status"])

    def find_wrong(self, verification_id: str) -> str:
        """A code that is not the verification's."""
        right = self.telnyx.find_code(verification_id)
        return right[:-1] + ("0" if right[-1] != "0" else "1")


@asynccontextmanager
async def call_telnyx(settings: TelnyxSettings | None = None) -> AsyncIterator[Caller]:
    """Serve a stand-in and yield its caller."""
    app = create_telnyx(SimulatedTelnyx(settings))
    timeout = aiohttp.ClientTimeout(total=10)
    async with serve_app(app) as url, aiohttp.ClientSession(timeout=timeout) as session:
        yield Caller(url, session, app)
