"""Look-ups of device events in front of the sandbox's Fingerprint, by either API.

Used by the tests of the Fingerprint providers. The stand-in is really served; faults and journal are its stage's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from service.providers.fingerprint.client import FingerprintApi, FingerprintClient
from service.providers.fingerprint.event import DeviceEvent, EventAnswer, EventFound
from service.providers.fingerprint.v3 import V3
from service.providers.fingerprint.v4 import V4
from service.sandbox.faults import Fault, FaultKind
from service.sandbox.fingerprint.app import create_fingerprint
from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import SimulatedFingerprint as Standing
from service.sandbox.stage import SandboxStage
from tests.support.raw_http import RawRequest, Respond, serve_raw, write_reply
from tests.support.serving import serve_app

KEY = "SECRET_KEY_THAT_NOBODY_MAY_SEE"
Version = Literal["v4", "v3"]
VERSIONS: tuple[Version, ...] = ("v4", "v3")


def make_api(version: Version, url: str, **other: Any) -> FingerprintApi:
    return V4(KEY, url, **other) if version == "v4" else V3(KEY, url, **other)


async def look_up(fingerprint: FingerprintClient, event_id: str, *, within: float = 5.0) -> EventAnswer:
    """Look one event up now."""
    return await fingerprint.read(event_id, now=datetime.now(UTC), deadline=time.monotonic() + within)


class LookupRig:
    """A provider in front of a stand-in."""

    def __init__(self, fingerprint: FingerprintClient, standing: Standing, stage: SandboxStage, url: str) -> None:
        self.fingerprint = fingerprint
        self.standing = standing
        self.stage = stage
        self.url = url

    def mint(self, **order: Any) -> str:
        return self.standing.mint(Mint(**order)).event_id

    def break_with(self, kind: FaultKind, **other: Any) -> None:
        self.stage.faults.add(Fault(kind=kind, operations=("event",), **other))

    async def look_up(self, event_id: str, *, within: float = 5.0) -> EventAnswer:
        return await look_up(self.fingerprint, event_id, within=within)

    async def find(self, event_id: str) -> DeviceEvent:
        answer = await self.look_up(event_id)
        assert isinstance(answer, EventFound), answer
        return answer.event

    def count(self) -> int:
        """Calls that reached the stand-in."""
        return self.stage.journal.count().get("event", 0)


@asynccontextmanager
async def run_rig(version: Version, *, seconds: float = 1.5) -> AsyncIterator[LookupRig]:
    """Serve a stand-in and look events up in it, each call within `seconds`."""
    standing, stage = Standing(), SandboxStage()
    async with serve_app(create_fingerprint(standing, stage)) as url:
        api: FingerprintApi = (
            V4(standing.settings.secret_key, url) if version == "v4" else V3(standing.settings.secret_key, url)
        )
        fingerprint = FingerprintClient(api, seconds=seconds)
        await fingerprint.start()
        yield LookupRig(fingerprint, standing, stage, url)
        await fingerprint.aclose()


def answer_with(status: int, body: bytes, *headers: str) -> Respond:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(status, body, *headers))

    return respond


def fresh_id() -> str:
    return f"{time.time_ns() // 1_000_000}.NLOjmg"


async def look_up_raw(
    version: Version, respond: Respond, event_id: str, *, longest_pause: float = 5.0, **other: Any
) -> tuple[EventAnswer, int]:
    """Look up against bytes of our own; the answer, and how many requests there were."""
    async with serve_raw(respond) as raw:
        fingerprint = FingerprintClient(make_api(version, raw.url), seconds=0.6, longest_pause=longest_pause)
        await fingerprint.start()
        answer = await look_up(fingerprint, event_id, **other)
        await fingerprint.aclose()
        return answer, len(raw.requests)
