"""The operators' statements: one round trip each, bounded by a key or a window.

Used by operators.explaining.verifications.
"""

from __future__ import annotations

from service.db.asking import CLOCK

STATUS = "case when v.status = 'pending' and v.expires_at <= clock.now then 'expired' else v.status end"

READ = f"""
with {CLOCK}
select v.id, c.name as client, v.test, v.deliver, {STATUS} as status, v.created_at, v.expires_at, v.pressed_at,
       v.closed_at, v.guesses_wrong, v.sealed,
       (select coalesce(json_agg(to_jsonb(s) - 'phone_hash' - 'provider_id' - 'weighed' order by s.ordinal), '[]')
        from sends s where s.verification_id = v.id) as sends,
       (select coalesce(json_agg(json_build_object('counted_at', g.counted_at, 'state', g.state)
                                 order by g.counted_at), '[]')
        from guesses g where g.verification_id = v.id) as guesses
from verifications v join clients c on c.id = v.client_id, clock
where v.id = $2
"""  # noqa: S608 (ours)

# Of a test client's own verification, whoever asks: `test` is the row's, and a client's never changes.
EXPLAIN = """
select s.decision from verifications v join sends s on s.verification_id = v.id
where v.id = $1 and v.client_id = $2 and v.test and s.decision is not null
order by s.ordinal desc limit 1
"""

# The audit entry is made with the read: there is no way to look without it.
SEARCH = f"""
with {CLOCK}, noted as (
    insert into audits (at, key_id, action, subject) select clock.now, $2, 'search', $3 from clock
)
select v.id, c.name as client, v.test, v.deliver, {STATUS} as status, v.created_at, v.used as channels,
       array(select distinct f ->> 'rule' from sends s, jsonb_array_elements(s.decision -> 'findings') as f
             where s.verification_id = v.id and f ->> 'mode' = 'enforce' order by 1) as suppressed_by
from verifications v join clients c on c.id = v.client_id, clock
where v.phone_hash = $3 and ($4::timestamptz is null or (v.created_at, v.id) < ($4, $5::uuid))
order by v.created_at desc, v.id desc limit $6
"""  # noqa: S608 (ours)

# Amounts are added up as doubles: rounded to a millionth, they are the sums of the prices again, and the lines of all
# pages make up the totals. Without a line there is still a row, with the totals.
LEDGER = f"""
with {CLOCK}, asked as (
    select l.day, c.name as client, coalesce(nullif(l.country, ''), '?') as country, l.channel, l.sends,
           round(l.spent::numeric, 6) as spent, l.stopped as suppressed, round(l.saved::numeric, 6) as saved
    from clock, ledger l join clients c on c.id = l.client_id
    where l.day >= ((clock.now - $2::interval) at time zone 'UTC')::date
), page as (
    select * from asked a
    where $3::date is null or a.day < $3
       or a.day = $3 and (a.client, a.country, a.channel) > ($4::text, $5::text, $6::text)
    order by a.day desc, a.client, a.country, a.channel limit $7
)
select t.spent::float8 as all_spent, t.saved::float8 as all_saved, p.day, p.client, p.country, p.channel, p.sends,
       p.spent::float8 as spent, p.suppressed, p.saved::float8 as saved
from (select coalesce(sum(spent), 0) as spent, coalesce(sum(saved), 0) as saved from asked) t left join page p on true
order by p.day desc, p.client, p.country, p.channel
"""  # noqa: S608 (ours)

# Ids sort by time, so the key's index finds the window. Ids are made by the processes' clocks: so $3 is a little
# earlier, and created_at, which is the database's time, decides.
SUMMARY = f"""
with {CLOCK}, asked as materialized (
    select v.id, v.deliver, v.status = 'verified' as verified from verifications v, clock
    where v.id >= $3 and v.created_at > clock.now - $2::interval and v.created_at <= clock.now and not v.test
), made as materialized (
    select s.verification_id, coalesce(s.decision ->> 'by', s.channel) as channel, a.verified,
           s.decision -> 'findings' as findings,
           coalesce(s.decision -> 'facts' -> 'number' ->> 'country', '?') as country,
           a.deliver and s.decision -> 'allow' = 'false' as suppressed,
           is_real(s) and s.state in ('sent', 'in_doubt') as out
    from asked a join sends s on s.verification_id = a.id where s.decision is not null
), groups as (
    select m.country, m.channel, count(*) as requests, count(*) filter (where m.out) as sends,
           count(*) filter (where m.suppressed) as suppressed, count(*) filter (where m.out and m.verified) as verified
    from made m group by 1, 2
), found as (
    select f.rule, f.mode, count(*) as count
    from made m cross join lateral jsonb_to_recordset(m.findings) as f(rule text, mode text) group by 1, 2
)
select clock.now - $2::interval as since, clock.now as until,
       (select count(*) from asked) as requests,
       (select count(*) from asked where not deliver) as decoys,
       (select count(*) from made where out) as sends,
       (select count(*) from made where suppressed) as suppressed,
       (select count(distinct verification_id) from made where out) as sent_to,
       (select count(distinct verification_id) from made where out and verified) as verified,
       (select coalesce(json_agg(g order by g.requests desc, g.country, g.channel), '[]') from groups g) as groups,
       (select coalesce(json_agg(f order by f.count desc, f.rule, f.mode), '[]') from found f) as findings
from clock
"""  # noqa: S608 (ours)
