"""Finds which of the database's hosts is the primary, and opens every connection.

Made by engine, one for each URL. Each host has its own time limit, so that one that stands still does not keep others
from being tried. Never goes back to an earlier primary than the newest one seen.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any
from weakref import WeakKeyDictionary

from service import telemetry
from service.db.connecting import Line, Needs, ServerAddress, Unreachable, connect, read_url

# Seconds until a host counts as gone; more for a single host, and after a search that no host answered: else a machine
# that is merely slow would be given up again and again.
LIMIT = 1.0
PATIENT_LIMIT = 3.0
# Seconds that a successful search waits for the other hosts: one of them may have been promoted later.
GRACE = 0.25
# Seconds from a failed search to the next. The second follows at once, then the gaps grow.
FIRST_GAP, LONGEST_GAP = 0.1, 1.0
# After how many failures in a row an outage is logged, once: a restart is over sooner.
LOGGED = 3

_dice = random.SystemRandom()


class Hosts:
    """The hosts of one URL, and the one taken for the primary."""

    def __init__(self, url: str, *, writes: bool = True) -> None:
        """Without `writes` a standby will do, if there is no primary."""
        self._addresses, self._options = read_url(url)
        self.several = len(self._addresses) > 1
        self._needs = Needs(writes=writes, read_committed=False, timeline=self.several)
        self._primary = None if self.several else self._addresses[0]
        self._limit = self._least_limit = LIMIT if self.several else PATIENT_LIMIT
        self._last: ServerAddress | None = None
        self._timeline = 0
        self._lines: WeakKeyDictionary[Line, ServerAddress] = WeakKeyDictionary()
        self._search: asyncio.Task[None] | None = None
        self._objections = ""
        self._failures = 0
        self._reached = False
        self._next_search = 0.0

    async def connect(self, *, read_committed: bool = False, **options: Any) -> Line:
        """Open a connection to the primary; replaces asyncpg.connect, for SQLAlchemy too. Raises Unreachable.

        `read_committed`: insist on it, for statements that begin no transaction. `options` are the driver's; hosts
        among them, which SQLAlchemy repeats, are those of the URL.
        """
        needs = self._needs._replace(read_committed=read_committed)
        options.pop("target_session_attrs", None)
        if self._primary is not None:
            try:
                return await self._connect(self._primary, options, needs)
            except Unreachable:
                if not self.several:
                    raise
        return await self._connect(await self._find(), options, needs)

    def doubt(self, line: Line) -> None:
        """Have every host asked before the next connection: this one was lost, or did not answer in time."""
        if self.several and self._lines.get(line) == self._primary:
            self._primary = None

    async def look(self) -> None:
        """Ask every host now, and move to one that was promoted meanwhile."""
        await self._search_once()

    async def aclose(self) -> None:
        """End a search that is under way."""
        if self._search is not None:
            self._search.cancel()
            await asyncio.wait([self._search])

    async def _connect(self, address: ServerAddress, options: dict[str, Any], needs: Needs) -> Line:
        begun = asyncio.get_running_loop().time()
        try:
            line, _ = await self._open(address, options, needs)
        except Unreachable as error:
            # Another caller's search may have moved on meanwhile, and its choice stands.
            if self._primary == address:
                self._primary = None
                self._note_failure(str(error), begun)
            raise
        if asyncio.get_running_loop().time() - begun < self._least_limit:
            self._limit = self._least_limit
        self._failures = 0
        self._reached = True
        self._lines[line] = address
        return line

    async def _open(self, address: ServerAddress, options: dict[str, Any], needs: Needs) -> tuple[Line, int]:
        line, timeline = await connect(address, self._options | options, self._limit, needs)
        if 0 < timeline < self._timeline:  # it stood still while another was promoted: writes to it would be lost
            line.terminate()
            raise Unreachable(f"{address}: another host was promoted after it")
        return line, timeline

    async def _find(self) -> ServerAddress:
        await self._search_once()
        if self._primary is None:
            raise Unreachable(self._objections)
        return self._primary

    async def _search_once(self) -> None:
        """Search, or wait for the search under way; one after another, with growing gaps."""
        if self._search is None or self._search.done():
            self._search = asyncio.create_task(self._run_search())
        # The search is everybody's: a caller who gives up must not end it for the others.
        await asyncio.shield(self._search)

    async def _run_search(self) -> None:
        loop = asyncio.get_running_loop()
        if self._primary is None:
            await asyncio.sleep(self._next_search - loop.time())
        begun = loop.time()
        found, objections = await self._ask_all()
        if found:
            # Never lowered: an old primary that is back would be believed again, and what is written there is lost.
            self._timeline = max(self._timeline, *found.values())
            newest = [address for address, timeline in found.items() if timeline == max(found.values())]
            # The last one again if it is as new: two names of one server would otherwise be exchanged with every
            # search.
            self._move_to(self._last if self._last in newest else newest[0])
            return
        self._limit = PATIENT_LIMIT if all(objection.silent for objection in objections) else self._least_limit
        if self._primary is None:
            self._note_failure("; ".join(map(str, objections)), begun)

    async def _ask_all(self) -> tuple[dict[ServerAddress, int], list[Unreachable]]:
        """Ask all hosts at once. Return the timelines of those that take writes, and why the others are useless."""
        asked = {asyncio.create_task(self._ask(address)): address for address in self._addresses}
        pending = set(asked)
        found: dict[ServerAddress, int] = {}
        objections: list[Unreachable] = []
        try:
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=GRACE if found else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    try:
                        found[asked[task]] = task.result()
                    except Unreachable as error:
                        objections.append(error)
                if not done and self._can_leave([asked[task] for task in pending], found):
                    break
        finally:
            # Each may still open a connection, which would then be nobody's to close.
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        return found, objections

    async def _ask(self, address: ServerAddress) -> int:
        line, timeline = await self._open(address, {}, self._needs)
        line.terminate()
        return timeline

    def _can_leave(self, silent: list[ServerAddress], found: dict[ServerAddress, int]) -> bool:
        """Return whether the rest need not be waited for. The last primary has its whole time, unless one is newer.

        Else two names of one server, such as two poolers, would be exchanged whenever one of them is slow.
        """
        return self._last not in silent or max(found.values()) > self._timeline

    def _move_to(self, address: ServerAddress) -> None:
        """Take a host for the primary, and close every connection to another: nothing there will be answered."""
        if self._last not in (None, address):
            telemetry.log.warning("database_moved", host=str(address))
        self._primary = self._last = address
        for line, place in list(self._lines.items()):
            if place != address:
                line.terminate()

    def _note_failure(self, objections: str, begun: float) -> None:
        self._objections = objections
        self._failures += 1
        if self._failures == LOGGED and self._reached:
            telemetry.log.warning("database_unreachable", hosts=objections)
        gap = min(LONGEST_GAP, FIRST_GAP * 2 ** (self._failures - 2)) if self._failures > 1 else 0.0
        # With a draw: many processes that lost one host must not all come back at the same moment.
        self._next_search = begun + gap * _dice.uniform(0.8, 1.2)
