-- Reserve a guess as reserve_guess_v3 does, but only once for its id: called again after an unclear end, it returns
-- what is stored; and a guess that was taken back before it came is not reserved any more.
create or replace function reserve_once_v2(
    p_now timestamptz, p_key int, p_client int, p_id uuid, p_guess uuid, p_idem uuid, p_body uuid, p_settle interval,
    p_codes int, p_keep int, w_kind text[], w_max int[], w_seconds float8[]
) returns table (
    outcome text, status text, remaining int, verified boolean, test boolean, age float8, channels int, sends jsonb
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v verifications;
    v_now timestamptz;
begin
    select * into v from verifications r where r.id = p_id and r.client_id = p_client for update;
    if exists (select from withdrawals w where w.id = p_guess) then
        raise query_canceled using message = 'taken back before it came';
    end if;
    if exists (select from guesses g where g.id = p_guess) then
        v_now := coalesce(p_now, clock_timestamp());
        return query select 'reserved', effective_status_v2(v, v_now, p_codes, w_kind, w_max, w_seconds),
            attempts_left_v2(v, v_now, p_codes, w_kind, w_max, w_seconds), null::boolean, v.test,
            extract(epoch from v_now - v.pressed_at)::float8, cardinality(v.used), sends_of(p_id);
        return;
    end if;
    return query select * from reserve_guess_v3(
        p_now, p_key, p_client, p_id, p_guess, p_idem, p_body, p_settle, p_codes, p_keep, w_kind, w_max, w_seconds
    );
end
$$;
