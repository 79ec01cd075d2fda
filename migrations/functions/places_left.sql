-- How many of p_max places are free: the hits since p_since take one each. p_hits: newest first.
-- A loop, because a subquery for each of a batch's items costs several times as much.
create or replace function places_left(p_hits timestamptz[], p_max int, p_since timestamptz) returns int
language plpgsql immutable as $$
declare
    v_taken int := 0;
begin
    while v_taken < p_max and p_hits[v_taken + 1] > p_since loop
        v_taken := v_taken + 1;
    end loop;
    return p_max - v_taken;
end
$$;
