"""Somebody at the console: signs in with a key and reads pages, without a browser, over real HTTP.

Used by the tests of the console that need no browser.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from tests.support.gateway import Calls, Gateway

FORM = re.compile(r'name="form" value="([0-9a-f]{32})"')


class Shown(msgspec.Struct):
    """A page as it was answered, and where the browser ended up."""

    status: int
    path: str
    page: str
    headers: dict[str, str]
    all_headers: CIMultiDictProxy[str]

    @property
    def text(self) -> str:
        """What can be read on it."""
        plain = re.sub(r"<(style|svg)\b.*?</\1>|<[^>]+>", " ", self.page, flags=re.DOTALL)
        return re.sub(r"\s+", " ", html.unescape(plain))


class Desk:
    """A browser's part of the console: a jar of cookies, forms with their token."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.form = ""

    async def get(self, path: str = "/operator", **headers: str) -> Shown:
        async with self.session.get(self.url + path, headers=headers) as response:
            return await self._shown(response)

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Shown:
        """Send a form as a page of the console would."""
        given = {"form": self.form} | (fields or {})
        head = {"sec-fetch-site": "same-origin"} | {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.session.post(self.url + path, data=given, headers=head) as response:
            return await self._shown(response)

    async def sign_in(self, key: str) -> Self:
        shown = await self.post("/operator/sign-in", {"key": key})
        assert shown.status == 200, shown.text
        return self

    async def ask_why(self, what: str) -> Shown:
        return await self.post("/operator/why", {"what": what})

    async def _shown(self, response: aiohttp.ClientResponse) -> Shown:
        page = await response.text()
        if found := FORM.search(page):
            self.form = found[1]
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Shown(response.status, response.url.path, page, headers, response.headers)


@asynccontextmanager
async def come_to(url: str) -> AsyncIterator[Desk]:
    """Come to the console as somebody who has no cookie."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Desk(url, session)


@asynccontextmanager
async def sit_down(gateway: Gateway) -> AsyncIterator[tuple[Desk, Calls]]:
    """Sign in with a new operator's key; also yield the key's calls of the API."""
    operator = await gateway.client("desk", scope="operator")
    async with come_to(gateway.url) as desk:
        yield await desk.sign_in(operator.key), operator
