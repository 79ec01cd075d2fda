"""Telnyx for the measurements, in a process of its own: its work must not appear in any figure.

`python -m benchmarks.stage SECONDS DRIFT [WEBHOOK_URL]` prints its port. The sandbox's stand-in: it answers in so many
seconds, drifting by DRIFT, takes one code for every verification, and sends to no country but the United States.
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
import sys
import time

import uvicorn

from benchmarks.requests import CODE
from service.sandbox.faults import Operation
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import create_telnyx
from service.sandbox.telnyx.profiles import ChannelSettings, FlashcallSettings, ProfileChange
from service.sandbox.telnyx.service import PROFILE_ID, SimulatedTelnyx, TelnyxSettings

SEED = b"0123456789abcdef0123456789abcdef"
OPERATIONS: tuple[Operation, ...] = ("send", "check", "state", "lookup")
PERIOD, TICK = 20.0, 0.02  # seconds of the drift's wave, and from one draw to the next
HOME = ChannelSettings(whitelisted_destinations=["US"])
FLASHCALL_HOME = FlashcallSettings(whitelisted_destinations=["US"])


async def pace(stage: SandboxStage, seconds: float, drift: float) -> None:
    """Set how long answers take: once, or again and again by a slow wave and a draw."""
    stage.latency = dict.fromkeys(OPERATIONS, seconds)
    while drift:
        wave = drift * math.sin(time.monotonic() * 2 * math.pi / PERIOD)
        stage.latency = dict.fromkeys(OPERATIONS, seconds + wave * random.random())
        await asyncio.sleep(TICK)


async def main(seconds: float, drift: float, webhook_url: str | None = None) -> None:
    """Serve until the process is ended."""
    stage = SandboxStage()
    telnyx = SimulatedTelnyx(TelnyxSettings(signing_seed=SEED, webhook_url=webhook_url, fixed_code=CODE))
    profile = telnyx.profiles.find(PROFILE_ID)
    if profile is None:
        raise LookupError(PROFILE_ID)
    profile.change(ProfileChange(sms=HOME, call=HOME, flashcall=FLASHCALL_HOME))
    app = create_telnyx(telnyx, stage)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(app, log_level="critical", lifespan="on", access_log=False)
        await asyncio.gather(uvicorn.Server(config).serve(sockets=[listener]), pace(stage, seconds, drift))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:]))
