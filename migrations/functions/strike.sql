-- Count something against each of these subjects, whatever was decided.
create or replace function strike(p_now timestamptz, p_keep int, p_subjects uuid[]) returns void language plpgsql as $$
begin
    perform hold_subjects(p_subjects);
    for i in 1 .. cardinality(p_subjects) loop
        perform count_hits(array[p_subjects[i]], p_keep, coalesce(p_now, clock_timestamp()));
    end loop;
end
$$;
