"""Brings callbacks to the clients' receivers: claims what is due, posts it, and records how each attempt ended.

A round of worker.loop, opened and closed by app. Each receiver has connections and places of its own: one that hangs
takes nothing from another. It must never follow a redirect, log an address, or post before the attempt was counted.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from service import telemetry
from service.callbacks.endpoints import Address, open_address
from service.callbacks.message import sign, wait_before, write
from service.callbacks.store import Attempt, CallbackStore, Due, SealedEndpoint
from service.db.engine import Database
from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, HttpResult
from service.vault import Vault

# Seconds that a receiver has to answer, and to be connected to.
CALL, CONNECT = 10.0, 5.0
# Nobody else tries what was claimed before this: the call, and as long again to record how it ended.
LEASE = timedelta(seconds=20)
# Callbacks under way to one receiver at once; to one whose last attempt failed.
MOST, MOST_FAILING = 64, 8
# How often endpoints are looked for, in seconds.
LOOK_EVERY = 2.0
# Bytes of an answer that are read: only its status counts.
MOST_BYTES = 4_096
# Bytes that are received at all: a receiver that sends without an end must keep nobody's event loop busy.
MOST_RECEIVED = 65_536


class Receiver:
    """One client's receiver, as long as its endpoint stays what it is."""

    def __init__(self, endpoint: SealedEndpoint, address: Address, wire: HttpClient) -> None:
        self.endpoint = endpoint
        self.address = address
        self.wire = wire
        self.posts: set[asyncio.Task[None]] = set()
        self.failing = False
        # Whether the last claim took all that there was room for: there may be more.
        self.full = False

    def room(self) -> int:
        """Return how many more callbacks may be under way."""
        return max(0, (MOST_FAILING if self.failing else MOST) - len(self.posts))

    async def aclose(self) -> None:
        """Let what is under way end, and close the connections."""
        if self.posts:
            await asyncio.wait(self.posts, timeout=CALL)
        await self.wire.aclose()


class Delivery:
    """One process's deliveries. `wanted` is set when there is room again."""

    def __init__(
        self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None, *,
        allow_private: bool = False,
    ) -> None:  # fmt: skip
        self._store = CallbackStore(database, now)
        self._vault = vault
        self._now = now
        self._public_only = not allow_private
        self._receivers: dict[int, Receiver] = {}
        self._looked = -LOOK_EVERY
        self._ended: list[Attempt] = []
        self._disabled: dict[UUID, str] = {}
        # What no key of ours opens, and has been said.
        self._unreadable: set[UUID] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self.wanted = asyncio.Event()

    async def deliver(self) -> None:
        """Record what has ended, claim what is due for the room that there is, and post it."""
        await self._record()
        if (moment := asyncio.get_running_loop().time()) >= self._looked + LOOK_EVERY:
            await self._look()
            self._looked = moment
        room = {client: free for client, one in self._receivers.items() if (free := one.room())}
        claimed = await self._store.claim(room, LEASE) if room else []
        taken = Counter(due.client_id for due in claimed)
        for client, free in room.items():
            self._receivers[client].full = taken[client] >= free
        for due in claimed:
            self._post(self._receivers[due.client_id], due)

    async def aclose(self) -> None:
        """Let what is under way end, and record it."""
        await asyncio.gather(*(one.aclose() for one in self._receivers.values()), *self._leaving)
        await self._record()

    async def _record(self) -> None:
        if not self._ended and not self._disabled:
            return
        ended, disabled, self._ended, self._disabled = self._ended, self._disabled, [], {}
        try:
            await self._store.finish(ended, disabled)
        except BaseException:
            # Of no effect twice; forgotten, they would all be posted again.
            self._ended, self._disabled = ended + self._ended, disabled | self._disabled
            raise

    async def _look(self) -> None:
        """Find out which endpoints there are now, and seal anew what an older SECRET_KEY has sealed."""
        found = {one.client_id: one for one in await self._store.list_endpoints()}
        for client, receiver in list(self._receivers.items()):
            if found.get(client) != receiver.endpoint:
                del self._receivers[client]
                self._leave(receiver)
        for client in found.keys() - self._receivers.keys():
            await self._meet(found[client])

    async def _meet(self, endpoint: SealedEndpoint) -> None:
        address = open_address(self._vault, endpoint.row, endpoint.sealed)
        if address is None:
            # Once: it is looked at every two seconds for as long as the key is missing.
            if endpoint.row not in self._unreadable:
                telemetry.log.error("unreadable_callback_endpoint", client_id=endpoint.client_id)
                self._unreadable.add(endpoint.row)
            return
        wire = HttpClient(MOST, CONNECT, public_only=self._public_only, most_received=MOST_RECEIVED)
        self._receivers[endpoint.client_id] = Receiver(endpoint, address, wire)
        if not endpoint.sealed.startswith(self._vault.tags[0]):
            await self._store.reseal(endpoint, self._vault.reseal(endpoint.row, endpoint.sealed))

    def _leave(self, receiver: Receiver) -> None:
        task = asyncio.create_task(receiver.aclose())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _post(self, receiver: Receiver, due: Due) -> None:
        task = asyncio.create_task(self._bring(receiver, due))
        receiver.posts.add(task)
        task.add_done_callback(receiver.posts.discard)
        task.add_done_callback(lambda _: self._make_room(receiver))

    def _make_room(self, receiver: Receiver) -> None:
        """Claim again once half of what was under way has ended: each claim is a call to the database."""
        if receiver.full and len(receiver.posts) <= receiver.room():
            self.wanted.set()

    async def _bring(self, receiver: Receiver, due: Due) -> None:
        failure = await self._call(receiver, due)
        receiver.failing = failure is not None
        wait = None if failure is None else wait_before(due.attempts, random.random())  # noqa: S311 (spreads retries)
        self._ended.append(Attempt(due.id, receiver.endpoint.row, due.attempts, wait, failure))
        if failure == "gone" or (failure is not None and wait is None):
            self._disabled[receiver.endpoint.row] = "gone" if failure == "gone" else "three days"
        telemetry.CALLBACKS.labels("taken" if failure is None else "failed" if wait else "given_up").inc()

    async def _call(self, receiver: Receiver, due: Due) -> str | None:
        """Make one attempt; return None if it was taken, else why not."""
        now = self._now() or datetime.now(UTC)
        letter = sign(due.id, write(due.verification_id, due.status, due.at), receiver.address.list_secrets(now), now)
        url = receiver.address.url
        heard = await receiver.wire.call("POST", url, letter.body, CALL, MOST_BYTES, letter.headers)
        return None if isinstance(heard, HttpReply) and heard.success else _word(heard)


def _word(heard: HttpResult) -> str:
    if isinstance(heard, HttpReply):
        return "gone" if heard.status == HTTPStatus.GONE else f"status {heard.status}"
    return heard.code
