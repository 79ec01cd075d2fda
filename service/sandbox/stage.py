"""Handles each call to a stand-in: plan it, apply a fault if one matches, record it, answer it.

Used by the stand-ins, which plan calls and write failures; the control API sets its faults and latency and reads its
journal. It must never answer before the call is in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
from litestar.types import HTTPScope, Receive, Send

from service.sandbox.faults import Fault, Faults, Operation
from service.sandbox.journal import Journal, JournalEntry
from service.sandbox.wire import (
    HTML,
    Declined,
    Request,
    StandInReply,
    read_request,
    reset_connection,
    send_reply,
    wait_for_hang_up,
)

Acted = tuple[StandInReply, str | None]
"""What became of a call: the answer, and the id of the verification that it concerns."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is understood but not yet acted upon. `act` acts upon it."""

    operation: Operation
    act: Callable[[], Acted]
    phone_number: str | None = None
    channel: str | None = None
    verification_id: str | None = None
    code: str | None = None
    profile_id: str | None = None
    known: bool | None = None
    over: bool = False


class StandIn(Protocol):
    """A simulated outside service."""

    stage: SandboxStage

    def plan(self, request: Request) -> Planned:
        """Understand a request; raises `Declined` for one that the service would refuse."""

    def fail(self, fault: Fault) -> StandInReply:
        """Write a failure as the service does."""


class SandboxStage:
    """Faults, journal and latency, shared by the stand-ins of one sandbox. `latency`: seconds by operation."""

    def __init__(self, latency: dict[Operation, float] | None = None) -> None:
        self.faults = Faults()
        self.journal = Journal()
        self.latency: dict[Operation, float] = latency or {}

    async def perform(self, stand_in: StandIn, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or fail it as a fault demands.

        The call is acted upon when it comes and answered after the latency: it has its effect even if the caller gives
        up early, and a webhook can overtake the reply.
        """
        request = await read_request(scope, receive)
        try:
            planned = stand_in.plan(request)
        except Declined as declined:
            await send_reply(send, declined.reply)
            return
        reply = await self._play(stand_in, planned, receive)
        if reply is None:
            return
        wait = self.latency.get(planned.operation, 0.0) + reply.after
        if wait:
            await asyncio.sleep(wait)
        await send_reply(send, reply)

    async def _play(self, stand_in: StandIn, planned: Planned, receive: Receive) -> StandInReply | None:
        fault = self.faults.take(planned)
        call = self.journal.add(
            planned.operation,
            planned.channel,
            planned.phone_number,
            planned.verification_id,
            planned.code,
            fault.kind if fault else None,
            over=planned.over,
        )
        if fault is None:
            reply = _act(planned, call)
        else:
            struck = await _strike(stand_in, planned, fault, call, receive)
            if struck is None:
                return None
            reply = struck
        call.status = reply.status
        return reply


def _act(planned: Planned, call: JournalEntry) -> StandInReply:
    reply, call.verification_id = planned.act()
    call.acted = True
    return reply


async def _strike(
    stand_in: StandIn, planned: Planned, fault: Fault, call: JournalEntry, receive: Receive
) -> StandInReply | None:
    match fault.kind:
        case "slow":
            reply = _act(planned, call)
            return StandInReply(reply.status, reply.body, reply.headers, reply.after + fault.seconds)
        case "garbage":
            _act(planned, call)
            return StandInReply(200, b'{"data":{}}')
        case "gateway_timeout":
            _act(planned, call)
            return StandInReply(504, b"", (HTML,))
        case "hang_before" | "hang_after" | "reset_before" | "reset_after":
            if fault.kind.endswith("_after"):
                _act(planned, call)
            if fault.kind.startswith("reset"):
                reset_connection(receive)
            await wait_for_hang_up(receive)
            return None
        case _:
            return stand_in.fail(fault)
