-- Take in what a process sees wrong now, and say what that begins and what is over: each once, whichever process
-- asks. An incident is over when nobody has seen it for p_quiet.
create or replace function ring_alerts(p_now timestamptz, p_kinds text[], p_texts text[], p_quiet interval) returns table (
    event text, kind text, text text, seconds float8
) language plpgsql as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform 1 from alerts a where a.ended_at is null order by a.id for update;
    return query
    insert into alerts (kind, text, began_at, seen_at)
    select u.kind, u.text, v_now, v_now from unnest(p_kinds, p_texts) as u(kind, text) order by u.kind
    on conflict (kind) where ended_at is null do nothing
    returning 'began', kind, text, 0::float8;
    update alerts a set seen_at = greatest(a.seen_at, v_now) where a.ended_at is null and a.kind = any (p_kinds);
    return query
    update alerts a set ended_at = v_now where a.ended_at is null and a.seen_at < v_now - p_quiet
    returning 'ended', a.kind, a.text, extract(epoch from v_now - a.began_at)::float8;
    return query
    select 'open', a.kind, a.text, extract(epoch from v_now - a.began_at)::float8
    from alerts a where a.ended_at is null;
end
$$;
