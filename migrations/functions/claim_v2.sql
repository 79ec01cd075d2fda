-- Claim due verifications for one process. A lease that ran out counts as due once its grace is over: next_action_at of
-- a leased row is the end of its lease and the grace. The rows are read after they are locked, so that a fallback or a
-- webhook that came before is seen and one that comes after nudges.
-- p_tags: the keys that this process has; null: any row. A row sealed under another key (while SECRET_KEY is rotated)
-- is left to a process that can read it.
-- stale: another process's lease on the row ran out. That process may be alive, and may have answered a caller 503.
create or replace function claim_v2(
    p_now timestamptz, p_most int, p_lease interval, p_grace interval, p_tags bytea[]
) returns table (
    id uuid, client_id int, client text, phone_hash uuid, status text, deliver boolean, test boolean,
    created_at timestamptz, expires_at timestamptz, sealed bytea, token uuid, lifts text[], sends jsonb, now timestamptz,
    stale boolean
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_ids uuid[];
    v_stale uuid[];
begin
    with due as (
        select r.id, r.lease_token is not null as stale from verifications r
        where r.next_action_at <= v_now and r.status = 'pending' and r.expires_at > v_now
          and (p_tags is null or substring(r.sealed for 4) = any (p_tags))
        order by r.next_action_at
        limit p_most
        for update skip locked
    ), leased as (
        update verifications r set
            lease_until = v_now + p_lease,
            lease_token = gen_random_uuid(),
            next_action_at = v_now + p_lease + p_grace,
            nudged = false
        from due where r.id = due.id
        returning r.id, due.stale
    )
    select array_agg(l.id), array_agg(l.id) filter (where l.stale) into v_ids, v_stale from leased l;
    return query
    select r.id, r.client_id, c.name, r.phone_hash, r.status, r.deliver, r.test, r.created_at, r.expires_at,
           r.sealed, r.lease_token, r.lifts, sends_of(r.id), v_now, coalesce(r.id = any (v_stale), false)
    from verifications r join clients c on c.id = r.client_id where r.id = any (v_ids);
end
$$;
