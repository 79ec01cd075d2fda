"""Sets, rotates, disables and enables endpoints, and has callbacks tried again. All audited.

Called by cli and api. A secret leaves `set` and `rotate` once; the database holds it sealed.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec

from service.addresses import parse
from service.callbacks.endpoints import Address, Secret, open_address
from service.callbacks.message import new_secret
from service.db.engine import Database
from service.errors import GatewayError, NotFound
from service.providers.http.public_addresses import is_inside
from service.vault import Vault

LONGEST_URL = 2_000
# A name of the DNS. Its last label is no number, in whatever base: resolvers read 2130706433, 0x7f.1 and 127.1 as IPv4
# addresses, which would be refused at each connect, and nobody would know why.
LABEL = "(?!-)[a-z0-9_-]{1,63}(?<!-)"
HOST = re.compile(rf"(?=.{{1,253}}\Z)({LABEL}\.)*(?!(0x[0-9a-f]*|[0-9]+)\.?\Z){LABEL}\.?", re.IGNORECASE)

CLIENT = "select id from clients where name = $1"
SEALED = """
select e.client_id, e.row, e.sealed, clock_timestamp() as now
from callback_endpoints e join clients c on c.id = e.client_id where c.name = $1
"""
AUDITED = (
    "audited as (insert into audits (at, action, key_id, row_id) select clock_timestamp(), {}, {}, client_id from {})"
)
SET = f"""
with made as (
    insert into callback_endpoints as e (client_id, row, sealed, host, created_at)
    values ($1, $2, $3, $4, clock_timestamp())
    on conflict (client_id) do update set row = excluded.row, sealed = excluded.sealed, host = excluded.host,
        created_at = excluded.created_at, disabled_at = null, disabled_for = null, failing_since = null
    returning client_id
), {AUDITED.format("'set_callbacks'", "$5", "made")}
select client_id from made
"""  # noqa: S608 (ours)
# Unless somebody has changed it meanwhile.
ROTATE = f"""
with made as (
    update callback_endpoints set sealed = $3 where client_id = $1 and sealed = $2 returning client_id
), {AUDITED.format("'rotate_callbacks'", "$4", "made")}
select client_id from made
"""  # noqa: S608 (ours)
SWITCH = f"""
with made as (
    update callback_endpoints e set disabled_at = case when $2 then null else clock_timestamp() end,
        disabled_for = case when $2 then null else 'operator' end, failing_since = null
    from clients c where c.name = $1 and c.id = e.client_id and (e.disabled_at is not null) = $2
    returning e.client_id
), {AUDITED.format("case when $2 then 'enable_callbacks' else 'disable_callbacks' end", "$3", "made")}
select client_id from made
"""  # noqa: S608 (ours)
REMOVE = f"""
with made as (
    delete from callback_endpoints e using clients c where c.name = $1 and c.id = e.client_id returning e.client_id
), gone as (
    delete from callbacks b using made m where b.client_id = m.client_id and b.next_at is not null
), {AUDITED.format("'remove_callbacks'", "$2", "made")}
select client_id from made
"""  # noqa: S608 (ours)
REPLAY = f"""
with receiver as (
    select e.client_id from callback_endpoints e join clients c on c.id = e.client_id where c.name = $1
), chosen as (
    update callbacks b set next_at = clock_timestamp(), taken_at = null, attempts = 0, failure = null
    from receiver r
    where b.client_id = r.client_id
      and (b.id = $2 or b.at >= $3::timestamptz and ($4 or b.taken_at is null))
    returning b.client_id
), made as (
    select distinct client_id from chosen
), {AUDITED.format("'replay_callbacks'", "$5", "made")}
select case when exists (select from receiver) then (select count(*) from chosen) end
"""  # noqa: S608 (ours)


class Endpoints:
    """The endpoints of one database. `key` is the operator's key whose act it is, None on the command line."""

    def __init__(self, database: Database, vault: Vault, *, allow_private: bool = False) -> None:
        """`allow_private`: whether plain HTTP may be used, as to a receiver inside."""
        self._pool = database.pool
        self._vault = vault
        self.allow_private = allow_private

    async def set(self, client: str, url: str, key: int | None = None) -> str:
        """Set, or change, where a client's callbacks go; return its new secret.

        Raises NotFound for no such client, GatewayError for an address that cannot be used.
        """
        host = self._check(url)
        client_id: int | None = await self._pool.fetchval(CLIENT, client)
        if client_id is None:
            raise NotFound
        row, secret = uuid4(), new_secret()
        await self._pool.execute(SET, client_id, row, self._seal(row, Address(url, [Secret(secret)])), host, key)
        return secret

    async def rotate(self, client: str, overlap: timedelta, key: int | None = None) -> str:
        """Make a new secret and return it; the one before signs too, until `overlap` is over. Raises NotFound."""
        while True:
            found = await self._pool.fetchrow(SEALED, client)
            known = open_address(self._vault, found["row"], found["sealed"]) if found else None
            if found is None or known is None:
                raise NotFound
            secret = new_secret()
            before = msgspec.structs.replace(known.secrets[0], ends_at=found["now"] + overlap)
            sealed = self._seal(found["row"], Address(known.url, [Secret(secret), before]))
            if await self._pool.fetchval(ROTATE, found["client_id"], found["sealed"], sealed, key) is not None:
                return secret

    async def enable(self, client: str, key: int | None = None, *, on: bool = True) -> bool:
        """Enable an endpoint, or disable it; False if there is none, or it was so already."""
        return await self._pool.fetchval(SWITCH, client, on, key) is not None

    async def remove(self, client: str, key: int | None = None) -> bool:
        """Remove an endpoint with what waits for it; False if there is none."""
        return await self._pool.fetchval(REMOVE, client, key) is not None

    async def replay(
        self, client: str, *, callback: UUID | None = None, since: datetime | None = None, taken: bool = False,
        key: int | None = None,
    ) -> int:  # fmt: skip
        """Have callbacks tried again at once: one by its id, or those since a time; return how many.

        `taken`: also those that were taken already. Their ids stay, so that a receiver can drop what it knows. Raises
        NotFound for a client without a receiver.
        """
        done: int | None = await self._pool.fetchval(REPLAY, client, callback, since, taken, key)
        if done is None:
            raise NotFound
        return done

    def _seal(self, row: UUID, address: Address) -> bytes:
        return self._vault.seal(row, msgspec.msgpack.encode(address))

    def _check(self, url: str) -> str:
        """Return an address's host. Raises GatewayError for one that cannot be used."""
        host = _host_of(url)
        if host is None or len(url) > LONGEST_URL:
            raise GatewayError("That is not the URL of a receiver, such as https://shop.example/callbacks.")
        parts = urlsplit(url)
        if parts.scheme != "https" and not (self.allow_private and parts.scheme == "http"):
            raise GatewayError("A receiver must be reached by https.")
        if parts.username or parts.password or parts.fragment:
            raise GatewayError("A receiver's URL must have no user, password or fragment.")
        if not self.allow_private and is_inside(host):
            raise GatewayError("A receiver must have a public address.")
        return host


def _host_of(url: str) -> str | None:
    """Return the host of a URL; None if it cannot be read, or is neither a name of the DNS nor an IP address."""
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port is None or parts.port else None
    except ValueError:
        return None
    if host and (parse(host.partition("%")[0]) if "[" in parts.netloc else HOST.fullmatch(host) or parse(host)):
        return host
    return None
