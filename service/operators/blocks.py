"""Blocks by an operator's hand: what is in force, set one, lift one. Each change is audited in its statement.

Called by api. What a block does is in weigh.sql and the rule `block`; nothing here is seen by a product.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from service import phone
from service.db.asking import ask
from service.db.engine import Database
from service.errors import NotFound
from service.fraud.histories import subjects
from service.fraud.histories.history import RANGES
from service.vault import Vault

BlockKind = Literal["range", "country", "ip", "device"]
MOST_LISTED = 500

COLUMNS = """
b.id, b.kind, b.label, b.reason, b.level, b.began_at, b.until, b.lifted_at, b.set_by,
b.until > clock.now and b.lifted_at is null as in_force
"""
CLOCK = "clock as materialized (select coalesce($1::timestamptz, clock_timestamp()) as now)"
LIST = f"""
with {CLOCK}
select {COLUMNS} from blocks b, clock
where least(b.until, b.lifted_at) > clock.now - interval '1 day'
order by in_force desc, b.set_by <> 'rule' desc, b.id desc limit $2
"""  # noqa: S608 (ours)
SET = f"""
with {CLOCK}, made as (
    insert into blocks (subject, kind, label, reason, level, began_at, until, set_by)
    select $3, $4, $5, $6, 0, now, now + $7::interval, 'key ' || $2::int from clock
    returning *
), noted as (
    insert into audits (at, key_id, action, row_id, reason)
    select clock.now, $2, 'block', m.id, m.reason from made m, clock
)
select {COLUMNS} from made b, clock
"""  # noqa: S608 (ours)
# Who lifts a block says that these were people: the codes that were not read count as read. Else what raised it
# would raise it again with the next request, for twice as long.
LIFT = f"""
with {CLOCK}, lifted as (
    update blocks b set lifted_at = clock.now from clock
    where b.id = $3 and b.lifted_at is null and b.until > clock.now
    returning b.*
), vouched as (
    update histories h set goods = array_fill(true, array[cardinality(h.goods)]), day_good = h.day_sends
    from lifted l where h.subject = l.subject
), noted as (
    insert into audits (at, key_id, action, row_id) select clock.now, $2, 'unblock', l.id from lifted l, clock
)
select {COLUMNS} from lifted b, clock
"""  # noqa: S608 (ours)


class Target(msgspec.Struct, frozen=True):
    """What to block. `label` is what operators see of it: nobody's number, address or device."""

    kind: BlockKind
    subject: UUID
    label: str


class Block(msgspec.Struct, frozen=True):
    """One block. `level`: how often a rule has doubled it; `set_by`: a rule, or which key."""

    id: int
    kind: BlockKind
    label: str
    reason: str
    level: int
    began_at: datetime
    until: datetime
    lifted_at: datetime | None
    set_by: str
    in_force: bool


class Blocks:
    """The blocks of one database."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None) -> None:
        """Hash with the vault's key, as the decisions do."""
        self._database = database
        self._vault = vault
        self._now = now

    async def list(self) -> list[Block]:
        """List those in force, then those that ended within a day; an operator's before a rule's, the newest first.

        An attack from everywhere raises more than are listed: what an operator has set must not be pushed out by them.
        """
        return [Block(**row) for row in await ask(self._database, LIST, self._now(), MOST_LISTED)]

    async def set(self, key: int, target: Target, reason: str, length: timedelta) -> Block:
        """Block something for a while."""
        values = (target.subject, target.kind, target.label, reason, length)
        [row] = await ask(self._database, SET, self._now(), key, *values)
        return Block(**row)

    async def lift(self, key: int, block: int) -> Block:
        """Lift a block that is in force. Raises NotFound."""
        for row in await ask(self._database, LIFT, self._now(), key, block):
            return Block(**row)
        raise NotFound

    def range(self, e164: str, country: str | None, digits: int) -> Target | None:
        """Name the range of a number that leaves so many last digits open; None where it has none."""
        e164 = phone.subscriber_of(e164)
        kind = next((kind for kind, open_digits in RANGES.items() if open_digits == digits), None)
        if kind is None or not subjects.has_range(e164, digits):
            return None
        return Target("range", subjects.range_of(self._vault, e164, digits), f"{country or '?'} {kind}")

    def country(self, country: str) -> Target:
        """Name a country."""
        return Target("country", subjects.country_of(self._vault, country), country)

    def address(self, network: str) -> Target:
        """Name an address (IPv6: its /64)."""
        return Target("ip", subjects.address_of(self._vault, network), "address")

    def device(self, visitor_id: str) -> Target:
        """Name a device by Fingerprint's visitor id."""
        return Target("device", subjects.device_of(self._vault, visitor_id), "device")
