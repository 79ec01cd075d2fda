-- Settle what weigh began: a send that is allowed reserves its place in the limits of device and number
-- (over all clients); one that is not, or finds a limit spent, is taken out of the histories again.
-- Raises the blocks that the rules asked for: 5 minutes, twice as long each time within a day, 12 hours at most.
create function resolve(
    p_now timestamptz, p_keep int, p_ids uuid[], p_ordinals int[], p_allows boolean[], p_ats timestamptz[],
    s_item int[], s_subject uuid[], l_item int[], l_name text[], l_subject uuid[], l_max int[], l_seconds float8[],
    b_item int[], b_subject uuid[], b_kind text[], b_label text[], b_reason text[]
) returns table (item int, refused_by text)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_subjects uuid[];
begin
    perform hold_subjects(s_subject || l_subject || b_subject);
    v_now := coalesce(p_now, clock_timestamp());
    for i in 1 .. cardinality(p_ids) loop
        item := i;
        refused_by := null;
        v_subjects := array(select s.subject from unnest(s_item, s_subject) as s(item, subject) where s.item = i);
        if p_allows[i] then
            select min(l.name) into refused_by
            from unnest(l_item, l_name, l_subject, l_max, l_seconds) as l(item, name, subject, max, seconds)
            join counters c on c.subject = l.subject
            where l.item = i and c.hits[l.max] > v_now - make_interval(secs => l.seconds);
        end if;
        if p_allows[i] and refused_by is null then
            perform count_hits(
                array(select distinct l.subject from unnest(l_item, l_subject) as l(item, subject) where l.item = i),
                p_keep, v_now
            );
            update sends s set weighed = v_subjects, weighed_at = p_ats[i]
            where s.verification_id = p_ids[i] and s.ordinal = p_ordinals[i];
        else
            update histories h set
                ats = without(h.ats, array_position(h.ats, p_ats[i])),
                marks = without(h.marks, array_position(h.ats, p_ats[i])),
                goods = without(h.goods, array_position(h.ats, p_ats[i])),
                day_sends = greatest(0, h.day_sends - 1),
                long_sends = greatest(0, h.long_sends - 1)
            where h.subject = any (v_subjects) and array_position(h.ats, p_ats[i]) is not null;
        end if;
        return next;
    end loop;
    insert into blocks (subject, kind, label, reason, level, began_at, until, set_by)
    select b.subject, b.kind, b.label, b.reason, g.level, v_now,
           v_now + least(interval '5 minutes' * (2 ^ g.level), interval '12 hours'), 'rule'
    from (select distinct on (subject) subject, kind, label, reason
          from unnest(b_subject, b_kind, b_label, b_reason) as x(subject, kind, label, reason)
          order by subject) as b
    cross join lateral (
        select least(coalesce(max(o.level) + 1, 0), 8)::smallint as level, bool_or(o.until > v_now and o.lifted_at is null) as held
        from blocks o where o.subject = b.subject and o.until > v_now - interval '1 day'
    ) as g
    where g.held is not true;
end
$$;
