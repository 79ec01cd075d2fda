"""What is left after a run, from its three witnesses: the backends' calls, the database's rows, Telnyx's journal.

Read once everything has come to rest and the gateway's processes have ended. The balance judges it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property

import msgspec

from service.db.engine import Database
from service.sandbox.journal import JournalEntry as TelnyxCall
from service.vault import Vault
from service.verification.callers import Evidence as Asked
from service.verification.callers import subjects_of
from tests.chaos.records import Call, Event, Lapse
from tests.chaos.telnyx import Held, StandIn

ROWS = """
select v.id::text, c.name as client, v.phone_hash::text as phone, v.status, v.deliver, v.used, v.created_at,
       v.closed_at, v.guesses_wrong, v.guesses_open, v.sealed is not null as sealed, v.lease_token is not null as leased
from verifications v join clients c on c.id = v.client_id
"""
SENDS = """
select verification_id::text as verification, ordinal, channel, coalesce(booked, channel) as by, cause, state,
       wanted_at, ended_at, provider, provider_id, error, price, booked_on is not null as booked
from sends order by verification_id, ordinal
"""
GUESSES = "select verification_id::text as verification, state, counted_at from guesses"
LEDGER = "select coalesce(sum(sends), 0)::int as sends, coalesce(sum(spent), 0)::float8 as spent from ledger"
UNAPPLIED = """
select w.provider_id from webhook_events w
where w.applied_at is null and exists (select from sends s where s.provider_id = w.provider_id)
"""
UNSETTLED = f"""
select (select count(*) from sends where state in ('due', 'begun')) as sends,
       (select count(*) from guesses where state = 'open') as guesses,
       (select count(*) from verifications where lease_token is not null) as leases,
       (select count(*) from ({UNAPPLIED}) as u) as events
"""


# What a 503 was told of is taken back within a lease and its grace, or too late.
TAKES_BACK = 19.0


class Row(msgspec.Struct, frozen=True):
    """One verification. `phone`: the number itself, found by its hash; the hash where no call was for it."""

    id: str
    client: str
    phone: str
    status: str
    deliver: bool
    used: list[str]
    created_at: datetime
    closed_at: datetime | None
    guesses_wrong: int
    guesses_open: int
    sealed: bool
    leased: bool


class Send(msgspec.Struct, frozen=True):
    """One send. `by`: the channel that it went by; `booked`: whether the ledger holds it as spent."""

    verification: str
    ordinal: int
    channel: str
    by: str
    cause: str
    state: str
    wanted_at: datetime
    ended_at: datetime | None
    provider: str | None
    provider_id: str | None
    error: str | None
    price: float | None
    booked: bool


class Guess(msgspec.Struct, frozen=True):
    """One code that was tried."""

    verification: str
    state: str
    counted_at: datetime


class Evidence(msgspec.Struct, kw_only=True, dict=True):
    """All of it. `unsettled`: what was still under way when patience ended; empty if all came to rest."""

    calls: list[Call]
    rows: dict[str, Row]
    sends: list[Send]
    guesses: list[Guess]
    ledger_sends: int
    ledger_spent: float
    send_calls: list[TelnyxCall]
    check_calls: list[TelnyxCall]
    lookup_calls: list[TelnyxCall]
    held: list[Held]
    unapplied: list[str]
    unsettled: dict[str, int]
    events: list[Event] = []
    lapses: list[Lapse] = []

    @cached_property
    def requests(self) -> list[Call]:
        return [call for call in self.calls if call.kind == "request"]

    def may_owe(self, call: Call) -> bool:
        """Whether a process answered 503 and could then not take back what it had perhaps done (decisions/0019)."""
        answered = call.at + call.took
        return call.status == 503 and any(
            lapse.gateway == call.gateway and call.at < lapse.at < answered + TAKES_BACK for lapse in self.lapses
        )

    @cached_property
    def calls_for(self) -> dict[str, list[Call]]:
        """Calls by the verification that they name, or were told of."""
        found = defaultdict(list)
        for call in self.calls:
            found[call.verification or ""].append(call)
        return found

    @cached_property
    def sends_of(self) -> dict[str, list[Send]]:
        found = defaultdict(list)
        for send in self.sends:
            found[send.verification].append(send)
        return found

    @cached_property
    def rows_of(self) -> dict[tuple[str, str], list[Row]]:
        """Verifications by client and number."""
        found = defaultdict(list)
        for row in self.rows.values():
            found[row.client, row.phone].append(row)
        return found


async def gather(database: Database, telnyx: StandIn, vault: Vault, calls: list[Call]) -> Evidence:
    """Read everything. Telnyx is asked last: what a check left in doubt is settled by then."""
    fetch = database.pool.fetch
    phones = _by_hash(vault, (call.source.phone for call in calls))
    rows = [Row(**{**row, "phone": phones.get(row["phone"], row["phone"])}) for row in await fetch(ROWS)]
    ledger = (await fetch(LEDGER))[0]
    sent = await telnyx.journal("send")
    return Evidence(
        calls=calls,
        rows={row.id: row for row in rows},
        sends=[Send(**row) for row in await fetch(SENDS)],
        guesses=[Guess(**row) for row in await fetch(GUESSES)],
        ledger_sends=ledger["sends"],
        ledger_spent=ledger["spent"],
        send_calls=sent,
        check_calls=await telnyx.journal("check"),
        lookup_calls=await telnyx.journal("lookup"),
        held=await telnyx.list_held({call.phone_number for call in sent if call.phone_number}),
        unapplied=[row[0] for row in await fetch(UNAPPLIED)],
        unsettled={},
    )


async def find_unsettled(database: Database) -> dict[str, int]:
    """Count what is still under way, by what it is."""
    [row] = await database.pool.fetch(UNSETTLED)
    return {name: count for name, count in row.items() if count}


def _by_hash(vault: Vault, phones: Iterable[str]) -> dict[str, str]:
    return {str(subjects_of(vault, 1, Asked(phone_number=phone)).phone_hash): phone for phone in set(phones)}
