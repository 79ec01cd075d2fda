"""The sandbox's controls over HTTP: faults, latency, the journal, and how webhooks are sent.

Used by tests in other processes and by people; tests in the same process use the objects themselves. It is on the
sandbox's own port and must never be served by anything else.
"""

from __future__ import annotations

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from service.sandbox.faults import Fault, Operation
from service.sandbox.journal import JournalEntry
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.service import SimulatedTelnyx
from service.sandbox.telnyx.webhooks import Attempt, Manners


class FaultId(msgspec.Struct, frozen=True):
    """The id of a fault in force."""

    id: int


class Journalled(msgspec.Struct, frozen=True):
    """Calls received, and how many there were of each operation."""

    calls: list[JournalEntry]
    counts: dict[Operation, int]


class PublicKey(msgspec.Struct, frozen=True):
    """What TELNYX_PUBLIC_KEY must be."""

    public_key: str


@post("/control/faults", sync_to_thread=False)
def add_fault(data: JSONBody[Fault], stage: NamedDependency[SandboxStage]) -> FaultId:
    """Add a fault."""
    return FaultId(stage.faults.add(data))


@get("/control/faults", sync_to_thread=False)
def list_faults(stage: NamedDependency[SandboxStage]) -> dict[int, Fault]:
    """List the faults in force, by id."""
    return stage.faults.list_all()


@delete("/control/faults", sync_to_thread=False)
def clear_faults(stage: NamedDependency[SandboxStage]) -> None:
    """Clear all faults."""
    stage.faults.clear()


@delete("/control/faults/{fault_id:int}", sync_to_thread=False)
def clear_fault(fault_id: FromPath[int], stage: NamedDependency[SandboxStage]) -> None:
    """Clear one fault."""
    stage.faults.clear(fault_id)


@get("/control/journal", sync_to_thread=False)
def read_journal(
    stage: NamedDependency[SandboxStage], operation: FromQuery[Operation | None] = None, after: FromQuery[int] = 0
) -> Journalled:
    """List the calls received, in order."""
    return Journalled(stage.journal.list_calls(operation, after), stage.journal.count())


@delete("/control/journal", sync_to_thread=False)
def clear_journal(stage: NamedDependency[SandboxStage]) -> None:
    """Clear the calls received."""
    stage.journal.clear()


@put("/control/latency", sync_to_thread=False)
def set_latency(data: JSONBody[dict[Operation, float]], stage: NamedDependency[SandboxStage]) -> dict[Operation, float]:
    """Set how long replies take, in seconds by operation; an operation that is not named answers at once."""
    stage.latency = data
    return data


@put("/control/webhooks", sync_to_thread=False)
def set_manners(data: JSONBody[Manners], telnyx: NamedDependency[SimulatedTelnyx]) -> Manners:
    """Set how webhooks are sent from now on; what is left out goes back to its default."""
    telnyx.courier.manners = data
    return data


@get("/control/webhooks", sync_to_thread=False)
def list_attempts(telnyx: NamedDependency[SimulatedTelnyx]) -> list[Attempt]:
    """List the webhooks attempted so far, oldest first."""
    return list(telnyx.courier.attempts)


@get("/control/public-key", sync_to_thread=False)
def show_public_key(telnyx: NamedDependency[SimulatedTelnyx]) -> PublicKey:
    """Return the public key for webhooks' signatures."""
    return PublicKey(telnyx.public_key)


def list_stage_controls() -> list[HTTPRouteHandler]:
    """Return the handlers that use `stage`."""
    return [add_fault, list_faults, clear_faults, clear_fault, read_journal, clear_journal, set_latency]


def list_telnyx_controls() -> list[HTTPRouteHandler]:
    """Return the handlers that use `telnyx`."""
    return [set_manners, list_attempts, show_public_key]
