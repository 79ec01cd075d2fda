"""A Telnyx provider in front of a server that answers as a test says.

Used by the tests of the provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.providers.telnyx.client import TelnyxProvider, TimeLimits
from service.providers.verify.protocol import Order
from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.raw_http import RawServer, Respond, serve_raw, write_reply

NUMBER = "+13035551234"
ID = "12ade33a-21c0-473b-b055-b3c836e1c292"
ORDER = Order(NUMBER, "sms", PROFILE_ID, 305)
QUICK = TimeLimits(connect=0.5, send=0.8, check=0.8, read=5.0)
TAKEN = write_reply(200, b'{"data":{"id":"%s"}}' % ID.encode())


@asynccontextmanager
async def face(
    respond: Respond, limits: TimeLimits = QUICK, connections: int = 9
) -> AsyncIterator[tuple[TelnyxProvider, RawServer]]:
    """A provider in front of a server that answers as `respond` says."""
    async with serve_raw(respond) as server:
        telnyx = TelnyxProvider("KEY", f"{server.url}/v2", limits=limits, connections=connections)
        try:
            yield telnyx, server
        finally:
            await telnyx.aclose()
