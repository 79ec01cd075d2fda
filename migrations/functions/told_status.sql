-- The status that a caller is told, as effective_status_v2 has it, of a verification that was read and counted already:
-- v is its row, and p_wrong, p_open and p_left are its guesses by now. The caller holds its budgets.
create or replace function told_status(
    p_id uuid, p_phone_hash uuid, p_total_budget uuid, p_status text, p_expires_at timestamptz, p_now timestamptz,
    p_codes int, p_wrong int, p_open int, p_left int
) returns text
language plpgsql stable as $$
begin
    if p_status <> 'pending' then return p_status; end if;
    if p_expires_at <= p_now then return 'expired'; end if;
    if p_wrong >= p_codes then return 'locked'; end if;
    -- Only now, because few come this far: another verification's guess may be given back yet (guess_in_flight).
    if p_left = 0 and p_open = 0 and not exists (
        select from verifications w
        where w.phone_hash = p_phone_hash and w.total_budget = p_total_budget and w.guesses_open > 0 and w.id <> p_id
    ) then
        return 'locked';
    end if;
    return 'pending';
end
$$;
