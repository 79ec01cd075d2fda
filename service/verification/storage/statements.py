"""The text of the heart's statements; the functions that they call stand in migrations/functions.

Read by store. One round trip each.
"""

from __future__ import annotations

ADMIT = """
select item, outcome, id, created_at, expires_at, remaining, wait, leased, lifts
from admit_v2($1, $2, make_interval(secs => $3), make_interval(secs => $4), $5, $6::text::int[], $7::text::int[],
           $8::text::int[], $9::text::float8[], $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
           $24, $25, $26, $27, $28, $29, $30, $31)
"""

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

WITHDRAW = "select id, late from withdraw($1, $2, $3, $4, $5, $6)"

RECORD = "select record_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"

PRESS = """
select outcome, status, created_at, expires_at, closed_at, used, pressed_at, remaining, wait
from press_once($1, $2, make_interval(secs => $3), make_interval(secs => $4), $5, $6, $7, $8,
                make_interval(secs => $9), $10, $11, $12, $13::text::int[], $14::text::int[], $15::text::float8[])
"""

RELEASE_PRESS = "select release_press($1, $2, $3)"

WITHDRAW_PRESS = "select withdraw_press($1, $2, $3)"

READ = """
with clock as materialized (
    select coalesce($1::timestamptz, clock_timestamp()) as now,
           $6::text::int[] as kinds, $7::text::int[] as maxes, $8::text::float8[] as seconds
)
select 'read' as outcome,
       case when v.id is not null then effective_status(v, now, $5, kinds, maxes, seconds) end as status,
       v.created_at, v.expires_at,
       v.closed_at, v.used, v.pressed_at, attempts_left(v, now, $5, kinds, maxes, seconds) as remaining,
       null::float8 as wait
from clock
join api_keys k on k.id = $2 and k.revoked_at is null
left join verifications v on v.id = $4 and v.client_id = $3
"""

CANCEL = """
update verifications set
    status = 'canceled', closed_at = coalesce($1::timestamptz, clock_timestamp()), sealed = null,
    next_action_at = case
        when lease_token is not null then next_action_at
        else tidy_at(id, coalesce($1, clock_timestamp()))
    end
where id = $4 and client_id = $3 and status = 'pending' and expires_at > coalesce($1, clock_timestamp())
  and effective_status(
      verifications, coalesce($1, clock_timestamp()), $5, $6::text::int[], $7::text::int[], $8::text::float8[]
  ) = 'pending'
  and exists (select from api_keys k where k.id = $2 and k.revoked_at is null)
returning 'canceled' as outcome, status, created_at, expires_at, closed_at, used, pressed_at,
    attempts_left(
        verifications, coalesce($1, clock_timestamp()), $5, $6::text::int[], $7::text::int[], $8::text::float8[]
    ) as remaining,
    null::float8 as wait
"""

RESERVE = """
select outcome, status, remaining, verified, test, age, channels, asked as sends
from reserve_once($1, $2, $3, $4, $5, $6, $7, make_interval(secs => $8), $9, $10,
                  $11::text::int[], $12::text::int[], $13::text::float8[])
"""

TAKE_BACK = "select take_back($1, $2)"

SETTLE = """
select status, remaining, verified
from settle_guess($1, $2, $3, $4, $5::text::int[], $6::text::int[], $7::text::float8[])
"""

SENDS = "select sends_of($1)"

CLAIM = """
select id, client_id, client, phone_hash, status, deliver, test, created_at, expires_at, sealed, token, lifts, sends,
       now, stale
from claim_v2($1, $2, make_interval(secs => $3), make_interval(secs => $4), $5)
"""

# The row is held, so that a press of the same moment comes before or after. A send that it put in this place is begun
# only where it is of the same channel: else one would be recorded, and another made.
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


EXPIRE = "select expire($1, $2)"

BACKLOG = "select waited, unreadable from backlog($1, $2)"

HELD = "select provider_id from sends where provider_id = any ($1)"

UNSETTLED = """
update guesses g set settle_at = coalesce($1::timestamptz, clock_timestamp()) + interval '15 seconds'
from verifications v join clients c on c.id = v.client_id
where v.id = g.verification_id and g.id in (
    select x.id from guesses x
    where x.state = 'open' and x.settle_at <= coalesce($1, clock_timestamp())
    order by x.settle_at limit $2 for update skip locked
)
returning g.id, c.name, v.test, g.verification_id, sends_of(v.id) as sends
"""

LEAVE_OPEN = """
update guesses set settle_at = clock.now + least((clock.now - counted_at) / 2, interval '15 seconds')
from (select coalesce($1::timestamptz, clock_timestamp()) as now) as clock
where id = $2 and state = 'open'
"""

# `event_type` held the provider's own word, which the last release writes still; ours says as much.
KEEP_EVENT = """
insert into webhook_events (event_id, event_type, delivery, provider_id, received_at, look_at)
select $2, $3, $3, $4, clock.now, clock.now
from (select coalesce($1::timestamptz, clock_timestamp()) as now) as clock
on conflict do nothing
"""

APPLY_EVENTS = """
select looked, applied, unknown, dropped from apply_webhooks_v2($1, make_interval(secs => $2), $3, $4)
"""
