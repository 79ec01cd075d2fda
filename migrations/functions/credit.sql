-- A code was read: every send of these verifications counts as good in the histories that it was counted in.
create or replace function credit(p_now timestamptz, p_ids uuid[]) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform hold_subjects(array(
        select distinct w.subject from sends s, unnest(s.weighed) as w(subject) where s.verification_id = any (p_ids)
    ));
    update histories h set
        goods = case when g.place is null then h.goods
                     else h.goods[:g.place - 1] || true || h.goods[g.place + 1:] end,
        day_good = h.day_good + 1,
        long_good = h.long_good + 1
    from (
        select w.subject, array_position(x.ats, s.weighed_at) as place
        from sends s cross join lateral unnest(s.weighed) as w(subject)
        join histories x on x.subject = w.subject
        where s.verification_id = any (p_ids)
    ) as g
    where h.subject = g.subject;
end
$$;
