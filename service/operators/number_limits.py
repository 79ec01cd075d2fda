"""Which limits of a number are full, or were within a day: what a request that a limit refused leaves behind.

Called by api. A refused request stores no verification; its limits are still in the counters,
and how often somebody was refused stands in refusals. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from service import phone
from service.db.asking import CLOCK, ask
from service.db.engine import Database
from service.fraud.histories.subjects import number_of
from service.policy.model import Policies, Policy
from service.policy.units import Window
from service.vault import Vault

# How far back a limit that is no longer full is told of.
DAY = timedelta(days=1)
MOST_ROWS = 200
# Limits of what was not converted; beyond so many converted ones within the window there are places beside it.
UNCONVERTED, FREE = frozenset({"ip", "account"}), 10

# A known source has subjects of its own, and so has an address: only the rows know them.
USED = """
select distinct v.client_id, x.limit_name, x.subject from (
    select * from verifications v where v.phone_hash = $1 and not v.test order by v.created_at desc limit $2
) as v cross join lateral (values
    ('phone', v.phone_limit), ('ip', v.ip_limit), ('ip_total', v.ip_limit), ('account', v.account_limit),
    ('account_total', v.account_limit), ('codes_per_phone', v.source_budget), ('codes_per_phone_total', v.total_budget)
) as x(limit_name, subject)
where x.subject is not null
"""
CLIENTS = "select id, name from clients where not test order by name"
HITS = f"""
with {CLOCK}
select c.subject, c.hits, coalesce(c.unconverted, c.hits) as unconverted, clock.now
from counters c, clock where c.subject = any ($2::uuid[])
"""  # noqa: S608 (ours)
NOTE = f"""
with {CLOCK} insert into audits (at, key_id, action, subject) select clock.now, $2, 'search', $3 from clock
"""  # noqa: S608 (ours)
REFUSALS = f"""
with {CLOCK}
select c.name as client, min(r.at) as first_at, max(r.at) as last_at, sum(r.count)::int as count
from clock, refusals r join clients c on c.id = r.client_id
where r.phone_hash = $2 and r.at > clock.now - interval '7 days'
group by c.name, date_bin('1 hour', r.at, 'epoch') order by 3 desc limit 50
"""  # noqa: S608 (ours)


class FullLimit(msgspec.Struct, frozen=True):
    """A limit that was full from `since` to `until`. `name`: the policy's; `client`: None for one over all clients."""

    client: str | None
    name: str
    max: int
    seconds: float
    since: datetime
    until: datetime
    in_force: bool


class Refused(msgspec.Struct, frozen=True):
    """Requests of one client that were answered 429 within an hour."""

    client: str
    first_at: datetime
    last_at: datetime
    count: int


class NumberLimits(msgspec.Struct, frozen=True):
    """What limits did to a number. The newest first; those in force before all others."""

    limits: list[FullLimit]
    refused: list[Refused]


class Counted(msgspec.Struct, frozen=True):
    """One subject that a request for the number counts in."""

    client: str | None
    name: str
    subject: UUID
    windows: Sequence[Window]


class NumberLimitQueries:
    """The limits of one database."""

    def __init__(
        self, database: Database, vault: Vault, policies: Policies, now: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """`now`: as in Store."""
        self._database = database
        self._vault = vault
        self._policies = policies
        self._now = now

    async def look_up(self, key: int, phone_number: str) -> NumberLimits:
        """Do the same, audited as a search under the operator's key."""
        await ask(self._database, NOTE, self._now(), key, number_of(self._vault, phone_number))
        return await self.read(phone_number)

    async def read(self, phone_number: str) -> NumberLimits:
        """Read what limits do to a number now, and did within a day. Raises Unavailable."""
        phone_hash = number_of(self._vault, phone_number)
        subjects = await self._list_subjects(phone_number, phone_hash)
        rows = await ask(self._database, HITS, self._now(), list({one.subject for one in subjects}))
        hits = {row["subject"]: row for row in rows}
        now = rows[0]["now"] if rows else self._now() or datetime.now(UTC)
        found = [
            span
            for one in subjects
            for window in one.windows
            if (row := hits.get(one.subject)) is not None
            for span in _full_spans(one, window, _hits_of(one, window, row, now), now)
        ]
        refused = await ask(self._database, REFUSALS, self._now(), phone_hash)
        return NumberLimits(
            sorted(found, key=lambda span: (not span.in_force, -span.until.timestamp(), span.name)),
            [Refused(**row) for row in refused],
        )

    async def _list_subjects(self, phone_number: str, phone_hash: UUID) -> list[Counted]:
        known, default = phone.subscriber_of(phone_number), self._policies.default
        names = {row["id"]: row["name"] for row in await ask(self._database, CLIENTS)}
        found: dict[tuple[str, UUID], Counted] = {}
        for client_id, name in names.items():
            windows = _list_windows(self._policies.of(name))
            of_client = {"phone": b"limit.phone", "codes_per_phone_total": b"codes.total"}
            for limit, kind in of_client.items():
                subject = self._vault.hash(kind, str(client_id), known)
                found[limit, subject] = Counted(name, limit, subject, windows[limit])
        for row in await ask(self._database, USED, phone_hash, MOST_ROWS):
            if (name := names.get(row["client_id"])) is not None:
                limit, subject = row["limit_name"], row["subject"]
                found.setdefault(
                    (limit, subject), Counted(name, limit, subject, _list_windows(self._policies.of(name))[limit])
                )
        if default.rules.phone_everywhere.mode == "enforce":
            subject = self._vault.hash(b"limit.every", known)
            found["phone_everywhere", subject] = Counted(
                None, "phone_everywhere", subject, default.limits.phone_everywhere
            )
        return list(found.values())


def _list_windows(policy: Policy) -> dict[str, Sequence[Window]]:
    limits, lockout = policy.limits, policy.lockout
    return {
        "phone": limits.phone,
        "ip": limits.ip,
        "ip_total": limits.ip_total,
        "account": limits.account,
        "account_total": limits.account_total,
        "codes_per_phone": [lockout.codes_per_phone],
        "codes_per_phone_total": [lockout.codes_per_phone_total],
    }


def _hits_of(one: Counted, window: Window, row: dict[str, Any], now: datetime) -> Sequence[datetime]:
    """Return the hits that fill a window, the newest first: of an address or account, those that were not converted.

    Where so many were converted that there may be places beside the window's (wait_for_place), it is told as not full.
    """
    if one.name not in UNCONVERTED:
        hits: Sequence[datetime] = row["hits"]
        return hits
    since = now - timedelta(seconds=window.seconds)
    unconverted: Sequence[datetime] = row["unconverted"]
    converted = sum(hit > since for hit in row["hits"]) - sum(hit > since for hit in unconverted)
    return [] if converted > FREE else unconverted


def _full_spans(one: Counted, window: Window, hits: Sequence[datetime], now: datetime) -> Iterator[FullLimit]:
    """Yield when a window was full, from its hits, the newest first."""
    length = timedelta(seconds=window.seconds)
    spans: list[tuple[datetime, datetime]] = []
    for newest, oldest in zip(hits, hits[window.max - 1 :], strict=False):
        until = oldest + length
        if until <= newest or until < now - DAY:
            continue
        if spans and spans[-1][0] <= until:
            spans[-1] = (newest, spans[-1][1])
        else:
            spans.append((newest, until))
    for since, until in spans:
        yield FullLimit(one.client, one.name, window.max, window.seconds, since, until, until > now)
