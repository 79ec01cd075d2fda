-- An array without one of its places; the whole array if the place is null.
create or replace function without(p_array anyarray, p_place int) returns anyarray language sql immutable as $$
    select case when p_place is null then p_array else p_array[:p_place - 1] || p_array[p_place + 1:] end
$$;
