-- End expired verifications, p_most at a time: no number is kept longer than its verification, no send is left begun or
-- due, and what was not sent costs nothing. Returns how many it ended.
-- A verification, or a send of one, that somebody else has locked is left for the next look: it must not hold up the
-- rest.
create or replace function expire(p_now timestamptz, p_most int) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_ids uuid[];
begin
    v_ids := array(
        select v.id from verifications v
        where v.next_action_at <= v_now and (v.expires_at <= v_now or v.status <> 'pending')
        order by v.next_action_at limit p_most for update skip locked
    );
    if v_ids = '{}' then return 0; end if;
    v_ids := array(
        select i.id from unnest(v_ids) as i(id)
        except
        select h.verification_id from (
            select s.verification_id, s.ordinal from sends s
            where s.verification_id = any (v_ids) and s.state in ('begun', 'due')
            except
            select f.verification_id, f.ordinal from (
                select s.verification_id, s.ordinal from sends s
                where s.verification_id = any (v_ids) and s.state in ('begun', 'due') for update skip locked
            ) as f
        ) as h
    );
    update sends s set state = case s.state when 'begun' then 'in_doubt' else 'abandoned' end, ended_at = v_now
    where s.verification_id = any (v_ids) and s.state in ('begun', 'due');
    perform refund_sends(v_ids);
    update verifications v set
        status = case v.status when 'pending' then 'expired' else v.status end,
        closed_at = coalesce(v.closed_at, v.expires_at), sealed = null,
        next_action_at = null, lease_token = null, lease_until = null
    where v.id = any (v_ids);
    return cardinality(v_ids);
end
$$;
