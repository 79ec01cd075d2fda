-- Count one hit of each subject, newest first. The caller must hold the subjects (hold_subjects): otherwise two callers
-- could both be admitted on the last place. A time is never at or below the subject's last one, so that each hit can be
-- told from every other.
create or replace function count_hits(p_subjects uuid[], p_keep int, p_now timestamptz) returns void language sql as $$
    insert into counters as c (subject, hits)
    select s.subject, array[p_now] from unnest(p_subjects) as s(subject) where s.subject is not null
    on conflict (subject) do update
        set hits = (greatest(p_now, c.hits[1] + interval '1 microsecond') || c.hits)[1:p_keep]
$$;
