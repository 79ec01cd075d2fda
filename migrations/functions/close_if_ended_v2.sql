-- A guess was compared: a right one verifies, even if the verification expired while it was being checked; the last
-- wrong one locks. Whatever ended it, nothing is left to send, and the number is no longer needed.
-- Only settle_guess_v2 calls it, which processes of revision 0005 call. It stands here because it takes a row of a table:
-- the way back beyond 0003 drops such functions of this folder, and the table after them.
create or replace function close_if_ended_v2(
    v verifications, p_result text, p_now timestamptz, p_codes int, w_kind text[], w_max int[], w_seconds float8[]
) returns verifications language plpgsql as $$
declare
    v_status text := case
        when p_result = 'right' and v.status in ('pending', 'expired') then 'verified'
        when v.status = 'pending' then nullif(effective_status_v2(v, p_now, p_codes, w_kind, w_max, w_seconds), 'pending')
    end;
begin
    if v_status is null then return v; end if;
    update verifications r set
        status = v_status, closed_at = p_now, sealed = null,
        next_action_at = case when r.lease_token is not null then r.next_action_at else tidy_at(r.id, p_now) end
    where r.id = v.id
    returning * into v;
    return v;
end
$$;
