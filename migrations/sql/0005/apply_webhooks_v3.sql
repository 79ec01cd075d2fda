-- Look at the events that are due: apply those whose send is recorded, and let the others wait for theirs.
-- A delivery only moves forward. A failed one makes its verification due, whoever holds the lease.
-- An event about an unknown send is looked at twice, and then not again until its id is recorded (wake_events), so that
-- it costs nothing however many there are. The second look, p_second_look later, finds a send that was being recorded
-- during the first. Of all that wait, the newest p_most are kept, in the order in which they were found to be unknown.
create or replace function apply_webhooks_v3(
    p_now timestamptz, p_keep interval, p_second_look interval, p_batch int, p_most int
) returns table (
    looked int, applied int, unknown int, dropped int
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_due bigint[];
    v_known bigint[];
    v_failed uuid[];
    v_last bigint;
begin
    v_due := array(
        select w.id from webhook_events w
        where w.look_at <= v_now order by w.look_at limit p_batch for update skip locked
    );
    v_known := array(
        select w.id from webhook_events w
        where w.id = any (v_due) and w.received_at > v_now - p_keep
          and exists (select from sends s where s.provider_id = w.provider_id and s.provider = w.provider)
    );
    looked := cardinality(v_due);
    applied := cardinality(v_known);
    if applied > 0 then
        perform 1 from sends s
        where (s.provider_id, s.provider) in (
            select w.provider_id, w.provider from webhook_events w where w.id = any (v_known)
        )
        order by s.verification_id, s.ordinal for update;
        with told as (
            select w.provider, w.provider_id,
                   (array_agg(w.delivery order by delivery_rank(w.delivery) desc))[1] as delivery
            from webhook_events w where w.id = any (v_known)
            group by w.provider, w.provider_id
        ), moved as (
            update sends s set delivery = t.delivery, delivery_at = v_now
            from told t
            where s.provider_id = t.provider_id and s.provider = t.provider
              and delivery_rank(t.delivery) > delivery_rank(s.delivery)
            returning s.verification_id, s.delivery
        )
        select array_agg(m.verification_id) into v_failed from moved m where m.delivery = 'failed';
        update webhook_events w set applied_at = v_now, look_at = null, unknown_no = null where w.id = any (v_known);
        perform 1 from verifications v where v.id = any (v_failed) order by v.id for update;
        update verifications v set
            nudged = true,
            next_action_at = case when v.lease_token is null then v_now else v.next_action_at end
        where v.id = any (v_failed) and v.status = 'pending';
    end if;
    with missed as (
        update webhook_events w set
            look_at = case when w.unknown_no is null then v_now + p_second_look end,
            unknown_no = coalesce(w.unknown_no, nextval('unknown_events'))
        where w.id = any (v_due) and w.id <> all (v_known)
        returning w.unknown_no
    )
    select count(*), max(m.unknown_no) into unknown, v_last from missed m;
    with gone as (
        delete from webhook_events w where w.id = any (array(
            select x.id from webhook_events x where x.unknown_no <= v_last - p_most
            order by x.unknown_no limit 1000 for update skip locked
        )) returning w.received_at
    )
    select count(*) filter (where g.received_at > v_now - p_keep) into dropped from gone g;
    return next;
end
$$;
