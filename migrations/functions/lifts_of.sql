-- What operators have waived for a number now: 'limits', 'lockouts', names of rules. Null for nothing, which is usual.
create or replace function lifts_of(p_phone uuid, p_now timestamptz) returns text[] language plpgsql stable as $$
begin
    return (
        select array_agg(distinct l.name)
        from exemptions e cross join unnest(e.lifts) as l(name)
        where e.phone_hash = p_phone and e.until > p_now and e.lifted_at is null
    );
end
$$;
