-- Release a fallback whose caller is being answered: its send is due now.
create or replace function release_press(p_now timestamptz, p_id uuid, p_press uuid) returns void language plpgsql as $$
declare
    v verifications;
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    update verifications r set
        press = null, before_press = null,
        lease_until = case when r.lease_token <> p_press then r.lease_until end,
        lease_token = nullif(r.lease_token, p_press),
        nudged = r.lease_token is distinct from p_press,
        next_action_at = case
            when r.lease_token is not null and r.lease_token <> p_press then r.next_action_at
            when r.status <> 'pending' then tidy_at(r.id, v_now)
            else v_now
        end
    where r.id = p_id and r.press = p_press
    returning * into v;
    update sends s set due_at = s.wanted_at
    where s.verification_id = v.id and s.cause = 'press' and s.state = 'due' and s.attempts = 0;
end
$$;
