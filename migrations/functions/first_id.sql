-- The smallest id (UUIDv7) that could be made at a moment: ids sort by time, so new rows are found by the primary key.
create or replace function first_id(p_at timestamptz) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
