-- What the whole service sends, and how much of it is read: one process looks in any p_every, the others are told
-- nothing. Found by the key of what is new and kept by the minute, so that no counter is in the way of a send and
-- the cost does not grow with history. A minute is settled once its verifications have ended; a later channel
-- counts in the minute of its request.
create or replace function watch_traffic(p_now timestamptz, p_every interval) returns table (
    sent int, recent float8, usual float8, hour_sent int, hour_read int
)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_minute timestamptz := date_trunc('minute', v_now);
    v_step interval := interval '1 minute';
begin
    insert into rounds as r (name, at) values ('traffic', v_now)
    on conflict (name) do update set at = v_now where r.at <= v_now - p_every;
    if not found then
        return;
    end if;
    insert into traffic (minute, sends)
    select m, (select count(*) from sends s
               where s.verification_id >= first_id(m) and s.verification_id < first_id(m + v_step)
                 and s.provider = 'telnyx' and s.state in ('sent', 'in_doubt'))
    from generate_series(v_minute - 20 * v_step, v_minute - v_step, v_step) as m
    where not exists (select from traffic t where t.minute = m)
    on conflict do nothing;
    update traffic t set settled = true, sends = c.sends, sent = c.sent, read = c.read
    from (
        select m.minute, x.sends, x.sent, x.read
        from traffic m cross join lateral (
            select count(*) as sends, count(distinct v.id) as sent,
                   count(distinct v.id) filter (where v.status = 'verified') as read
            from sends s join verifications v on v.id = s.verification_id
            where s.verification_id >= first_id(m.minute) and s.verification_id < first_id(m.minute + v_step)
              and s.provider = 'telnyx' and s.state in ('sent', 'in_doubt')
        ) as x
        where not m.settled and m.minute between v_now - interval '1 hour' and v_now - 12 * v_step
    ) as c
    where t.minute = c.minute;
    select count(*) into sent from sends s
    where s.verification_id >= first_id(v_now - v_step) and s.provider = 'telnyx' and s.state in ('sent', 'in_doubt');
    select sum(t.sends) / 5.0 into recent from traffic t where t.minute >= v_minute - 5 * v_step;
    select sum(t.sends)::float8 / nullif(count(*), 0) into usual
    from generate_series(1, 7) as d(day)
    join traffic t on t.minute between v_minute - d.day * interval '1 day' - 30 * v_step
                                   and v_minute - d.day * interval '1 day' + 30 * v_step;
    select coalesce(sum(t.sent), 0), coalesce(sum(t.read), 0) into hour_sent, hour_read
    from traffic t where t.settled and t.minute >= v_now - interval '72 minutes';
    return next;
end
$$;
