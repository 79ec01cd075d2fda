-- Take in what a process sees wrong now, and return what begins and what is over: each once, whichever process asks. An
-- incident is over when nobody has seen it for p_quiet.
-- p_ring names this call: a process whose reply was lost calls again by the same name, and gets the same reply.
create or replace function ring_alerts_v2(
    p_now timestamptz, p_ring uuid, p_kinds text[], p_texts text[], p_quiet interval
) returns table (event text, kind text, text text, seconds float8) language plpgsql as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform 1 from alerts a where a.ended_at is null order by a.id for update;
    insert into alerts (kind, text, began_at, seen_at, began_by)
    select u.kind, u.text, v_now, v_now, p_ring from unnest(p_kinds, p_texts) as u(kind, text) order by u.kind
    on conflict (kind) where ended_at is null do nothing;
    update alerts a set seen_at = greatest(a.seen_at, v_now) where a.ended_at is null and a.kind = any (p_kinds);
    update alerts a set ended_at = v_now, ended_by = p_ring where a.ended_at is null and a.seen_at < v_now - p_quiet;
    return query
    select e.event, a.kind, a.text, extract(epoch from coalesce(a.ended_at, v_now) - a.began_at)::float8
    from alerts a cross join lateral (values
        ('began', a.began_by = p_ring), ('ended', a.ended_by = p_ring), ('open', a.ended_at is null)
    ) as e(event, told)
    where (a.ended_at is null or a.ended_by = p_ring) and e.told
    order by a.id;
end
$$;
