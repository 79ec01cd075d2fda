-- Lock the histories in which these sends were counted, and those that are to be blocked, in one order. Whoever also needs
-- the subjects of limits takes those first, and nobody who has locked a row of sends comes here.
create or replace function hold_weighed(p_id uuid[], p_ordinal int[], p_blocked uuid[]) returns void language plpgsql as $$
begin
    perform from holding(p_blocked || array(
        select w.subject from unnest(p_id) with ordinality as i(id, n)
        join sends s on s.verification_id = i.id and s.ordinal = p_ordinal[i.n]
        cross join unnest(s.weighed) as w(subject)
    ));
end
$$;
