"""The statements on verifications; the functions that they call are in migrations/functions.

Used by store and owed. One round trip each.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from service.db.calls import Columns, FunctionCall, fields_of
from service.verification.storage.limit_windows import GuessLimits, LimitWindow, PolicyLimitWindow
from service.verification.storage.rows import (
    Admission,
    Admitted,
    Applied,
    Backlog,
    Claimed,
    Guess,
    Reserved,
    SendRecord,
    Settled,
    StatusRow,
    Verdict,
)

WINDOWS = Columns(LimitWindow, "w", written=True)
# Whose verification it is, and how many codes it may have.
OF_CALLER = {"key": int, "client": int, "id": UUID}

ADMIT = FunctionCall(
    "admit_v4", fields_of(Admitted, "item"),
    now=datetime, again=bool, lease=timedelta, grace=timedelta, keep=int,
    windows=Columns(PolicyLimitWindow, "w", written=True), items=Columns(Admission),
)  # fmt: skip
WITHDRAW = FunctionCall(
    "withdraw", ("id", "late"),
    now=datetime, ids=list[UUID], tokens=list[UUID], calls=list[UUID], idems=list[UUID], accounts=list[UUID],
)  # fmt: skip
RECORD = FunctionCall("record_v3", now=datetime, items=Columns(SendRecord))
CLAIM = FunctionCall(
    "claim_v2", fields_of(Claimed), now=datetime, most=int, lease=timedelta, grace=timedelta, tags=list[bytes]
)
SENDS = FunctionCall("sends_to_check", id=UUID)
BACKLOG = FunctionCall("backlog_v2", fields_of(Backlog), now=datetime, tags=list[bytes], overdue=timedelta)
# Whether there is anything to claim, to end, to settle and to apply. Planned while its tables are small, it must not
# read the whole of them later. So each looks for the first in an index's order: not for existence, and not by
# conditions that would seem to leave nothing to put in order.
DUE = """
with clock as materialized (select coalesce($1::timestamptz, clock_timestamp()) as now)
select (
    select v.next_action_at from verifications v
    where v.next_action_at <= (select now from clock)
      and case when v.status = 'pending' then v.expires_at > (select now from clock) else false end
    order by v.next_action_at limit 1
) is not null as claimable, (
    select v.next_action_at from verifications v
    where v.next_action_at <= (select now from clock)
      and case when v.status = 'pending' then v.expires_at <= (select now from clock) else true end
    order by v.next_action_at limit 1
) is not null as over, (
    select g.settle_at from guesses g where g.state = 'open' and g.settle_at <= (select now from clock)
    order by g.settle_at limit 1
) is not null as unsettled, (
    select w.look_at from webhook_events w where w.look_at <= (select now from clock) order by w.look_at limit 1
) is not null as reported
"""
EXPIRE = FunctionCall("expire", now=datetime, most=int)
KNOWS_KEY = "select exists (select from idempotency_keys where idem = $1)"
READ = FunctionCall("read_verification", fields_of(StatusRow), now=datetime, **OF_CALLER, codes=int, windows=WINDOWS)
CANCEL = FunctionCall(
    "cancel_verification", fields_of(StatusRow), now=datetime, **OF_CALLER, codes=int, windows=WINDOWS
)
USE_FALLBACK = FunctionCall(
    "use_fallback_once", fields_of(StatusRow),
    now=datetime, fallback=UUID, lease=timedelta, grace=timedelta, **OF_CALLER, order=list[str], after=timedelta,
    extends_to=timedelta, longest=timedelta, most_sends=int, keep=int, codes=int, windows=WINDOWS,
)  # fmt: skip
RELEASE_FALLBACK = FunctionCall("release_fallback", now=datetime, id=UUID, fallback=UUID)
WITHDRAW_FALLBACK = FunctionCall("withdraw_fallback", now=datetime, id=UUID, fallback=UUID)
GUESS_LIMITS = Columns(
    GuessLimits, "l", only=("codes", "source_max", "source_seconds", "total_max", "total_seconds"), written=True
)
RESERVE = FunctionCall(
    "reserve_guesses_v4", fields_of(Reserved, "item"),
    now=datetime, again=bool, wait=bool, settle=timedelta, keep=int, limits=GUESS_LIMITS, items=Columns(Guess),
)  # fmt: skip
SETTLE = FunctionCall(
    "settle_guesses_v3", ("item", "held", *fields_of(Settled)),
    now=datetime, wait=bool, limits=Columns(GuessLimits, "l", written=True), items=Columns(Verdict),
)  # fmt: skip
TAKE_BACK = FunctionCall("take_back", row=UUID, id=UUID)
APPLY_EVENTS = FunctionCall(
    "apply_webhooks_v3", fields_of(Applied), now=datetime, keep=timedelta, second_look=timedelta, batch=int, most=int
)

# Only under its token: a row whose lease ran out meanwhile is another process's, and would be acted on by two.
RELEASE = """
update verifications v set
    lease_token = null, lease_until = null, nudged = false,
    next_action_at = case
        when v.status <> 'pending' then tidy_at(v.id, coalesce($1::timestamptz, clock_timestamp()))
        else coalesce($1, clock_timestamp())
    end
