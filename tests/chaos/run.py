"""One run from its seed to its balance: open the world, let callers and strikes loose, heal, come to rest, judge.

Called by the command and by the test. Bounded in time: what does not come to rest is an imbalance, not a hang.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from service.db.engine import Database, open_database
from service.vault import Vault
from tests.chaos.balance import Line, balance
from tests.chaos.callers import Backend
from tests.chaos.doors import Doors
from tests.chaos.evidence import Evidence, find_unsettled, gather
from tests.chaos.findings import Imbalance
from tests.chaos.people import People
from tests.chaos.policy import CLIENTS
from tests.chaos.records import Book
from tests.chaos.schedule import draw_schedule
from tests.chaos.strikes import Striker
from tests.chaos.world import World, open_world

# The gateway's processes, by the command of each. A short run has one less to start.
COMMANDS = ("serve", "serve", "dispatch", "serve")
SHORT = 60.0
BACKENDS = 16
PAUSE = 0.4  # seconds between two stories of one backend, on average
# Lease and grace are 17 s, and who takes over may have to try again.
REST = 120.0
BACK_AGAIN = 120.0
LOOK = 0.5
VAULT = Vault([b"s" * 32], b"i" * 32)

Say = Callable[[str], None]


class Outcome(msgspec.Struct):
    """What came of a run. `back`: seconds from the healing until every process took a request."""

    seed: int
    seconds: float
    evidence: Evidence
    lines: list[Line]
    strikes: list[str]
    starts: int
    back: float

    @property
    def imbalances(self) -> list[Imbalance]:
        return [imbalance for line in self.lines for imbalance in line.imbalances]


async def run(seed: int, seconds: float, folder: Path, say: Say) -> Outcome:
    """Run once. The logs of all processes are in `folder`."""
    book = Book()
    async with open_world(folder, book, COMMANDS[: 3 if seconds < SHORT else None]) as world:
        say(f"All is up after {time.time() - book.begun:.0f} s; {seconds:.0f} s of chaos begin.")
        schedule = draw_schedule(seed, seconds, len(world.gateways))
        doors, people = Doors(world.urls, world.keys, world.session, book), People()
        striker = Striker(world)
        striking = asyncio.create_task(striker.carry_out(schedule))
        try:
            end = asyncio.get_running_loop().time() + seconds
            dice = [random.Random(f"backend {number} {seed}") for number in range(BACKENDS)]
            backends = [Backend(one, doors, people, world.telnyx) for one in dice]
            await asyncio.gather(striking, *(backend.work(end, PAUSE) for backend in backends))
            await striker.finish()
        finally:
            striking.cancel()
            striker.stop()
        say("Healed; waiting until all has come to rest.")
        back = await _come_back(world, people)
        starts = sum(gateway.starts for gateway in world.gateways)
        evidence = await _come_to_rest(world)
        evidence.events, evidence.lapses = book.events, book.lapses
        if back > BACK_AGAIN:
            evidence.unsettled["outages"] = 1
        return Outcome(seed, seconds, evidence, balance(evidence), [str(strike) for strike in schedule], starts, back)


async def _come_back(world: World, people: People) -> float:
    """Wait until every process takes requests again, without anybody's help."""
    await world.telnyx.clear()
    begun, dice = time.monotonic(), random.Random(0)
    for url in world.urls:
        alone = Doors([url], world.keys, world.session, world.book)
        backend = Backend(dice, alone, people, world.telnyx)
        while await backend.request(people.anybody(CLIENTS[0], dice), tries=1) is None:
            if time.monotonic() - begun > BACK_AGAIN:
                return float("inf")
            await asyncio.sleep(LOOK)
    return time.monotonic() - begun


async def _come_to_rest(world: World) -> Evidence:
    """Wait until nothing is under way, end the processes so that nothing begins, and read what is left."""
    database = await open_database(world.sites.primary.url())
    try:
        unsettled = await _wait_for_rest(database)
        ended = await asyncio.gather(*(gateway.end(float("inf")) for gateway in world.gateways))
        evidence = await gather(database, world.telnyx, VAULT, world.book.calls)
        evidence.unsettled = unsettled
        if not all(ended):
            evidence.unsettled["processes"] = ended.count(False)
        return evidence
    finally:
        await database.aclose()


async def _wait_for_rest(database: Database) -> dict[str, int]:
    """Wait, and return what was still under way when patience ended."""
    end = time.monotonic() + REST
    while (unsettled := await find_unsettled(database)) and time.monotonic() < end:
        await asyncio.sleep(LOOK)
    return unsettled
