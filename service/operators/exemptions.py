"""Exemptions by an operator's hand: for an hour at most, a number is free of chosen rules, limits or lockouts.

Called by api. They act in admit_v2.sql, with no round trip of their own: what is lifted when a verification is
requested stays with it. Each change is audited in its statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from service import phone
from service.db.asking import ask
from service.db.engine import Database
from service.errors import NotFound
from service.fraud.histories.subjects import number_of
from service.operators.statements import CLOCK
from service.vault import Vault

MOST_LISTED = 500

COLUMNS = """
e.id, e.label, e.lifts, e.reason, e.began_at, e.until, e.lifted_at, e.set_by,
e.until > clock.now and e.lifted_at is null as in_force
"""
LIST = f"""
with {CLOCK}
select {COLUMNS} from exemptions e, clock
where least(e.until, e.lifted_at) > clock.now - interval '1 day'
order by in_force desc, e.id desc limit $2
"""  # noqa: S608 (ours)
SET = f"""
with {CLOCK}, made as (
    insert into exemptions (phone_hash, label, lifts, reason, began_at, until, set_by)
    select $3, $4, $5, $6, now, now + $7::interval, 'key ' || $2::int from clock
    returning *
), noted as (
    insert into audits (at, key_id, action, subject, row_id, reason)
    select clock.now, $2, 'exempt', m.phone_hash, m.id, m.reason from made m, clock
)
select {COLUMNS} from made e, clock
"""  # noqa: S608 (ours)
LIFT = f"""
with {CLOCK}, lifted as (
    update exemptions e set lifted_at = clock.now from clock
    where e.id = $3 and e.lifted_at is null and e.until > clock.now
    returning e.*
), noted as (
    insert into audits (at, key_id, action, subject, row_id)
    select clock.now, $2, 'unexempt', l.phone_hash, l.id from lifted l, clock
)
select {COLUMNS} from lifted e, clock
"""  # noqa: S608 (ours)


class Exemption(msgspec.Struct, frozen=True):
    """One exemption. `label`: its number, masked; `lifts`: "limits", "lockouts", names of rules."""

    id: int
    label: str
    lifts: list[str]
    reason: str
    began_at: datetime
    until: datetime
    lifted_at: datetime | None
    set_by: str
    in_force: bool


class Exemptions:
    """The exemptions of one database."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None) -> None:
        """Hash numbers with the vault's key, as admission does."""
        self._database = database
        self._vault = vault
        self._now = now

    async def list(self) -> list[Exemption]:
        """List those in force, then those that ended within a day; the newest first."""
        return [Exemption(**row) for row in await ask(self._database, LIST, self._now(), MOST_LISTED)]

    async def set(self, key: int, phone_number: str, lifts: Sequence[str], reason: str, length: timedelta) -> Exemption:
        """Exempt a number from now on."""
        phone_hash, label = number_of(self._vault, phone_number), phone.mask(phone_number)
        [row] = await ask(self._database, SET, self._now(), key, phone_hash, label, list(lifts), reason, length)
        return Exemption(**row)

    async def lift(self, key: int, exemption: int) -> Exemption:
        """End an exemption; what was requested under it keeps it. Raises NotFound."""
        for row in await ask(self._database, LIFT, self._now(), key, exemption):
            return Exemption(**row)
        raise NotFound
