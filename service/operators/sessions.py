"""Sessions of the console: begun with an operator's key, ended by signing out, by time, or with the key.

Called by api. The database holds a keyed hash of the cookie's token, and nobody's key.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from service.clients.caller import Caller
from service.db.asking import CLOCK, ask
from service.db.engine import Database
from service.errors import NotAuthorized
from service.policy.model import Policies
from service.vault import Vault

# A session ends after LONGEST, and after IDLE without a page: a shift, and a lunch.
LONGEST, IDLE = timedelta(hours=10), timedelta(hours=1)
LONGEST_TOKEN = 64

BEGIN = f"""
with {CLOCK}, noted as (
    insert into audits (at, key_id, action) select clock.now, $2, 'sign_in' from clock
)
insert into console_sessions (token, key_id, began_at, seen_at, until)
select $3, $2, clock.now, clock.now, clock.now + $4::interval from clock
"""  # noqa: S608 (ours)
# Written at most once a minute: several pages at once must not wait for each other's row.
SEE = f"""
with {CLOCK}, held as (
    select s.token, s.key_id, s.seen_at, k.client_id, c.name, c.test, k.ends_at
    from console_sessions s join api_keys k on k.id = s.key_id join clients c on c.id = k.client_id, clock
    where s.token = $2 and s.until > clock.now and s.seen_at > clock.now - $3::interval
      and k.scope = 'operator' and k.revoked_at is null and (k.ends_at is null or k.ends_at > clock.now)
), seen as (
    update console_sessions s set seen_at = clock.now from clock, held h
    where s.token = h.token and h.seen_at < clock.now - interval '1 minute'
)
select h.key_id, h.client_id, h.name, h.test, h.ends_at from held h
"""  # noqa: S608 (ours)
END = f"""
with {CLOCK}, ended as (
    delete from console_sessions s where s.token = $2 returning s.key_id
)
insert into audits (at, key_id, action) select clock.now, e.key_id, 'sign_out' from ended e, clock
"""  # noqa: S608 (ours)


class Sessions:
    """The sessions of one database."""

    def __init__(
        self, database: Database, vault: Vault, policies: Policies, now: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """`now`: as in Store."""
        self._database = database
        self._vault = vault
        self._policies = policies
        self._now = now

    async def begin(self, key_id: int) -> str:
        """Begin a session of a valid key, audited; return the token for its cookie."""
        token = secrets.token_urlsafe(32)
        await ask(self._database, BEGIN, self._now(), key_id, self._vault.hash(b"console", token), LONGEST)
        return token

    async def find(self, token: str) -> Caller:
        """Return whose session it is. Raises NotAuthorized for one that has ended, and for anything else."""
        if not 0 < len(token) <= LONGEST_TOKEN:
            raise NotAuthorized
        for row in await ask(self._database, SEE, self._now(), self._vault.hash(b"console", token), IDLE):
            return Caller(
                key_id=row["key_id"],
                client_id=row["client_id"],
                client=row["name"],
                test=row["test"],
                scope="operator",
                policy=self._policies.of(row["name"]),
                ends_at=row["ends_at"],
            )
        raise NotAuthorized

    async def end(self, token: str) -> None:
        """End a session for good, audited; nothing where there is none."""
        await ask(self._database, END, self._now(), self._vault.hash(b"console", token))

    def form_token(self, token: str) -> str:
        """Return what a session's forms carry: a page of somebody else's cannot know it."""
        return self._vault.hash(b"console.form", token).hex
