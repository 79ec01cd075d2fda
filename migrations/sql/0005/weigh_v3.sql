-- Count sends in the history of each of their subjects, and read those histories: one item after the other, so that of
-- many at once each sees those before it. What is not sent after all is taken out again by resolve. A number that asks
-- again takes its own place: a resend is not a second unverified number.
-- A send is counted once (its row says so): weighed again, after a crash or a lost reply, it reads what it would have
-- read then; and a send that was resolved returns its decision (`decided`) and nothing else.
-- Also binds the device event to the first client and number that bring it, and finds blocks in force and the number's
-- line type if one is stored.
-- p_day, p_fortnight: the times in which a history's daily and fortnightly counts fade to 1/e; p_block_remembered: for
-- how long a block that has ended is still reported.
create or replace function weigh_v3(
    p_now timestamptz, p_keep int, p_day interval, p_fortnight interval, p_block_remembered interval,
    p_id uuid[], p_ordinal int[], p_client_id int[], p_phone_hash uuid[], p_event uuid[],
    s_item int[], s_hash uuid[], s_mark int[]
) returns table (item int, bound boolean, histories json, line text, decided jsonb)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_subjects uuid[];
    v_marks int[];
    v_now timestamptz;
    v_first boolean;
    v_day float8 := extract(epoch from p_day);
    v_fortnight float8 := extract(epoch from p_fortnight);
begin
    perform hold_subjects(s_hash);
    for i in 1 .. cardinality(p_id) loop
        select array_agg(s.subject order by s.n), array_agg(s.mark order by s.n) into v_subjects, v_marks
        from unnest(s_item, s_hash, s_mark) with ordinality as s(item, subject, mark, n) where s.item = i;
        select greatest(coalesce(p_now, clock_timestamp()), max(h.ats[1]) + interval '1 microsecond') into v_now
        from histories h where h.subject = any (v_subjects);
        v_now := coalesce(v_now, p_now, clock_timestamp());
        item := i;
        decided := null;
        update sends s set weighed = v_subjects, weighed_at = v_now
        where s.verification_id = p_id[i] and s.ordinal = p_ordinal[i] and s.weighed_at is null and s.decision is null;
        v_first := found;
        if not v_first then
            decided := (select s.decision from sends s
                        where s.verification_id = p_id[i] and s.ordinal = p_ordinal[i]);
            if decided is not null then
                bound := null;
                histories := null;
                line := null;
                return next;
                continue;
            end if;
        end if;
        insert into device_events (event, client_id, phone_hash, first_used_at)
        select p_event[i], p_client_id[i], p_phone_hash[i], v_now where p_event[i] is not null
        on conflict do nothing;
        select e.client_id = p_client_id[i] and e.phone_hash = p_phone_hash[i] into bound
        from device_events e where e.event = p_event[i];
        line := (select l.kind from lookups l where l.phone_hash = p_phone_hash[i] and l.until > v_now);
        with counted as (
            insert into histories as h (subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak)
            select s.subject, array[v_now], array[s.mark], array[false], 1, 0, 1, 0, 0
            from unnest(v_subjects, v_marks) as s(subject, mark) where v_first
            on conflict (subject) do update set
                ats = (v_now || without(h.ats, place(h.marks, h.goods, excluded.marks[1])))[1:p_keep],
                marks = (excluded.marks[1] || without(h.marks, place(h.marks, h.goods, excluded.marks[1])))[1:p_keep],
                goods = (false || without(h.goods, place(h.marks, h.goods, excluded.marks[1])))[1:p_keep],
                day_sends = faded(h.day_sends, h.ats[1], v_now, v_day) + 1,
                day_good = faded(h.day_good, h.ats[1], v_now, v_day),
                long_sends = faded(h.long_sends, h.ats[1], v_now, v_fortnight) + 1,
                long_good = faded(h.long_good, h.ats[1], v_now, v_fortnight),
                peak = greatest(faded(h.peak, h.ats[1], v_now, v_fortnight), h.day_sends - h.day_good)
            returning subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak
        ), seen as (
            select * from counted
            union all
            select s.subject, (v_now || without(h.ats, p.place))[1:p_keep],
                   (s.mark || without(h.marks, p.place))[1:p_keep], (false || without(h.goods, p.place))[1:p_keep],
                   coalesce(h.day_sends, 1), coalesce(h.day_good, 0), coalesce(h.long_sends, 1),
                   coalesce(h.long_good, 0), coalesce(h.peak, 0)
            from unnest(v_subjects, v_marks) as s(subject, mark)
            left join histories h on h.subject = s.subject
            cross join lateral (select place(h.marks, h.goods, s.mark)) as p(place)
            where not v_first
        )
        select json_agg(json_build_array(
            extract_ages(c.ats, v_now), c.marks, c.goods, c.day_sends, c.day_good, c.long_sends, c.long_good,
            c.peak,
            case when b.until > v_now then b.id end,
            case when b.until <= v_now then extract(epoch from v_now - b.until)::float8 end,
            coalesce(b.until > v_now and b.set_by <> 'rule', false)
        ) order by s.n) into histories
        from unnest(v_subjects) with ordinality as s(subject, n)
        join seen c on c.subject = s.subject
        left join lateral (
            select x.id, least(x.until, x.lifted_at) as until, x.set_by from blocks x
            where x.subject = s.subject and x.until > v_now - p_block_remembered
            -- an operator's first, while it is in force: it also holds for those whom a rule's would spare
            order by x.set_by <> 'rule' and least(x.until, x.lifted_at) > v_now desc, least(x.until, x.lifted_at) desc
            limit 1
        ) b on true;
        return next;
    end loop;
end
$$;
