-- What is left of an array that goes with a history's marks once these marks are counted anew: all but the place of each
-- whose code has not been entered (`place`).
create or replace function without_marks(p_array anyarray, p_marks int[], p_goods boolean[], p_new int[])
returns anyarray language plpgsql immutable as $$
begin
    if cardinality(p_new) = 1 then
        return without(p_array, place(p_marks, p_goods, p_new[1]));
    end if;
    return array(
        select p_array[t.n] from generate_subscripts(p_marks, 1) as t(n)
        where p_goods[t.n] or p_marks[t.n] <> all (p_new) or t.n <> array_position(p_marks, p_marks[t.n])
        order by t.n
    );
end
$$;
