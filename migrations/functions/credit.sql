-- Codes were entered: every send of these verifications counts as converted in the histories in which it was counted;
-- once, however many right codes came and however often this is called. So does each that went out in its country's
-- hour.
create or replace function credit(p_now timestamptz, p_ids uuid[]) returns void
language plpgsql
as $$
begin
    perform from holding(array(
        select w.subject from sends s, unnest(s.weighed) as w(subject) where s.verification_id = any (p_ids)
    ));
    with fresh as (
        update sends s set credited = true
        where s.verification_id = any (p_ids) and s.weighed is not null and not s.credited
        returning s.weighed, s.weighed_at, s.country, s.booked_on
    ), converted as (
        insert into country_hours as h (country, hour, sends, converted)
        select f.country, date_trunc('hour', f.weighed_at, 'UTC'), 0, count(*)
        from fresh f where f.booked_on is not null and f.country is not null and f.weighed_at is not null
        group by 1, 2 order by 1, 2
        on conflict (country, hour) do update set converted = h.converted + excluded.converted
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
