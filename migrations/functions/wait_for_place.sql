-- After how many seconds a subject has a place again, in one window of what was not converted; 0 or less: it has one.
-- p_unconverted is part of p_hits, both newest first. Beside p_max unconverted ones there may be more where nearly
-- everybody gets in and some never do (an office, a kiosk): one for every v_per codes that were entered within the
-- window, after the first v_free. Whoever enters fewer than half is stopped all the same.
-- A place comes free when an unconverted hit leaves the window, while a converted one that leaves only takes away: so
-- each moment at which one of the former leaves is tried, and the first that will do is told.
create or replace function wait_for_place(
    p_unconverted timestamptz[], p_hits timestamptz[], p_max int, p_seconds float8, p_now timestamptz
) returns float8 language plpgsql immutable
as $$
declare
    v_free constant int := 4;
    v_per constant int := 1;
    v_since timestamptz := p_now - make_interval(secs => p_seconds);
    v_wait float8 := extract(epoch from p_unconverted[p_max] - p_now) + p_seconds;
    v_place int;
    v_converted int;
begin
    -- Nearly always there is a place. Without so many hits in the window none is added.
    if (v_wait > 0) is not true or (p_hits[p_max + v_free + v_per] > v_since) is not true then
        return coalesce(v_wait, 0);
    end if;
    v_place := (select count(*) from unnest(p_unconverted) as hit where hit > v_since);
    v_converted := (select count(*) from unnest(p_hits) as hit where hit > v_since) - v_place;
    if v_place < p_max + greatest(0, v_converted - v_free) / v_per then return 0; end if;
    loop
        v_converted := (select count(*) from unnest(p_hits) as hit where hit > p_unconverted[v_place]) - (v_place - 1);
        exit when v_place - 1 < p_max + greatest(0, v_converted - v_free) / v_per;
        v_place := v_place - 1;
    end loop;
    return extract(epoch from p_unconverted[v_place] - p_now) + p_seconds;
end
$$;
