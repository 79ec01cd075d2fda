-- Where a mark stands in a history, if its code has not been entered yet; else null.
create or replace function place(p_marks int[], p_goods boolean[], p_mark int) returns int language sql immutable as $$
    select case when not p_goods[array_position(p_marks, p_mark)] then array_position(p_marks, p_mark) end
$$;
