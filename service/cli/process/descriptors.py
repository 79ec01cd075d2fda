"""How many files and connections this process may have open, and how many of those callers may use.

Called by serving and dispatching, before they open anything.
"""

from __future__ import annotations

import resource

from service.settings import MAX_SENDS, POOL_SIZE

# What callers must leave for checks at Telnyx (100), logs, metrics and what commands and operators ask the database.
RESERVED = 190
# And for each send: Telnyx, its look-up of the line, Fingerprint, a captcha.
RESERVED_BY_SEND = 4
MOST_CONNECTIONS = 10_000
# The soft limit to ask for where there is no hard one: macOS reports none, but accepts no more than this.
UNLIMITED = 10_240


def raise_limit() -> int:
    """Raise the soft limit on open files to the hard one, and return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, UNLIMITED) if hard == resource.RLIM_INFINITY else hard
    if soft in (resource.RLIM_INFINITY, wanted):
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def most_connections(wanted: int | None, limit: int, *, sends: int = MAX_SENDS, pool: int = POOL_SIZE) -> int:
    """Return how many connections callers may have open at once, given the limit on open files.

    `sends`: at once; `pool`: connections to the database.
    """
    reserved = RESERVED + RESERVED_BY_SEND * sends + pool
    return min(wanted or MOST_CONNECTIONS, limit - min(reserved, limit // 2))
