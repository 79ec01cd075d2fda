-- Apply what Telnyx told to the sends it is about; what is about none of ours yet waits for its send.
-- A delivery moves forward only. A failed one makes its verification due, whoever holds the lease.
create or replace function apply_webhooks(p_now timestamptz, p_keep interval) returns int
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_events bigint[];
    v_failed uuid[];
begin
    select array_agg(e.id) into v_events
    from (select w.id from webhook_events w
          where w.applied_at is null and w.received_at > v_now - p_keep
            and exists (select from sends s where s.provider_id = w.provider_id)
          order by w.id limit 500 for update skip locked) as e;
    if v_events is null then return 0; end if;
    perform 1 from sends s
    where s.provider_id in (select w.provider_id from webhook_events w where w.id = any (v_events))
    order by s.verification_id, s.ordinal for update;
    with told as (
        select w.provider_id, (array_agg(w.delivery order by delivery_rank(w.delivery) desc))[1] as delivery
        from webhook_events w where w.id = any (v_events)
        group by w.provider_id
    ), moved as (
        update sends s set delivery = t.delivery, delivery_at = v_now
        from told t
        where s.provider_id = t.provider_id and delivery_rank(t.delivery) > delivery_rank(s.delivery)
        returning s.verification_id, s.delivery
    )
    select array_agg(m.verification_id) into v_failed from moved m where m.delivery = 'failed';
    update webhook_events w set applied_at = v_now where w.id = any (v_events);
    perform 1 from verifications v where v.id = any (v_failed) order by v.id for update;
    update verifications v set
        nudged = true,
        next_action_at = case when v.lease_token is null then v_now else v.next_action_at end
    where v.id = any (v_failed) and v.status = 'pending';
    return cardinality(v_events);
end
$$;
