-- How many wrong codes a number has left: the smaller of its source's budget and its own.
-- Windows come as arrays of one length: which budget (4 source, 5 total), how many, in how many seconds.
-- plpgsql keeps its plan for the session; language sql would plan this anew for every caller's statement.
create or replace function budget_left(
    p_source uuid, p_total uuid, p_now timestamptz, w_kind int[], w_max int[], w_seconds float8[]
) returns int language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
begin
    return (
        select coalesce(min(w.max - used.n), 1000)::int
        from unnest(w_kind, w_max, w_seconds) as w(kind, max, seconds)
        left join counters c on c.subject = case w.kind when 4 then p_source when 5 then p_total end
        cross join lateral (
            select count(*)::int as n
            from unnest(c.hits[1:w.max]) as hit
            where hit > p_now - make_interval(secs => w.seconds)
        ) as used
        where w.kind in (4, 5)
    );
end
$$;
