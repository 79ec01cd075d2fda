-- Whether none of these requests can be refused or replayed: no limit is near, no wrong code counts, no key was seen
-- before, and nobody has just tapped twice. Cheap, and wrong only in saying no: admit then looks at each item.
-- p_subjects: in which requests count; p_budgets: in which wrong codes do.
create or replace function is_plain(
    p_now timestamptz, w_max int[], w_seconds float8[], p_key_id int[], p_phone_hash uuid[], p_subjects uuid[],
    p_budgets uuid[], p_idem uuid[], p_repeat uuid[], p_repeat_within float8[]
) returns boolean language plpgsql stable as $$
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_least int;
    v_widest float8;
begin
    for i in 1 .. cardinality(w_max) loop
        v_least := least(v_least, w_max[i]);
        v_widest := greatest(v_widest, w_seconds[i]);
    end loop;
    return not exists (
        select from counters c
        where c.subject = any (p_subjects || p_budgets) and (
            c.hits[v_least] > v_now - make_interval(secs => v_widest) or c.subject = any (p_budgets)
        )
        union all
        select from idempotency_keys k where k.idem = any (p_idem)
        union all
        select from verifications r
        where r.phone_hash = any (p_phone_hash) and r.repeat_key = any (p_repeat)
          and r.created_at > v_now - make_interval(secs => (select max(w) from unnest(p_repeat_within) as w))
        union all
        select from unnest(p_key_id) as u(id) where not exists (
            select from api_keys k where k.id = u.id and k.revoked_at is null
        )
    );
end
$$;
