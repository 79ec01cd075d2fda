"""The stand-in for Telnyx as a run sees it: its controls, its inbox, and in the end what it holds.

Used by strikes (faults), callers (codes that phones received) and evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from service.sandbox.faults import Fault, Operation
from service.sandbox.journal import JournalEntry
from service.sandbox.telnyx.service import PROFILE_ID, TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.chaos.processes import Child

# It acts at once and answers so much later (seconds): a process that is killed has often a send on its way.
LATENCY = 0.3
AT_ONCE = 16
PATIENCE = aiohttp.ClientTimeout(total=30)


class Held(msgspec.Struct, frozen=True):
    """One verification as Telnyx holds it."""

    id: str
    type: str
    phone_number: str
    status: str


class _Calls(msgspec.Struct):
    calls: list[JournalEntry]


class _List(msgspec.Struct):
    data: list[Held]


class StandIn:
    """The process and its levers."""

    def __init__(self, port: int, folder: Path, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.child = Child(["tests.chaos.stand_in", str(port), str(LATENCY)], folder / "telnyx.log")
        self._session = session
        self._key = {"authorization": f"Bearer {TelnyxSettings().api_key}"}

    async def _call(self, method: str, path: str, body: Any = None) -> bytes:
        raw = msgspec.json.encode(body) if body is not None else None
        headers = self._key | {"content-type": "application/json"}
        async with self._session.request(method, self.url + path, data=raw, headers=headers, timeout=PATIENCE) as reply:
            text = await reply.read()
            assert reply.ok, text
            return text

    async def add_fault(self, fault: Fault) -> int:
        return int(msgspec.json.decode(await self._call("POST", "/control/faults", fault))["id"])

    async def clear(self, fault: int | None = None) -> None:
        """Lift one fault, or all."""
        await self._call("DELETE", "/control/faults" + (f"/{fault}" if fault is not None else ""))

    async def set_manners(self, manners: Manners) -> None:
        await self._call("PUT", "/control/webhooks", manners)

    async def send_webhooks_to(self, url: str) -> None:
        await self._call("PATCH", f"/v2/verify_profiles/{PROFILE_ID}", {"webhook_url": url})

    async def find_codes(self, phone: str) -> list[str]:
        """Return the codes that a phone has received, the newest first."""
        found = msgspec.json.decode(await self._call("POST", "/control/inbox", {"phone_number": phone}))
        return [message["code"] for message in found if message["code"] is not None]

    async def journal(self, operation: Operation) -> list[JournalEntry]:
        text = await self._call("GET", f"/control/journal?operation={operation}")
        return msgspec.json.decode(text, type=_Calls).calls

    async def list_held(self, phones: Iterable[str]) -> list[Held]:
        """List what Telnyx holds for these numbers."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def of(phone: str) -> list[Held]:
            async with turns:
                text = await self._call("GET", f"/v2/verifications/by_phone_number/{phone}")
            return msgspec.json.decode(text, type=_List).data

        return [one for found in await asyncio.gather(*map(of, phones)) for one in found]
