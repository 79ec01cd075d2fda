"""A webhook for alerts that is really served, and what it was told.

Used by the tests of alerts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.raw_http import RawRequest, RawServer, serve_raw, write_reply
from tests.support.waiting import until


class Channel:
    """What operators read. `url`: ALERT_WEBHOOK_URL."""

    def __init__(self, raw: RawServer) -> None:
        self.url = f"{raw.url}/services/secret"
        self._raw = raw

    @property
    def texts(self) -> list[str]:
        return [json.loads(request.body)["text"].removeprefix("verify-gateway: ") for request in self._raw.requests]

    async def wait_for(self, count: int) -> list[str]:
        """Wait until so many alerts came."""
        await until(lambda: len(self.texts) >= count, f"{count} alerts came")
        return self.texts


@asynccontextmanager
async def open_channel(status: int = 200) -> AsyncIterator[Channel]:
    """Serve a webhook that answers with `status`."""

    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(status, b"ok"))

    async with serve_raw(respond) as raw:
        yield Channel(raw)
