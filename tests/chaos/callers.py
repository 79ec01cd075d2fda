"""Virtual product backends: they request, try again, enter codes right and wrong, fall back and cancel.

Started by run, a fixed number of them; each draws its own doings from the seed. They judge nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count

import aiohttp
import msgspec

from tests.chaos.doors import Doors
from tests.chaos.people import People
from tests.chaos.policy import AFTER, CLIENTS
from tests.chaos.records import Call, CallKind, Source
from tests.chaos.telnyx import StandIn

TRIES = 4
LONGEST_WAIT = 2.0  # seconds; a backend in a hurry does not heed a longer Retry-After
READS = 8  # looks at a phone, half a second apart
CODE = 6

_stories = count(1)


class Backend:
    """One backend with one worker."""

    def __init__(self, dice: random.Random, doors: Doors, people: People, telnyx: StandIn) -> None:
        self._dice = dice
        self._doors = doors
        self._people = people
        self._telnyx = telnyx

    async def work(self, end: float, pause: float) -> None:
        """Live through one story after another until the loop's clock says `end`."""
        loop = asyncio.get_running_loop()
        stories: list[Callable[[], Awaitable[None]]] = [
            self._sign_up, self._sign_up, self._sign_up, self._fall_back, self._change_mind, self._attack,
            self._join_crowd, self._join_crowd, self._join_crowd, self._deceive,
        ]  # fmt: skip
        while loop.time() < end:
            await self._dice.choice(stories)()
            await asyncio.sleep(self._dice.expovariate(1 / pause))

    async def _sign_up(self) -> None:
        """Request, mistype perhaps, and enter the code that arrived."""
        first = await self.request(self._anybody())
        if first is None:
            return
        for _ in range(self._dice.choice([0, 0, 1, 2])):
            await self._verify(first, self._draw_code())
        if code := await self._read(first.source.phone):
            await self._verify(first, code)

    async def _fall_back(self) -> None:
        """Request, wait as long as has to be waited, use the next channel, enter what came last."""
        first = await self.request(self._anybody())
        if first is None:
            return
        await asyncio.sleep(AFTER + self._dice.uniform(-0.5, 1.5))
        for _ in range(TRIES):
            _, wait = await self._post("fallback", first, "/fallback")
            if wait is None:
                break
            await asyncio.sleep(min(wait, LONGEST_WAIT))
        if code := await self._read(first.source.phone):
            await self._verify(first, code)

    async def _change_mind(self) -> None:
        """Request and cancel, soon or at once."""
        first = await self.request(self._anybody())
        if first is not None:
            await asyncio.sleep(self._dice.choice([0.0, 0.02, 0.1, 1.0]))
            await self._post("cancel", first, "/cancel")

    async def _attack(self) -> None:
        """Request, and try many codes at once through every door; the right one is among them at times."""
        first = await self.request(self._anybody())
        if first is None:
            return
        codes = [self._draw_code() for _ in range(self._dice.randint(3, 9))]
        if self._dice.random() < 0.3 and (right := await self._read(first.source.phone)):
            codes[self._dice.randrange(len(codes))] = right
        await asyncio.gather(*(self._verify(first, code) for code in codes))

    async def _join_crowd(self) -> None:
        """Request from a number, an address and an account that others use as well; guess at what comes of it."""
        source = self._people.one_of_crowd(self._dice.choice(CLIENTS), self._dice)
        first = await self.request(source, tries=self._dice.choice([1, 2]))
        if first is not None and self._dice.random() < 0.4:
            await asyncio.gather(*(self._verify(first, self._draw_code()) for _ in range(self._dice.randint(1, 4))))

    async def _deceive(self) -> None:
        """Request for a number that is nobody's here: a decoy, and codes for it."""
        first = await self.request(self._anybody(deliver=False))
        if first is not None:
            await asyncio.gather(*(self._verify(first, self._draw_code()) for _ in range(self._dice.randint(0, 3))))

    async def request(self, source: Source, tries: int = TRIES) -> Call | None:
        """Request until it is answered for good; return the call that was answered 202.

        With an Idempotency-Key or without; without one, the next try may be for a number of its own, which tells by
        which try a code was sent.
        """
        story, steady = next(_stories), self._dice.random() < 0.5
        idem = f"{story}-{self._dice.getrandbits(64):x}" if self._dice.random() < 0.5 else None
        for _ in range(tries):
            call = Call(kind="request", story=story, source=source, gateway="", at=0.0, idem=idem)
            body = {"phone_number": source.phone, "ip_address": source.address, "deliver": source.deliver}
            if source.account is not None:
                body["account_id"] = source.account
            answer, wait = await self._doors.call(call, "/v1/verifications", body, self._dice)
            if call.status == 202:
                call.verification = answer["id"]
                return call
            if call.status not in (None, 503, 409):
                return None
            await asyncio.sleep(min(wait or self._dice.uniform(0.1, 1.0), LONGEST_WAIT))
            if idem is None and not steady:
                source = msgspec.structs.replace(source, phone=self._people.number())
        return None

    async def _verify(self, first: Call, code: str) -> None:
        idem = f"v-{self._dice.getrandbits(64):x}" if self._dice.random() < 0.3 else None
        for _ in range(2):
            answer, wait = await self._post("verify", first, "/verify", {"code": code}, idem, code)
            if answer is not None and wait is None:
                return
            await asyncio.sleep(min(wait or 0.5, LONGEST_WAIT))

    async def _post(
        self, kind: CallKind, first: Call, path: str, body: object = None, idem: str | None = None,
        code: str | None = None,
    ) -> tuple[dict[str, object] | None, float | None]:  # fmt: skip
        call = Call(
            kind=kind, story=first.story, source=first.source, gateway="", at=0.0, idem=idem,
            verification=first.verification, code=code,
        )  # fmt: skip
        answer, wait = await self._doors.call(call, f"/v1/verifications/{first.verification}{path}", body, self._dice)
        if call.status == 200 and answer is not None and kind == "verify":
            call.verified = bool(answer["verified"])
        return answer, wait

    async def _read(self, phone: str) -> str | None:
        """Look at the phone for a while; return the newest code on it."""
        for _ in range(READS):
            try:
                if codes := await self._telnyx.find_codes(phone):
                    return codes[0]
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.5)
        return None

    def _anybody(self, *, deliver: bool = True) -> Source:
        return self._people.anybody(self._dice.choice(CLIENTS), self._dice, deliver=deliver)

    def _draw_code(self) -> str:
        return f"{self._dice.randrange(10**CODE):0{CODE}}"
