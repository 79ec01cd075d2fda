-- The status that a caller is told: the stored one, but expired by the clock, and locked when no guess remains and none
-- is still being checked.
create or replace function effective_status_v2(
    v verifications, p_now timestamptz, p_codes int, w_kind text[], w_max int[], w_seconds float8[]
) returns text language sql stable as $$
    select case
        when v.status <> 'pending' then v.status
        when v.expires_at <= p_now then 'expired'
        when v.guesses_wrong >= p_codes then 'locked'
        when attempts_left_v2(v, p_now, p_codes, w_kind, w_max, w_seconds) = 0 and not guess_in_flight(v) then 'locked'
        else 'pending'
    end
$$;
