"""An endpoint: where a client's callbacks go, as it is stored, as operators see it, and what is wrong with it.

Read by delivery, endpoint_admin, worker.alarms, cli and api. Changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from service.callbacks.store import HAS_KEY
from service.db.pool import Pool
from service.vault import Vault

LIST = f"""
select c.name as client, e.host, e.created_at, e.disabled_at, e.disabled_for, e.failing_since, not {HAS_KEY} as keyless,
       w.waiting, w.oldest, w.failure
from callback_endpoints e join clients c on c.id = e.client_id
cross join lateral (
    select count(*) as waiting, min(b.at) as oldest,
           (array_agg(b.failure order by b.at) filter (where b.failure is not null))[1] as failure
    from callbacks b where b.client_id = e.client_id and b.next_at is not null
) as w
order by c.name
"""  # noqa: S608 (ours)


# What is worth telling an operator: disabled, though not by one, or failing for a while.
TROUBLES = f"""
select * from ({LIST}) as l
where l.disabled_at is not null and l.disabled_for <> 'operator'
   or l.disabled_at is null and l.failing_since < clock_timestamp() - interval '10 minutes'
"""  # noqa: S608 (ours)


class Secret(msgspec.Struct, frozen=True):
    """A secret by which callbacks are signed, and until when; None for no end."""

    text: str
    ends_at: datetime | None = None


class Address(msgspec.Struct, frozen=True):
    """What is sealed of an endpoint: where it is, and its secrets, the newest first."""

    url: str
    secrets: list[Secret]

    def list_secrets(self, now: datetime) -> list[str]:
        """List the secrets that are in force."""
        return [one.text for one in self.secrets if one.ends_at is None or one.ends_at > now]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What operators see of one. `waiting`: callbacks that have not been taken; `failure`: why the oldest was not.

    `keyless`: its client has no valid key, and is told nothing until it has one.
    """

    client: str
    host: str
    created_at: datetime
    disabled_at: datetime | None
    disabled_for: str | None
    failing_since: datetime | None
    keyless: bool
    waiting: int
    oldest: datetime | None
    failure: str | None


ADDRESS = msgspec.msgpack.Decoder(Address)


def open_address(vault: Vault, row: UUID, sealed: bytes) -> Address | None:
    """Open what is sealed of an endpoint; None if no key of ours fits."""
    plain = vault.unseal(row, sealed)
    return None if plain is None else ADDRESS.decode(plain)


async def list_endpoints(pool: Pool) -> list[Endpoint]:
    """List the endpoints, each with what waits for it."""
    return [msgspec.convert(dict(row), Endpoint) for row in await pool.fetch(LIST)]


async def list_troubles(pool: Pool) -> list[Endpoint]:
    """List the endpoints that have been failing for ten minutes, or were disabled, but not by an operator."""
    return [msgspec.convert(dict(row), Endpoint) for row in await pool.fetch(TROUBLES)]


def word_trouble(endpoint: Endpoint) -> str:
    """Word for operators what is wrong with an endpoint, and what to do."""
    what = f"Callbacks to {endpoint.client} ({endpoint.host})"
    if endpoint.disabled_at is not None:
        why = "it answered 410 (gone)" if endpoint.disabled_for == "gone" else "one was not taken for three days"
        return f"{what} are disabled: {why}. {endpoint.waiting:,} wait. Once it answers again: callbacks enable."
    why = f"since {endpoint.failing_since:%H:%M} ({endpoint.failure or 'no answer'})"
    return f"{what} fail {why}: {endpoint.waiting:,} wait, and are tried for three days."


def describe(endpoint: Endpoint) -> str:
    """Describe an endpoint in one line."""
    state = "on"
    if endpoint.disabled_at is not None:
        state = f"disabled {endpoint.disabled_at:%Y-%m-%d %H:%M} ({endpoint.disabled_for})"
    elif endpoint.keyless:
        state = "waits: the client has no valid key"
    elif endpoint.failing_since is not None:
        state = f"failing since {endpoint.failing_since:%Y-%m-%d %H:%M} ({endpoint.failure})"
    return f"{endpoint.client}  {endpoint.host}  {state}  {endpoint.waiting} waiting"
