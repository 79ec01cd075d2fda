-- Record how sends ended, for a batch, each under its lease token. A process that has lost its lease changes nothing,
-- and learns so because its token is not returned. Releases the leases and sets when each row is looked at next:
-- p_next_in seconds from now, or at once if something happened meanwhile.
-- A send that reached nobody is taken out of the ledger in the same transaction. A decision that is stored stays.
-- A row that somebody has locked makes its batch fail soon, and the batch is then recorded one by one: it must not keep
-- the others from being recorded while their leases last.
create or replace function record_v3(
    p_now timestamptz, p_id uuid[], p_token uuid[], p_ordinal int[], p_state text[], p_wait float8[],
    p_provider text[], p_real boolean[], p_provider_id text[], p_error text[], p_delivery text[], p_decision jsonb[],
    p_next_in float8[]
) returns setof uuid
language plpgsql
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    -- Hardly ever has the provider told of a send before that is recorded; wake_events may miss what comes meanwhile, too.
    if exists (select from webhook_events x where x.provider_id = any (p_provider_id) and x.applied_at is null) then
        perform wake_events(v_now, p_provider_id);
    end if;
    perform 1 from verifications v where v.id = any (p_id) order by v.id for update;
    update sends s set
        state = r.state,
        due_at = case when r.state = 'due' then v_now + make_interval(secs => r.wait) else s.due_at end,
        ended_at = case when r.state <> 'due' then v_now end,
        attempts = s.attempts + 1,
        provider = r.provider,
        real = r.real,
        provider_id = r.provider_id,
        -- Given up for its deadline: that alone would not tell what kept it waiting.
        -- That it waited is no cause either: what it waited for stands there, if a try of its own met it.
        error = case
            when r.state = 'abandoned' then concat_ws(': ', r.error, s.error)
            when r.state = 'due' and r.error = 'waited' then coalesce(s.error, r.error)
            else r.error
        end,
        delivery = r.delivery,
        delivery_at = case when r.delivery is not null then v_now end,
        decision = coalesce(s.decision, r.decision)
    from unnest(p_id, p_token, p_ordinal, p_state, p_wait, p_provider, p_real, p_provider_id, p_error,
                p_delivery, p_decision)
         as r(id, token, ordinal, state, wait, provider, real, provider_id, error, delivery, decision)
    join verifications v on v.id = r.id and v.lease_token = r.token
    where s.verification_id = r.id and s.ordinal = r.ordinal and s.state in ('begun', 'due');
    if p_state && array['refused', 'abandoned'] then
        perform refund_sends(p_id);
    end if;
    return query
    update verifications v set
        lease_token = null,
        lease_until = null,
        nudged = false,
        next_action_at = case
            when v.status <> 'pending' then tidy_at(v.id, v_now)
            when v.nudged then v_now
            else v_now + make_interval(secs => r.next)
        end
    from unnest(p_id, p_token, p_next_in) as r(id, token, next)
    where v.id = r.id and v.lease_token = r.token
    returning r.token;
end
$$;
