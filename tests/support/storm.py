"""Everything at once: each hot statement, over few numbers, addresses and accounts, in any order.

Used by admission/test_storm. Whatever a statement raises ends the storm, but for what the callers expect.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import get_args
from uuid import UUID, uuid4

from service.db.calls import JsonText
from service.providers.verify.protocol import Delivery
from service.vault import new_id
from service.verification.states import Begin, GuessResult, SendState
from service.verification.storage.rows import Claimed, SendRecord
from service.verification.storage.store import NumberBusy
from service.worker.retention import Retention
from tests.support.admission import AdmissionHarness

PHONES = [f"+131255501{number:02}" for number in range(12)]
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 9)]
ACCOUNTS = [None, None, "a", "b", "c"]
POLICY = """
[limits]
phone = ["20/1s", "30/2s"]
ip = ["25/1s", "60/3s"]
ip_total = ["25/1s", "60/3s"]
account = ["50/2s"]
[lockout]
codes_per_phone = "9/2s"
codes_per_phone_total = "15/3s"
[verification]
repeat_within = "off"
expires_after = "5s"
[fallback]
after = "1s"
"""

GUESSED: tuple[GuessResult, ...] = ("wrong", "wrong", "wrong", "right", "returned")
LOST: tuple[GuessResult, ...] = ("wrong", "accepted")


class Storm:
    """One process. `known`: verifications with their clients; `held`: the provider's ids."""

    def __init__(self, harness: AdmissionHarness, seed: int, known: list[tuple[str, UUID]], held: list[str]) -> None:
        self.harness = harness
        self.store = harness.store
        self.dice = random.Random(seed)
        self.known = known
        self.held = held
        self.retention = Retention(harness.database)
        self.done = 0

    async def rage(self, end: float) -> None:
        """Do one thing after another until the loop's clock says `end`."""
        deeds: list[Callable[[], Awaitable[None]]] = [
            self.ask, self.ask, self.use_fallback, self.guess, self.guess, self.guess, self.settle, self.work,
            self.work, self.hear, self.tidy, self.look,
        ]  # fmt: skip
        while asyncio.get_running_loop().time() < end:
            await self.dice.choice(deeds)()
            self.done += 1

    async def ask(self) -> None:
        client = self.dice.choice(["shop", "bank"])
        items = [
            self.harness.item(
                self.dice.choice(PHONES), client=client, ip=self.dice.choice(ADDRESSES),
                account=self.dice.choice(ACCOUNTS), token=self.dice.random() < 0.5,
                idem=self.dice.choice([None, None, str(self.dice.randrange(200))]),
            )
            for _ in range(self.dice.randint(1, 16))
        ]  # fmt: skip
        answers = await asyncio.gather(*map(self.store.admit, items))
        pairs = list(zip(items, answers, strict=True))
        self.known += [(client, item.id) for item, answer in pairs if answer.outcome == "admitted"]
        del self.known[:-300]
        await asyncio.gather(
            *(self.record(item.id, item.token, 1) for item, answer in pairs if answer.leased and item.token)
        )

    async def record(self, row: UUID, token: UUID, ordinal: int) -> None:
        state: SendState = self.dice.choice(["sent", "sent", "sent", "refused", "in_doubt", "due"])
        held = str(uuid4()) if state == "sent" else None
        await self.store.record(
            SendRecord(
                id=row, token=token, ordinal=ordinal, state=state, wait=0.1, provider="telnyx", real=True,
                provider_id=held, error=None, delivery=None, decision=JsonText("{}"), next_in=self.dice.random(),
            )
        )  # fmt: skip
        self.held += [held] if held else []
        del self.held[:-100]

    async def work(self) -> None:
        await asyncio.gather(*(self.act(row) for row in await self.store.claim(self.dice.randint(1, 10))))

    async def act(self, row: Claimed) -> None:
        due = [send for send in row.sends if send.state == "due"]
        if not due:
            await self.store.rest(row.id, row.token, row.now + timedelta(seconds=1))
            return
        step = Begin(due[0].ordinal, due[0].channel, due[0].cause, due[0].wanted_at, new=False)
        try:
            begun = await self.store.begin(row.id, row.token, step)
        except NumberBusy:
            await self.store.rest(row.id, row.token, row.now + timedelta(seconds=0.2))
            return
        if begun:
            await self.record(row.id, row.token, step.ordinal)

    async def guess(self) -> None:
        if not self.known:
            return
        client, row = self.dice.choice(self.known)
        caller, guess = self.harness.callers[client], new_id()
        idem = uuid4() if self.dice.random() < 0.3 else None
        reserved = await self.store.reserve(caller, row, guess, idem)
        if reserved.outcome != "reserved":
            return
        await asyncio.sleep(self.dice.random() * 0.01)
        if self.dice.random() < 0.2:
            await self.store.leave_open(guess)
        else:
            result = self.dice.choice(GUESSED)
            await self.store.settle(guess, result, caller.policy)

    async def settle(self) -> None:
        for lost in await self.store.unsettled(20):
            await self.store.settle(lost.id, self.dice.choice(LOST), self.harness.policies.default)

    async def use_fallback(self) -> None:
        if self.known:
            client, row = self.dice.choice(self.known)
            caller = self.harness.callers[client]
            await self.store.use_fallback(caller.key_id, caller.client_id, row, caller.policy)

    async def look(self) -> None:
        if self.known:
            client, row = self.dice.choice(self.known)
            caller = self.harness.callers[client]
            see = self.store.cancel if self.dice.random() < 0.1 else self.store.read
            await see(caller.key_id, caller.client_id, row, caller.policy)

    async def hear(self) -> None:
        for held in self.dice.sample(self.held, min(len(self.held), 15)):
            delivery = self.dice.choice(get_args(Delivery))
            await self.store.keep_event("telnyx", str(uuid4()), delivery, held)
        await self.store.apply_events()

    async def tidy(self) -> None:
        await self.store.expire()
        await self.store.backlog()
        await self.retention.purge()
