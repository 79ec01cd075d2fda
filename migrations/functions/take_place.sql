-- Count one hit of a subject, as count_hits does, where a code that is entered gives the place back (give_back). Returns
-- its time, by which it is told from every other of the subject.
-- The caller must hold the subject. What a process of the release before has counted stays.
create or replace function take_place(p_subject uuid, p_keep int, p_now timestamptz) returns timestamptz language sql as $$
    insert into counters as c (subject, hits, unconverted)
    select p_subject, array[p_now], array[p_now] where p_subject is not null
    on conflict (subject) do update set
        hits = (greatest(p_now, c.hits[1] + interval '1 microsecond') || c.hits)[1:p_keep],
        unconverted = (greatest(p_now, c.hits[1] + interval '1 microsecond') || coalesce(c.unconverted, c.hits))[1:p_keep]
    returning c.hits[1]
$$;
