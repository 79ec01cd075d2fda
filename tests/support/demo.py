"""A browser at the demo of a sandbox, whose gateway notes what it is asked and answers what it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from litestar import Litestar, Request, Response, route

from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.serving import serve_app

KEY, OPERATOR_KEY = "vg_the_key_of_the_demo", "vg_the_key_of_the_panel"
BROWSER_SEEN: dict[str, Any] = {
    "webdriver": False,
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
    "languages": ["en-US"],
    "plugins": 5,
    "mobile": False,
    "window": [1280, 800],
    "globals": [],
    "device": ["Linux x86_64", 4],
}
PHONE = "+13125550142"


class Gateway:
    """Stands for the gateway: notes what it was asked, and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answer = Response[Any]({"id": "ver_1", "status": "pending"}, status_code=202)

    def create_app(self) -> Litestar:
        @route(["/", "/{path:path}"], http_method=["GET", "POST"])
        async def take(request: Request[Any, Any, Any]) -> Response[Any]:
            body = msgspec.json.decode(await request.body() or b"null")
            self.asked.append((request.method, request.url.path, dict(request.headers), body))
            return self.answer

        return Litestar([take], openapi_config=None, logging_config=None)


class Browser:
    """A browser at the demo: keeps cookies and sees only what a browser sees."""

    def __init__(self, url: str, session: aiohttp.ClientSession, telnyx: SimulatedTelnyx, gateway: Gateway) -> None:
        self.url = url
        self.session = session
        self.telnyx = telnyx
        self.gateway = gateway
        self.seen = ""

    async def get(self, path: str) -> tuple[aiohttp.ClientResponse, str]:
        async with self.session.get(self.url + path) as response:
            text = await response.text()
            self.seen += text + str(response.headers)
            return response, text

    async def post(self, path: str, body: Any) -> tuple[aiohttp.ClientResponse, Any]:
        async with self.session.post(self.url + path, json=body) as response:
            self.seen += await response.text() + str(response.headers)
            return response, await response.json()


@asynccontextmanager
async def browse(gateway_url: str | None = None) -> AsyncIterator[Browser]:
    gateway = Gateway()
    jar = aiohttp.CookieJar(unsafe=True)
    telnyx = TelnyxSettings(manners=Manners(delivered_after=0.0))
    async with serve_app(gateway.create_app()) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        settings = SandboxSettings(
            gateway_url=gateway_url or url, gateway_key=KEY, operator_key=OPERATOR_KEY, telnyx=telnyx
        )
        app = create_sandbox(settings)
        async with serve_app(app) as sandbox:
            yield Browser(sandbox, session, app.state.telnyx, gateway)
