"""A process that stands still (a stop, a paused machine, a loop that is blocked) sends nothing late."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from service.app import open_gateway
from service.providers.http.client import HttpClient
from service.providers.http.reply import NoReply
from service.settings import Settings, load
from service.verification.states import LEASE, SEND_LIMIT
from tests.support.dispatching import calls_to, end_lease, sends
from tests.support.gateway import PHONE, run_gateway

LIMIT = 0.1
MARGIN = LEASE - SEND_LIMIT


class Ear:
    """A server that takes one connection and never answers; it hears what the kernel already holds."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0)
        self.connection: socket.socket | None = None

    def hear(self) -> bytes:
        try:
            if self.connection is None:
                self.connection, _ = self.listener.accept()
                self.connection.settimeout(0)
            return self.connection.recv(65536)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.listener.close()
        if self.connection is not None:
            self.connection.close()


@pytest.mark.parametrize("steps", range(1, 12))
async def test_what_was_not_written_within_its_limit_is_never_written(steps: int) -> None:
    ear, wire = Ear(), HttpClient(1, LIMIT)
    port = ear.listener.getsockname()[1]
    call = asyncio.create_task(wire.call("POST", f"http://127.0.0.1:{port}/", b"{}", LIMIT))
    for _ in range(steps):
        await asyncio.sleep(0)
    time.sleep(2 * LIMIT)
    before = ear.hear()
    outcome = await call
    late = ear.hear()
    ear.close()
    await wire.aclose()
    assert late == b""
    assert isinstance(outcome, NoReply)
    assert outcome.handed_over == bool(before)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the option is Linux's")
async def test_the_kernel_delivers_nothing_late_either() -> None:
    ear, wire = Ear(), HttpClient(1, LIMIT)
    call = asyncio.create_task(wire.call("POST", f"http://127.0.0.1:{ear.listener.getsockname()[1]}/", b"{}", LIMIT))
    await asyncio.sleep(LIMIT / 2)
    assert wire._opened is not None
    [connection] = wire._opened._acquired
    assert connection.transport is not None
    kernels = connection.transport.get_extra_info("socket")
    assert kernels.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000 <= SEND_LIMIT
    await call
    ear.close()
    await wire.aclose()


@pytest.mark.parametrize("stood_still", [MARGIN + 0.1, LEASE + 60])
async def test_a_process_whose_lease_is_too_old_sends_nothing_and_leaves_the_send_to_be_made(
    database_url: str, stood_still: float
) -> None:
    # Nothing is claimed but by this test.
    async with run_gateway(database_url, MAX_SENDS="0") as gateway:
        verification = await gateway.begin()
        settings = load(Settings, **{name.lower(): value for name, value in gateway.environment.items()})
        async with open_gateway(settings) as opened:
            leases, store = opened.worker._leases, opened.worker._store
            [claimed] = await store.claim(1)
            await leases._act(claimed, time.monotonic() - stood_still)
            [send] = await sends(gateway, verification)
            assert (send["state"], calls_to(gateway, PHONE)) == ("due", [])
            [claimed] = await store.claim(1)
            await leases._act(claimed, time.monotonic())
            [send] = await sends(gateway, verification)
            assert (send["state"], len(calls_to(gateway, PHONE))) == ("sent", 1)


async def test_where_a_lease_ran_out_nothing_is_sent_before_a_second_look(database_url: str) -> None:
    """The process that held it may be alive, and about to take back what it has answered 503."""
    # Nothing is claimed but by this test.
    async with run_gateway(database_url, MAX_SENDS="0") as gateway:
        verification = await gateway.begin()
        settings = load(Settings, **{name.lower(): value for name, value in gateway.environment.items()})
        async with open_gateway(settings) as opened:
            leases, store = opened.worker._leases, opened.worker._store
            [held] = await store.claim(1)
            await end_lease(gateway, verification)
            [claimed] = await store.claim(1)
            assert (held.stale, claimed.stale) == (False, True)
            await leases._act(claimed, time.monotonic())
            assert calls_to(gateway, PHONE) == []
            waits = await gateway.database.pool.fetchval(
                "select next_action_at - clock_timestamp() from verifications where lease_token is null"
            )
            assert 0.5 < waits.total_seconds() <= 2
            await end_lease(gateway, verification)
            [claimed] = await store.claim(1)
            await leases._act(claimed, time.monotonic())
            assert len(calls_to(gateway, PHONE)) == 1
