"""One connection to one host, within its own time limit, and what that host says of itself.

Called by hosts. Never returns a connection that cannot write or, for frequent statements, one that is not read
committed: they lock and then read, and would read what was there before the lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import asyncpg
from asyncpg.protocol import protocol
from sqlalchemy.engine import make_url

Line: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ISOLATION = "read committed"
# Asked on every new connection: what a connection is told at its start may come from a pooler's memory, and behind a
# pooler nothing can be set.
STANDING = "select current_setting('transaction_read_only') = 'on', current_setting('transaction_isolation'), {}"
# Every promotion begins a timeline with a higher number.
TIMELINE = "case when not pg_is_in_recovery() then substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end"
UNKNOWN = "null::text"

# Of each element of an array the driver asks abstract classes whether it is an array itself, which costs as much as to
# encode it. These are what ours are.
ARRAYS = (list, tuple)
vars(protocol).update(IterableABC=ARRAYS, SizedABC=ARRAYS)


class Unreachable(ConnectionError):
    """No connection could be opened, so nothing was asked. The text says what each host answered."""

    @property
    def silent(self) -> bool:
        """Return whether there was no answer at all."""
        return isinstance(self.__cause__, TimeoutError)


class ServerAddress(NamedTuple):
    """Where a server listens. None leaves it to the driver."""

    host: str | None
    port: int | None

    def __str__(self) -> str:
        """Return host and port, for a log or an error."""
        return f"{self.host or 'the default host'}:{self.port or 5432}"


class Needs(NamedTuple):
    """What a connection must be able to do."""

    writes: bool
    read_committed: bool
    """Also a statement that begins no transaction of its own."""
    timeline: bool
    """It must be known which promotion the server goes back to, where it says."""


class Reached(NamedTuple):
    """An open connection, and its server's timeline: 0 if it was not asked for, or the server does not say."""

    line: Line
    timeline: int


def read_url(url: str) -> tuple[list[ServerAddress], dict[str, Any]]:
    """Split a SQLAlchemy URL into its hosts and the driver's other options."""
    parsed = make_url(url)
    _, options = parsed.get_dialect()().create_connect_args(parsed)
    options.pop("target_session_attrs", None)  # a host that does not take writes is useless here
    hosts, ports = options.pop("host", None), options.pop("port", None)
    if isinstance(hosts, list):
        return [ServerAddress(*place) for place in zip(hosts, ports, strict=True)], dict(options)
    return [ServerAddress(hosts, ports)], dict(options)


async def connect(address: ServerAddress, options: Mapping[str, Any], limit: float, needs: Needs) -> Reached:
    """Open a connection. Raises Unreachable, after `limit` seconds at most, if it does not meet the needs."""
    place = {name: value for name, value in address._asdict().items() if value is not None}
    line: Line | None = None
    reached: Reached | None = None
    try:
        async with asyncio.timeout(limit):
            line = await asyncpg.connect(**{**options, **place})
            reached = Reached(line, await _examine(line, needs))
            return reached
    except TimeoutError as error:
        raise Unreachable(f"{address}: no answer within {limit:g} s") from error
    except Exception as error:
        # Whatever it was, this host is of no use: one that answers nonsense must not keep the others from being tried.
        raise Unreachable(f"{address}: {str(error) or type(error).__name__}") from error
    finally:
        # A connection that nobody holds would stay open on the server, and count against its limit.
        if line is not None and reached is None:
            line.terminate()


async def _examine(line: Line, needs: Needs) -> int:
    """Return the server's timeline, or 0. Raises ConnectionError if the server is useless to us."""
    try:
        row = await line.fetchrow(STANDING.format(TIMELINE if needs.timeline else UNKNOWN))
    except asyncpg.PostgresError:
        # Then it was not the timeline: asked again it would fail again, without end.
        if not needs.timeline:
            raise
        return await _examine(line, needs._replace(timeline=False))  # some vendors' servers do not say
    read_only, isolation, timeline = row or (True, None, None)
    if read_only and needs.writes:
        raise ConnectionError("it takes no writes")
    if isolation != ISOLATION and needs.read_committed:
        raise ConnectionError(
            f"transactions begin as {isolation}: for the gateway's role, ALTER ROLE … SET "
            f"default_transaction_isolation = '{ISOLATION}', then RECONNECT in the pooler"
        )
    return int(timeline or "0", 16)
