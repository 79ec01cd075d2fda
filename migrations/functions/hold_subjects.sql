-- Hold subjects until the end of the transaction, always in one order so that two callers cannot deadlock.
-- A lock of the transaction (PgBouncer keeps those whole); a collision of its 64 bits only makes somebody wait.
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