from unnest($2::uuid[], $3::uuid[]) as r(id, token)
where v.id = r.id and v.lease_token = r.token
"""

# The row is locked, so that a concurrent fallback comes before or after. A send that it put in this place is
# begun only if it has the same channel: else one would be recorded, and another made.
BEGIN = """
insert into sends as s (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
select v.id, $4, v.phone_hash, $5, $6, 'begun', $7, clock.now, clock.now
from verifications v, (select coalesce($1::timestamptz, clock_timestamp()) as now) as clock
where v.id = $2 and v.lease_token = $3 and v.status = 'pending' and v.expires_at > clock.now
for no key update of v
on conflict (verification_id, ordinal) do update
    set state = 'begun', begun_at = excluded.begun_at
    where s.state = 'due' and s.channel = excluded.channel
returning s.begun_at
"""

# A fallback or a failed delivery that came during the lease has set `nudged`: resting until $4, it would be missed.
REST = """
update verifications set
    lease_token = null, lease_until = null, nudged = false,
    next_action_at = case
        when status <> 'pending' then tidy_at(id, coalesce($1::timestamptz, clock_timestamp()))
        when nudged then coalesce($1, clock_timestamp())
        else $4
    end
where id = $2 and lease_token = $3
"""

HELD = "select provider_id from sends where provider = $1 and provider_id = any ($2)"

# Taken and put off in one statement: two workers never ask about one guess, and one that dies leaves it to the next.
UNSETTLED = """
update guesses g set settle_at = coalesce($1::timestamptz, clock_timestamp()) + $3::interval
from verifications v join clients c on c.id = v.client_id
where v.id = g.verification_id and g.id in (
    select x.id from guesses x
    where x.state = 'open' and x.settle_at <= coalesce($1, clock_timestamp())
    order by x.settle_at limit $2 for update skip locked
)
returning g.id, c.name, v.test, g.verification_id, sends_of(v.id) as sends
"""

LEAVE_OPEN = """
update guesses set settle_at = clock.now + least((clock.now - counted_at) / 2, $3::interval)
from (select coalesce($1::timestamptz, clock_timestamp()) as now) as clock
where id = $2 and state = 'open'
"""

# `event_type` held the provider's own word, which the last release writes still; ours says as much.
KEEP_EVENT = """
insert into webhook_events (provider, event_id, event_type, delivery, provider_id, received_at, look_at)
select $2, $3, $4, $4, $5, clock.now, clock.now
from (select coalesce($1::timestamptz, clock_timestamp()) as now) as clock
on conflict do nothing
"""
