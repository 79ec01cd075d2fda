-- Codes were entered: every send of these verifications counts as converted in the histories in which it was counted;
-- once, however many right codes came and however often this is called.
create or replace function credit(p_now timestamptz, p_ids uuid[]) returns void
language plpgsql
as $$
begin
    perform hold_subjects(array(
        select distinct w.subject from sends s, unnest(s.weighed) as w(subject) where s.verification_id = any (p_ids)
    ));
    with fresh as (
        update sends s set credited = true
        where s.verification_id = any (p_ids) and s.weighed is not null and not s.credited
        returning s.weighed, s.weighed_at
    ), read as (
        select w.subject, count(*) as sends, array_agg(f.weighed_at) as ats
        from fresh f cross join unnest(f.weighed) as w(subject)
        group by w.subject
    )
    update histories h set
        goods = array(
            select e.good or e.at = any (r.ats)
            from unnest(h.goods, h.ats) with ordinality as e(good, at, n) order by e.n
        ),
        day_good = h.day_good + r.sends,
        long_good = h.long_good + r.sends
    from read r where h.subject = r.subject;
end
$$;
