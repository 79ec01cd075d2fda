-- Times as ages: whole seconds before p_now, in the same order.
create or replace function extract_ages(p_ats timestamptz[], p_now timestamptz) returns int[] language sql immutable as $$
    select array(select extract(epoch from p_now - a)::int from unnest(p_ats) with ordinality as t(a, n) order by n)
$$;
