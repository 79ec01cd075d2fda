"""Which SECRET_KEY and INDEX_KEY this database was written with: noted at each start, and compared by the doctor.

Called by cli.process.startup and operators.doctor.gathering. It must never store a key, nor take a wrong one for known.
"""

from __future__ import annotations

import msgspec

from service.db.pool import Pool
from service.settings import Settings
from service.vault import Vault

# What is written with: the first SECRET_KEY, and INDEX_KEY. Those of the first start are taken as they are. Later a
# SECRET_KEY is only taken if one of those beside it was known before, as when it rotates; another INDEX_KEY never is.
NOTE = """
insert into known_keys (setting, tag, since)
select o.setting, o.tag, now() from unnest($1::text[], $2::bytea[]) o (setting, tag)
where not exists (select from known_keys k where k.setting = o.setting)
   or o.setting = 'SECRET_KEY' and exists (select from known_keys k where k.setting = o.setting and k.tag = any($3))
on conflict do nothing
"""
# The newest known key must be among ours: rows and API keys may have been written with it. Addresses for callbacks tell
# of SECRET_KEY even where no process of this version has started yet, as in a database that was restored and upgraded.
FIND_WRONG = """
select setting from known_keys k where since = (select max(since) from known_keys n where n.setting = k.setting)
group by setting having not bool_or(tag = any($1::bytea[]))
union select 'SECRET_KEY' where (select not bool_or(substr(sealed, 1, 4) = any($1)) from callback_endpoints)
order by 1
"""


class WrongKey(msgspec.Struct, frozen=True):
    """A setting that is not the key that this database was written with, for an operator to read."""

    setting: str
    risk: str
    remedy: str


WRONG = "It is not the key that this database was written with"
RISKS = {
    "SECRET_KEY": f"{WRONG}: API keys are refused, and what is sealed stays unreadable.",
    "INDEX_KEY": f"{WRONG}: every limit, block and known source is forgotten.",
}
REMEDY = "Set it as it was then. If that key is lost for good, docs/run.md (Backup and restore) says how to start anew."


async def note_keys(pool: Pool, settings: Settings) -> list[WrongKey]:
    """Note the keys of a process that starts, and return those that are wrong. Raises Unavailable."""
    secret, index = _tag(settings)
    await pool.execute(NOTE, ["SECRET_KEY", "INDEX_KEY"], [secret[0], index], secret)
    return await find_wrong_keys(pool, settings)


async def find_wrong_keys(pool: Pool, settings: Settings) -> list[WrongKey]:
    """Return the keys that are not those that this database was written with. Raises Unavailable."""
    secret, index = _tag(settings)
    rows = await pool.fetch(FIND_WRONG, [*secret, index])
    return [WrongKey(name, RISKS[name], REMEDY) for name in (str(row[0]) for row in rows)]


def _tag(settings: Settings) -> tuple[list[bytes], bytes]:
    vault = Vault(settings.secret_key, settings.index_key)
    return vault.tags, vault.hash(b"known key", "").bytes
