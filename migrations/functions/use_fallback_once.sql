-- Use the next channel as use_fallback does, but only once for an id, and held until the caller is known to have been
-- answered (release_fallback) or the lease is over. Called again after an unclear end, it returns what is stored; a
-- fallback that was taken back before it came is not made any more; and nothing is sent for one that may have been
-- answered 503. Without an id it is use_fallback. If no process acts on the row, the fallback holds its lease; if one
-- does, the send is due later. 'held': the fallback before it has been neither confirmed nor taken back yet.
create or replace function use_fallback_once(
    p_now timestamptz, p_fallback uuid, p_lease interval, p_grace interval, p_key int, p_client int, p_id uuid,
    p_order text[], p_after interval, p_extends_to interval, p_longest interval, p_most_sends int, p_keep int,
    p_codes int, w_kind text[], w_max int[], w_seconds float8[]
) returns table (
    outcome text, status text, created_at timestamptz, expires_at timestamptz, closed_at timestamptz,
    used text[], pressed_at timestamptz, remaining int, wait float8
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v verifications;
    v_now timestamptz;
begin
    select * into v from verifications r where r.id = p_id and r.client_id = p_client for update;
    v_now := coalesce(p_now, clock_timestamp());
    if exists (select from withdrawals w where w.id = p_fallback) then
        raise query_canceled using message = 'taken back before it came';
    end if;
    if v.press = p_fallback then
        return query select 'used', v.status, v.created_at, v.expires_at, v.closed_at, v.used, v.pressed_at,
            attempts_left_v2(v, v_now, p_codes, w_kind, w_max, w_seconds), null::float8;
        return;
    end if;
    -- This one could be made, but the one before may yet be taken back, which only the last one can be.
    if v.press is not null and p_fallback is not null and v_now < v.pressed_at + p_lease + p_grace
       and v_now >= v.pressed_at + p_after and exists (select from unnest(p_order) as o(c) where c <> all (v.used))
       and effective_status_v2(v, v_now, p_codes, w_kind, w_max, w_seconds) = 'pending' then
        outcome := 'held';
        return next;
        return;
    end if;
    for outcome, status, created_at, expires_at, closed_at, used, pressed_at, remaining, wait in
        select * from use_fallback(
            p_now, p_key, p_client, p_id, p_order, p_after, p_extends_to, p_longest, p_most_sends, p_keep, p_codes,
            w_kind, w_max, w_seconds
        )
    loop
        if outcome = 'used' and p_fallback is not null then
            update verifications r set
                press = p_fallback,
                before_press = array[v.pressed_at, v.expires_at],
                lease_token = coalesce(r.lease_token, p_fallback),
                lease_until = coalesce(r.lease_until, pressed_at + p_lease),
                next_action_at = case
                    when r.lease_token is null then pressed_at + p_lease + p_grace else r.next_action_at
                end
            where r.id = p_id;
            update sends s set due_at = pressed_at + p_lease + p_grace
            where s.verification_id = p_id and s.cause = 'press' and s.state = 'due' and s.wanted_at = pressed_at;
        end if;
        return next;
    end loop;
end
$$;
