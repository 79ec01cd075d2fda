"""Operators' work on blocks: list them, set one, lift one. Each change is audited in its statement.

Called by api. What a block does is in weigh_v6.sql and the rule `block`; no product sees any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from service import phone
from service.db.engine import Database
from service.fraud.histories import subjects
from service.fraud.histories.history import RANGES
from service.operators.overrides.table import Override, Overrides, OverrideTable
from service.vault import Vault

BlockKind = Literal["range", "country", "ip", "device"]

# Lifting a block says that these were people: the unconverted sends counts as converted. Otherwise the same evidence
# would raise the block again with the next request, for twice as long.
VOUCHED = """vouched as (
    update histories h set goods = array_fill(true, array[cardinality(h.goods)]), day_good = h.day_sends
    from lifted l where h.subject = l.subject
),"""
BLOCKS = OverrideTable("blocks", "subject", ("kind", "level"), "$7, 0", sets="block", lifts="unblock", also=VOUCHED)


class Target(msgspec.Struct, frozen=True):
    """What to block. `label` is what operators see of it, without a number, address or device."""

    kind: BlockKind
    subject: UUID
    label: str


class Block(Override, frozen=True, kw_only=True):
    """One block. `level`: how often a rule has doubled it."""

    kind: BlockKind
    level: int


class Blocks(Overrides[Block]):
    """The blocks of one database."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None) -> None:
        """Hash with the vault's key, as the decisions do."""
        super().__init__(database, BLOCKS, Block, now)
        self._vault = vault

    async def set(self, key: int, target: Target, reason: str, length: timedelta) -> Block:
        """Block a target for a while, and audit it."""
        return await self.put(key, target.subject, target.label, reason, length, target.kind)

    async def of_number(self, e164: str) -> Sequence[Block]:
        """List the blocks in force on a number's ranges and country."""
        places = subjects.subjects_of(self._vault, e164, phone.describe(e164), None)
        return await self.of([place.hash for place in places])

    def range(self, e164: str, country: str | None, digits: int) -> Target | None:
        """Return the range of a number that leaves so many last digits open; None if it has none."""
        e164 = phone.subscriber_of(e164)
        kind = next((kind for kind, open_digits in RANGES.items() if open_digits == digits), None)
        if kind is None or not subjects.has_range(e164, digits):
            return None
        return Target("range", subjects.range_of(self._vault, e164, digits), f"{country or '?'} {kind}")

    def country(self, country: str) -> Target:
        return Target("country", subjects.country_of(self._vault, country), country)

    def address(self, network: str) -> Target:
        """Return an address as a target (IPv6: its /64)."""
        return Target("ip", subjects.address_of(self._vault, network), "address")

    def device(self, visitor_id: str) -> Target:
        """Return a device as a target, by Fingerprint's visitor id."""
        return Target("device", subjects.device_of(self._vault, visitor_id), "device")
