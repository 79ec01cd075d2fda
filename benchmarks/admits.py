"""Admissions through the store alone, without HTTP: what the micro-batches make of PostgreSQL.

Called by benchmarks.admission, in a process of its own. The items are like the gateway's: new ids, drawn subjects, the
shipped policy's windows, a sealed text of the same length, no lease.
"""

from __future__ import annotations

import asyncio
import os
import time

import msgspec
import uvloop

from benchmarks.cpu import of_family
from service.cli.process.startup import settle_memory
from service.db.engine import open_database
from service.policy import loading
from service.vault import new_id, new_token
from service.verification.storage.rows import Admission
from service.verification.storage.store import Store

SEALED = 104  # bytes


class Spent(msgspec.Struct):
    """One window: admissions a second, and CPU ms of one, of our process and of PostgreSQL."""

    rate: float
    service: float
    database: float


def run(url: str, postmaster: int, windows: int, count: int, at_once: int) -> list[Spent]:
    """Admit so many in each window, `at_once` at a time. Blocks."""
    return uvloop.run(_run(url, postmaster, windows, count, at_once))


async def _run(url: str, postmaster: int, windows: int, count: int, at_once: int) -> list[Spent]:
    database, policies = await open_database(url), loading.load(None)
    try:
        store = Store(database, policies)
        await _admit(store, postmaster, at_once * 2, at_once)
        settle_memory()
        return [await _admit(store, postmaster, count, at_once) for _ in range(windows)]
    finally:
        await database.aclose()


async def _admit(store: Store, postmaster: int, count: int, at_once: int) -> Spent:
    items, server = iter([make_item() for _ in range(count)]), of_family(postmaster)

    async def work() -> None:
        for item in items:
            if (await store.admit(item)).outcome != "admitted":
                raise RuntimeError("one was not admitted")

    begun, service, database = time.perf_counter(), time.process_time(), server()
    await asyncio.gather(*(work() for _ in range(at_once)))
    rate = count / (time.perf_counter() - begun)
    return Spent(rate, (time.process_time() - service) * 1_000 / count, (server() - database) * 1_000 / count)


def make_item() -> Admission:
    """Make a request of the first client, with subjects of its own."""
    phone_hash, phone, ip, source, total, known = (new_token() for _ in range(6))
    return Admission(
        id=new_id(), key_id=1, client_id=1, policy=0, phone_hash=phone_hash, channel="sms", deliver=True, test=False,
        lifetime=300.0, codes=5, phone_limit=phone, ip_limit=ip, account_limit=None, source_budget=source,
        total_budget=total, sealed=os.urandom(SEALED), idem=None, body=None, token=None,
        sources=[None, None, known],
    )  # fmt: skip
