-- Give back the places that a verification took, now that its code was entered: exactly those, told by their times, and
-- only in what is given back; all that was counted (`hits`) keeps them. With p_whole also there: they never were.
-- The caller must hold the subjects, and must not come again with the same places.
create or replace function give_back(p_subjects uuid[], p_places timestamptz[], p_whole boolean) returns void
language sql as $$
    update counters c set
        unconverted = case when c.unconverted is not null or not p_whole then array(
            select u.hit from unnest(coalesce(c.unconverted, c.hits)) with ordinality as u(hit, n)
            where u.hit <> all (p_places) order by u.n
        ) end,
        hits = case when p_whole then array(
            select u.hit from unnest(c.hits) with ordinality as u(hit, n) where u.hit <> all (p_places) order by u.n
        ) else c.hits end
    where c.subject = any (p_subjects) and c.hits && p_places
$$;
