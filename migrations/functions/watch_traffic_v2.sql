-- What the whole service sends, and how much of it converts: one process looks in each p_every, and the others get
-- nothing. New rows are found by the primary key and summed by the minute, so that no counter is in the way of a send
-- and the cost does not grow with history. A minute is settled once its verifications have ended; a later channel
-- counts in the minute of its request.
-- p_recent, p_usual: the spans over which the minutes of now, and of this time of day on each of p_days, are averaged;
-- p_settled: after how long all verifications of a minute have ended; p_window: the span over which converted ones are
-- counted; p_caught_up: how far back minutes are written that nobody looked at.
create or replace function watch_traffic_v2(
    p_now timestamptz, p_every interval, p_recent interval, p_usual interval, p_days int, p_settled interval,
    p_window interval, p_caught_up interval
) returns table (
    sent int, recent float8, usual float8, hour_sent int, hour_read int
)
language plpgsql
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
                 and is_real(s) and s.state in ('sent', 'in_doubt'))
    from generate_series(v_minute - p_caught_up, v_minute - v_step, v_step) as m
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
              and is_real(s) and s.state in ('sent', 'in_doubt')
        ) as x
        where not m.settled and m.minute between v_now - p_window and v_now - p_settled
    ) as c
    where t.minute = c.minute;
    select count(*) into sent from sends s
    where s.verification_id >= first_id(v_now - v_step) and is_real(s) and s.state in ('sent', 'in_doubt');
    select sum(t.sends) / (extract(epoch from p_recent) / 60) into recent
    from traffic t where t.minute >= v_minute - p_recent;
    select sum(t.sends)::float8 / nullif(count(*), 0) into usual
    from generate_series(1, p_days) as d(day)
    join traffic t on t.minute between v_minute - d.day * interval '1 day' - p_usual
                                   and v_minute - d.day * interval '1 day' + p_usual;
    select coalesce(sum(t.sent), 0), coalesce(sum(t.read), 0) into hour_sent, hour_read
    from traffic t where t.settled and t.minute >= v_now - p_window - p_settled;
    return next;
end
$$;
