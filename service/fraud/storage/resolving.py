"""Resolves sends: stores what was decided, reserves places in limits, raises blocks, books what a send may cost.

Called by fraud.storage.store; its values are made by fraud.judge. A send is resolved once: of two decisions on it the
first one stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from service.db.calls import Columns, FunctionCall, JsonText
from service.db.pool import Pool
from service.fraud.decision import Decision, writable
from service.fraud.money import Booking
from service.policy.units import Window

KEEP_LIMITS = 1000
# For how long a block that has ended makes the next one longer, and is told to the rules.
BLOCK_REMEMBERED = timedelta(days=1)
# The detail of a limit's finding; counts are not recorded.
SPENT = "limit spent"
JSON = msgspec.json.Encoder()
DECISIONS = msgspec.json.Decoder(Decision)


class SendLimit(msgspec.Struct, frozen=True):
    """A limit in which an allowed send reserves a place.

    `total`: where it is set, `windows` count what was not converted, and these everything. `apart`: a known source
    has a count of its own.
    """

    name: str
    subject: UUID
    windows: list[Window]
    total: list[Window] | None = None
    apart: bool = False


class RuleBlock(msgspec.Struct, frozen=True):
    """A block to raise. `label` is for operators, without a number; `least`: seconds that it lasts at least."""

    subject: UUID
    kind: str
    label: str
    reason: str
    first: float
    longest: float
    least: float = 0.0


class Resolution(msgspec.Struct, frozen=True):
    """How one send was decided, and whether it goes out. `booking`: None for a decoy, which costs and saves nothing.

    `strike`: a subject against which this send counts even if it is suppressed.
    """

    id: UUID
    ordinal: int
    goes: bool
    decision: Decision
    limits: Sequence[SendLimit] = ()
    blocks: Sequence[RuleBlock] = ()
    booking: Booking | None = None
    strike: UUID | None = None


class _Resolved(msgspec.Struct, frozen=True):
    """A resolution as the function takes it, but for what there may be several of."""

    id: UUID
    ordinal: int
    goes: bool
    decision: JsonText
    strike: UUID | None


class _SendLimitWindow(msgspec.Struct, frozen=True):
    """One window of a limit. `given_back`: it counts what was not converted."""

    name: str
    subject: UUID
    max: int
    seconds: float
    given_back: bool
    apart: bool


RESOLVE = FunctionCall(
    "resolve_v5", ("item", "decided"),
    now=datetime, keep=int, spent=str, block_remembered=timedelta,
    items=Columns(_Resolved), limits=Columns(_SendLimitWindow, "l", of_items=True),
    blocks=Columns(RuleBlock, "b", of_items=True), bookings=Columns(Booking, "m", of_items=True),
)  # fmt: skip


async def resolve(pool: Pool, now: datetime | None, items: Sequence[Resolution]) -> list[Decision]:
    """Resolve sends; return what holds of each: its decision, or with a limit that was spent. Raises Unavailable."""
    rows = await pool.fetch(*RESOLVE(
        now=now, keep=KEEP_LIMITS, spent=SPENT, block_remembered=BLOCK_REMEMBERED,
        items=[
            _Resolved(i.id, i.ordinal, i.goes, JsonText(JSON.encode(writable(i.decision)).decode()), i.strike)
            for i in items
        ],
        limits=[
            (n, window) for n, item in enumerate(items, 1) for limit in item.limits for window in _windows(limit)
        ],
        blocks=[(n, block) for n, item in enumerate(items, 1) for block in item.blocks],
        bookings=[(n, item.booking) for n, item in enumerate(items, 1) if item.booking is not None],
    ))  # fmt: skip
    others = {item: DECISIONS.decode(told) for item, told in rows if told}
    return [others.get(n, item.decision) for n, item in enumerate(items, 1)]


def _windows(limit: SendLimit) -> Iterator[_SendLimitWindow]:
    for given_back, windows in ((limit.total is not None, limit.windows), (False, limit.total or ())):
        for window in windows:
            yield _SendLimitWindow(limit.name, limit.subject, window.max, window.seconds, given_back, limit.apart)
