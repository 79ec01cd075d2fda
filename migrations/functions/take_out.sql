-- Take sends out of the histories in which they were counted: they do not go out after all.
-- The caller holds the subjects.
create or replace function take_out(p_id uuid[], p_ordinal int[]) returns void language plpgsql as $$
begin
    update histories h set
        ats = array(select t.at from unnest(h.ats) with ordinality as t(at, n) where t.at <> all (g.ats) order by t.n),
        marks = array(
            select t.mark from unnest(h.ats, h.marks) with ordinality as t(at, mark, n) where t.at <> all (g.ats) order by t.n
        ),
        goods = array(
            select t.good from unnest(h.ats, h.goods) with ordinality as t(at, good, n) where t.at <> all (g.ats) order by t.n
        ),
        day_sends = greatest(0, h.day_sends - g.sends),
        long_sends = greatest(0, h.long_sends - g.sends)
    from (
        select w.subject, count(*) as sends, array_agg(s.weighed_at) as ats
        from unnest(p_id, p_ordinal) as i(id, ordinal)
        join sends s on s.verification_id = i.id and s.ordinal = i.ordinal
        cross join unnest(s.weighed) as w(subject)
        group by w.subject
    ) as g
    where h.subject = g.subject and h.ats && g.ats;
end
$$;
