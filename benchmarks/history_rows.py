"""Fills a database as it stands once it is older than anything is kept: called by benchmarks.history.

Without the policy's functions: rows as they end, evenly from the oldest to now.
"""

from __future__ import annotations

from tests.support.clusters import query

CHUNK = 200_000  # verifications
# Of 30.5 days, so that a sixtieth is too old.
VERIFICATIONS = """
with made as (
    insert into verifications (
        id, client_id, phone_hash, used, status, deliver, test, created_at, expires_at, pressed_at, closed_at,
        phone_limit, ip_limit, source_budget, total_budget
    )
    select uuidv7(- ago), 1, gen_random_uuid(), '{sms}', 'verified', true, false, now() - ago,
           now() - ago + interval '5 minutes', now() - ago, now() - ago, gen_random_uuid(), gen_random_uuid(),
           gen_random_uuid(), gen_random_uuid()
    from (select interval '30.5 days' * (1 - n / $3::float8) as ago from generate_series($1::int, $2::int) as n) as rows
    returning id, phone_hash, created_at
), sent as (
    insert into sends (
        verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at, ended_at, provider,
        provider_id, delivery, decision, weighed, weighed_at
    )
    select id, 1, phone_hash, 'sms', 'request', 'sent', created_at, created_at, created_at, created_at, 'telnyx',
           gen_random_uuid()::text, 'delivered', jsonb_build_object('facts', repeat(md5(id::text), 28)),
           array[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()], created_at
    from made
)
insert into guesses (id, verification_id, state, counted_at, settle_at, status, remaining)
select gen_random_uuid(), id, 'right', created_at, created_at, 'verified', 4 from made
"""
# $1 of 36 hours, so that a third is too old.
OTHERS = """
with rows as (
    select interval '36 hours' * (1 - n / $1::float8) as ago, gen_random_uuid() as key
    from generate_series(1, $1::int) as n
), keys as (
    insert into idempotency_keys (idem, body, verification_id, created_at, expires_at, remaining)
    select key, key, uuidv7(- ago), now() - ago, now() - ago, 5 from rows
), events as (
    insert into webhook_events (event_id, event_type, delivery, provider_id, received_at, applied_at, look_at)
    select key::text, 'verify.delivered', 'delivered', key::text, now() - ago, now() - ago, null from rows
)
insert into traces (verification_id, place, at) select key, '\\x00', now() - ago from rows
"""
DEVICES = """
insert into device_events (event, client_id, phone_hash, first_used_at)
select gen_random_uuid(), 1, gen_random_uuid(), now() - interval '31.5 days' * (1 - n / $1::float8)
from generate_series(1, $1::int) as n
"""
# In no order, as subjects come.
COUNTERS = """
insert into counters (subject, hits)
select gen_random_uuid(), array[now() - interval '30.5 days' * random()] from generate_series(1, $1::int)
"""


async def fill(url: str, rows: int) -> None:
    """Add verifications with a send and a guess each, and as many rows of the other tables as come with them."""
    await query(url, "alter role current_user set synchronous_commit = off")
    for first in range(1, rows + 1, CHUNK):
        await query(url, VERIFICATIONS, first, min(rows, first + CHUNK - 1), rows)
    for statement, count in ((OTHERS, rows // 20), (DEVICES, rows), (COUNTERS, 2 * rows)):
        await query(url, statement, count)
    await query(url, "alter role current_user reset synchronous_commit")
    await query(url, "vacuum (analyze)")
    await query(url, "checkpoint")
