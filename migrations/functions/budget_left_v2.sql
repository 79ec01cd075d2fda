-- How many wrong codes a number has left: the smaller of its source's budget and its own.
-- Windows come as arrays of one length: which budget, how many, in how many seconds.
-- plpgsql keeps its plan for the session; a function in language sql would be planned anew for every caller's
-- statement.
create or replace function budget_left_v2(
    p_source uuid, p_total uuid, p_now timestamptz, w_kind text[], w_max int[], w_seconds float8[]
) returns int language plpgsql stable
as $$
begin
    return (
        select coalesce(min(w.max - used.n), 1000)::int
        from unnest(w_kind, w_max, w_seconds) as w(kind, max, seconds)
        left join counters c on c.subject = case w.kind when 'source_budget' then p_source when 'total_budget' then p_total end
        cross join lateral (
            select count(*)::int as n
            from unnest(c.hits[1:w.max]) as hit
            where hit > p_now - make_interval(secs => w.seconds)
        ) as used
        where w.kind in ('source_budget', 'total_budget')
    );
end
$$;
