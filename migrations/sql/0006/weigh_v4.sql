-- Count sends in the history of each of their subjects, and read those histories: one item after the other, so that of
-- many at once each sees those before it. What is not sent after all is taken out again by resolve. A number that asks
-- again takes its own place: a resend is not a second unverified number.
-- A send is counted once (its row says so): weighed again, after a crash or a lost reply, it reads what it would have
-- read then; and a send that was resolved returns its decision (`decided`) and nothing else.
-- Also binds the device event to the first client that brings it and to the first p_numbers numbers, and finds blocks in
-- force and the number's line type if one is stored.
-- Notes which signals (g_) the events of a client carry, and returns those missing ones that never come (`absent`): none
-- of its events carried them, or none since before p_expected_for, with events that lacked them for as long.
-- p_noted_for: after how long what is noted already is written again.
-- Counts what was sent to the number and not entered, within p_codes_within and in a row (unconverted_codes): exact,
-- because one send to a number is begun at a time.
-- p_day, p_fortnight: the times in which a history's daily and fortnightly counts fade to 1/e; p_block_remembered: for
-- how long a block that has ended is still reported.
create or replace function weigh_v4(
    p_now timestamptz, p_keep int, p_day interval, p_fortnight interval, p_block_remembered interval,
    p_expected_for interval, p_noted_for interval, p_codes_within interval,
    p_id uuid[], p_ordinal int[], p_client_id int[], p_phone_hash uuid[], p_event uuid[], p_numbers int[],
    s_item int[], s_hash uuid[], s_mark int[], g_item int[], g_signal text[], g_state text[]
) returns table (
    item int, bound boolean, absent text[], histories json, line text, recent int, in_a_row int, decided jsonb
)
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
    perform hold_subjects(s_hash || p_event);
    v_now := coalesce(p_now, clock_timestamp());
    -- In one order, so that two callers cannot deadlock, and only what is not noted yet: a client's row is everybody's.
    insert into device_signals as d (client_id, signal, carried_at, missing_since, missing_at, unfamiliar_at)
    select n.client_id, n.signal, n.carried, case when n.carried is null then n.missing end, n.missing, n.unfamiliar
    from (
        select p_client_id[g.item] as client_id, g.signal,
               max(v_now) filter (where g.state = 'carried') as carried,
               max(v_now) filter (where g.state = 'missing') as missing,
               max(v_now) filter (where g.state = 'unfamiliar') as unfamiliar
        from unnest(g_item, g_signal, g_state) as g(item, signal, state)
        group by 1, 2
    ) as n
    left join device_signals k on k.client_id = n.client_id and k.signal = n.signal
    where (n.carried is not null and (k.carried_at > v_now - p_noted_for) is not true)
       or (n.missing is not null and (k.missing_at > v_now - p_noted_for) is not true)
       or (n.unfamiliar is not null and (k.unfamiliar_at > v_now - p_noted_for) is not true)
    order by n.client_id, n.signal
    on conflict (client_id, signal) do update set
        carried_at = greatest(d.carried_at, excluded.carried_at),
        missing_since = case
            when excluded.carried_at is null then coalesce(d.missing_since, excluded.missing_since)
        end,
        missing_at = greatest(d.missing_at, excluded.missing_at),
        unfamiliar_at = greatest(d.unfamiliar_at, excluded.unfamiliar_at);
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
                absent := null;
                histories := null;
                line := null;
                recent := null;
                in_a_row := null;
                return next;
                continue;
            end if;
        end if;
        insert into device_events (event, client_id, phone_hash, first_used_at)
        select p_event[i], p_client_id[i], p_phone_hash[i], v_now where p_event[i] is not null
        on conflict do nothing;
        update device_events e set more_phones = e.more_phones || p_phone_hash[i]
        where e.event = p_event[i] and e.client_id = p_client_id[i]
          and p_phone_hash[i] <> all (e.phone_hash || e.more_phones)
          and cardinality(e.more_phones) + 1 < p_numbers[i];
        select e.client_id = p_client_id[i] and p_phone_hash[i] = any (e.phone_hash || e.more_phones) into bound
        from device_events e where e.event = p_event[i];
        absent := array(
            select g.signal from unnest(g_item, g_signal, g_state) as g(item, signal, state)
            left join device_signals k on k.client_id = p_client_id[i] and k.signal = g.signal
            where g.item = i and g.state = 'missing' and (
                k.carried_at is null
                or (k.carried_at <= v_now - p_expected_for and k.missing_since <= v_now - p_expected_for)
            )
        );
        line := (select l.kind from lookups l where l.phone_hash = p_phone_hash[i] and l.until > v_now);
        select n.recent, n.in_a_row into recent, in_a_row from unconverted_codes(p_id[i], v_now - p_codes_within) as n;
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
            returning subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak, failed
        ), seen as (
            select * from counted
            union all
            select s.subject, (v_now || without(h.ats, p.place))[1:p_keep],
                   (s.mark || without(h.marks, p.place))[1:p_keep], (false || without(h.goods, p.place))[1:p_keep],
                   coalesce(h.day_sends, 1), coalesce(h.day_good, 0), coalesce(h.long_sends, 1),
                   coalesce(h.long_good, 0), coalesce(h.peak, 0), coalesce(h.failed, '{}')
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
            coalesce(b.until > v_now and b.set_by <> 'rule', false),
            case when c.failed <> '{}' then
                array(select t.at = any (c.failed) from unnest(c.ats) with ordinality as t(at, n) order by t.n)
            end
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
