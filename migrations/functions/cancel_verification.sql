-- End a pending verification, for a valid key; no row if nothing was ended.
create or replace function cancel_verification(
    p_now timestamptz, p_key int, p_client int, p_id uuid, p_codes int, w_kind text[], w_max int[], w_seconds float8[]
) returns table (
    outcome text, status text, created_at timestamptz, expires_at timestamptz, closed_at timestamptz,
    used text[], pressed_at timestamptz, remaining int, wait float8
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
begin
    perform 1 from verifications r where r.id = p_id and r.client_id = p_client for update;
    v_now := coalesce(p_now, clock_timestamp());
    return query
    update verifications v set
        status = 'canceled', closed_at = v_now, sealed = null,
        next_action_at = case when v.lease_token is not null then v.next_action_at else tidy_at(v.id, v_now) end
    where v.id = p_id and v.client_id = p_client and v.status = 'pending' and v.expires_at > v_now
      and effective_status_v2(v, v_now, p_codes, w_kind, w_max, w_seconds) = 'pending'
      and exists (select from api_keys k where k.id = p_key and k.revoked_at is null)
    returning 'canceled', v.status, v.created_at, v.expires_at, v.closed_at, v.used, v.pressed_at,
        attempts_left_v2(v, v_now, p_codes, w_kind, w_max, w_seconds), null::float8;
end
$$;
