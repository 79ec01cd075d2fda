"""Forget a person: everything the database holds about a number, except what counts against its next guesses.

Called by `verify-gateway erase`. Telnyx and Fingerprint keep records of their own, which this does not reach.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Row, Uuid, bindparam, text

from service import phone
from service.db.engine import Database
from service.db.faults import Collided
from service.fraud.histories.subjects import number_of, subjects_of
from service.vault import Vault
from service.verification.states import GRACE, LEASE

FORGET = text(
    "select id, busy from forget_v3(p_now => null, p_phone => :phone, p_ids => :ids, p_subjects => :subjects, "
    "p_marks => :marks, p_most => :most)"
).bindparams(
    bindparam("phone", type_=Uuid()),
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("subjects", type_=ARRAY(Uuid())),
    bindparam("marks", type_=ARRAY(Integer())),
)
NOTE = text("insert into audits (at, action) values (clock_timestamp(), 'erase')")
# A send that is under way is recorded under its lease, and forgotten when that is over.
LONGEST = LEASE + GRACE
# Verifications that one statement forgets: each adds the locks of its histories.
AT_ONCE = 64


async def erase(database: Database, vault: Vault, phone_number: str) -> int:
    """Forget a number in E.164, and return how many verifications it had. Takes 17 s at most.

    Repeats until no process is at work on any of them.
    """
    found: set[UUID] = set()
    # Rows older than the common hash of a number's two forms are stored under the form that was given.
    for name in {number_of(vault, phone_number), vault.hash(b"phone", phone_number)}:
        found |= await _forget_all(database, vault, phone_number, name)
    async with database.begin() as connection:
        await connection.execute(NOTE)
    return len(found)


async def _forget_all(database: Database, vault: Vault, phone_number: str, name: UUID) -> set[UUID]:
    found: set[UUID] = set()
    busy: list[UUID] = []
    for _ in range(int(LONGEST) + 2):
        rows = await _forget(database, vault, phone_number, name, busy)
        found |= {row.id for row in rows}
        busy = [row.id for row in rows if row.busy]
        if not busy:
            break
        await asyncio.sleep(1)
    return found


async def _forget(
    database: Database, vault: Vault, phone_number: str, name: UUID, ids: Sequence[UUID]
) -> Sequence[Row[tuple[UUID, bool]]]:
    places = subjects_of(vault, phone_number, phone.describe(phone_number), None)
    values = {
        "phone": name,
        "subjects": [place.hash for place in places],
        "marks": [place.mark for place in places],
        "most": AT_ONCE,
    }
    found: list[Row[tuple[UUID, bool]]] = []
    while True:
        rows = await _forget_some(database, values | {"ids": list(ids[:AT_ONCE])})
        found, ids = [*found, *rows], ids[AT_ONCE:]
        if len(rows) < AT_ONCE and not ids:
            return found


async def _forget_some(database: Database, values: dict[str, object]) -> Sequence[Row[tuple[UUID, bool]]]:
    while True:
        try:
            async with database.begin() as connection:
                return (await connection.execute(FORGET, values)).all()
        except Collided:
            # A webhook that is being applied locks the same rows in another order; one of the two gives way.
            continue
