-- Forget a number: its verifications can no longer be attributed to anybody and, if pending, end; decisions, look-ups,
-- known sources and places in histories go. What counts stays: limits and budgets (otherwise a lockout could be
-- erased), and the histories' sums.
-- p_ids: verifications that an earlier call found begun; p_subjects and p_marks: where the number stands in histories.
-- Returns each verification, and whether a process is still working on it: then it has to be forgotten once more.
-- At most p_most verifications at a time, so that the locks of one call are bounded: if that many come back, there may
-- be more.
create or replace function forget_v3(
    p_now timestamptz, p_phone uuid, p_ids uuid[], p_subjects uuid[], p_marks int[], p_most int
) returns table (id uuid, busy boolean) language plpgsql as $$
#variable_conflict use_column
declare
    v_ids uuid[];
    v_subjects uuid[];
    v_now timestamptz;
begin
    v_ids := array(
        select held.id from (
            select v.id from verifications v
            where v.id = any (p_ids || array(
                select x.id from verifications x
                where x.phone_hash = p_phone and x.id <> all (p_ids) order by x.id limit p_most - cardinality(p_ids)
            ))
            order by v.id for update
        ) as held
    );
    v_subjects := p_subjects || array(
        select distinct w.subject from sends s cross join unnest(s.weighed) as w(subject)
        where s.verification_id = any (v_ids)
    );
    perform hold_subjects(v_subjects);
    v_now := coalesce(p_now, clock_timestamp());
    update histories h set (ats, marks, goods) = (
        select coalesce(array_agg(e.at order by e.n), '{}'), coalesce(array_agg(e.mark order by e.n), '{}'),
               coalesce(array_agg(e.good order by e.n), '{}')
        from unnest(h.ats, h.marks, h.goods) with ordinality as e(at, mark, good, n)
        where not exists (
            select from sends s
            where s.verification_id = any (v_ids) and s.weighed_at = e.at and h.subject = any (s.weighed)
        ) and not exists (
            select from unnest(p_subjects, p_marks) as o(subject, mark) where o.subject = h.subject and o.mark = e.mark
        )
    )
    where h.subject = any (v_subjects);
    delete from webhook_events w where (w.provider_id, w.provider) in (
        select s.provider_id, s.provider from sends s where s.verification_id = any (v_ids)
    );
    delete from idempotency_keys k where k.verification_id = any (v_ids);
    delete from lookups l where l.phone_hash = p_phone;
    delete from exemptions e where e.phone_hash = p_phone;
    delete from review_numbers r where r.phone_hash = p_phone;
    delete from known_sources k where k.phone_hash = p_phone;
    delete from refusals r where r.phone_hash = p_phone;
    -- If one of its device events is brought again, it still counts as used.
    update device_events e set phone_hash = gen_random_uuid() where e.phone_hash = p_phone;
    update device_events e set more_phones = array_replace(e.more_phones, p_phone, gen_random_uuid())
    where p_phone = any (e.more_phones);
    update captcha_verdicts c set phone_hashes = array_replace(c.phone_hashes, p_phone, gen_random_uuid())
    where p_phone = any (c.phone_hashes);
    update audits a set subject = null where a.subject = p_phone;
    update sends s set
        phone_hash = gen_random_uuid(), decision = null, provider_id = null, weighed = null, weighed_at = null,
        device_limit = null, device_place = null,
        state = case s.state when 'due' then 'abandoned' when 'begun' then 'in_doubt' else s.state end,
        ended_at = coalesce(s.ended_at, v_now)
    from verifications v
    where s.verification_id = any (v_ids) and v.id = s.verification_id
      and not (s.state = 'begun' and coalesce(v.lease_until > v_now, false));
    perform refund_sends(v_ids);
    return query
    update verifications v set
        phone_hash = gen_random_uuid(), phone_limit = gen_random_uuid(), ip_limit = null,
        source_budget = gen_random_uuid(), total_budget = gen_random_uuid(), sealed = null, lifts = null, sources = null,
        repeat_key = null, account_limit = null, account_place = null, ip_places = null,
        known_source = null,
        status = case when v.status <> 'pending' then v.status when v.expires_at <= v_now then 'expired' else 'canceled' end,
        closed_at = coalesce(v.closed_at, least(v.expires_at, v_now)),
        next_action_at = case when v.lease_until > v_now then v.next_action_at end,
        lease_token = case when v.lease_until > v_now then v.lease_token end,
        lease_until = case when v.lease_until > v_now then v.lease_until end
    where v.id = any (v_ids)
    returning v.id, v.lease_until is not null;
end
$$;
