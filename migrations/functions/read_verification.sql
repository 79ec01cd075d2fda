-- What a caller may know of a verification: one row for a valid key, none for any other; the row is empty if that
-- client has no such verification.
create or replace function read_verification(
    p_now timestamptz, p_key int, p_client int, p_id uuid, p_codes int, w_kind text[], w_max int[], w_seconds float8[]
) returns table (
    outcome text, status text, created_at timestamptz, expires_at timestamptz, closed_at timestamptz,
    used text[], pressed_at timestamptz, remaining int, wait float8
)
language sql stable as $$
    with clock as materialized (select coalesce(p_now, clock_timestamp()) as now)
    select 'read',
           case when v.id is not null then effective_status_v2(v, now, p_codes, w_kind, w_max, w_seconds) end,
           v.created_at, v.expires_at, v.closed_at, v.used, v.pressed_at,
           attempts_left_v2(v, now, p_codes, w_kind, w_max, w_seconds), null::float8
    from clock
    join api_keys k on k.id = p_key and k.revoked_at is null
    left join verifications v on v.id = p_id and v.client_id = p_client
$$;
