-- Lock subjects until the end of the transaction, always in one order: two callers that took them in different orders
-- would deadlock. The locks belong to the transaction, which PgBouncer keeps whole. Two subjects whose 64 bits collide
-- only wait for each other.
create or replace function hold_subjects(p_subjects uuid[]) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(held.key) from (
        select distinct uuid_hash_extended(s.subject, 0) as key
        from unnest(p_subjects) as s(subject)
        where s.subject is not null
        order by 1
    ) as held;
end
$$;
