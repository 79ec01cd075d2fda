-- The smallest id (UUIDv7) made at a moment: ids sort by time, so that what is new is found by the key.
create or replace function first_id(p_at timestamptz) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
