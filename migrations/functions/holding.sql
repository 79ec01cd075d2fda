-- Lock subjects as hold_subjects says: PERFORM FROM holding(...). The planner writes the body into the statement that reads
-- from it, so that it costs no call of its own; it only does so with what is declared stable.
create or replace function holding(p_subjects uuid[]) returns setof text language sql stable as $$
    select pg_advisory_xact_lock(held.key)::text from (
        select uuid_hash_extended(s.subject, 0) as key
        from unnest(p_subjects) as s(subject)
        where s.subject is not null
        order by 1
    ) as held
$$;
