-- Note in the histories of these verifications that deliveries failed, for as long as the sends are in the histories.
-- The caller holds the subjects.
create or replace function note_failed(p_verifications uuid[]) returns void language sql as $$
    update histories h set failed = array(
        select distinct x.at from unnest(h.failed || f.ats) as x(at)
        where x.at >= h.ats[cardinality(h.ats)] order by x.at
    )
    from (
        select w.subject, array_agg(s.weighed_at) as ats
        from sends s cross join unnest(s.weighed) as w(subject)
        where s.verification_id = any (p_verifications) and s.delivery = 'failed'
        group by w.subject
    ) as f
    where h.subject = f.subject
$$;
