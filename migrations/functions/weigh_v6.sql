-- Count sends in the history of each of their subjects, and read those histories as they were before this call
-- (`subjects`, in the order of d_subject, null where nothing was counted yet): the caller counts in them again what comes
-- before each send, so that of many at once each sees those before it (count, fraud/histories/history.py). What is not
-- sent after all is taken out again by resolve. A number that asks again takes its own place: a resend is not a second
-- unverified number.
-- d_subject: each subject once; s_place: which of them an item (s_item) is counted in.
-- A send is counted once (its row says so): `counted` are the items that were counted in this call. One that is weighed
-- again, after a crash or a lost reply, is not; and one that was resolved has its decision in `others`.
-- `others`: for each item, or null where there is none: signals that never come, the line type, the decision.
-- Also binds the device event to the first client that brings it and to the first p_numbers numbers, and finds blocks in
-- force and the number's line type if one is stored.
-- Notes which signals (g_) the events of a client carry, and returns those missing ones that never come: none
-- of its events carried them, or none since before p_expected_for, with events that lacked them for as long.
-- p_noted_for: after how long what is noted already is written again.
-- Counts what was sent to the number and not entered, within p_codes_within and in a row (unconverted_codes): exact,
-- because one send to a number is begun at a time.
-- p_day, p_fortnight: the times in which a history's daily and fortnightly counts fade to 1/e; p_block_remembered: for
-- how long a block that has ended is still reported.
create or replace function weigh_v6(
    p_now timestamptz, p_keep int, p_day interval, p_fortnight interval, p_block_remembered interval,
    p_expected_for interval, p_noted_for interval, p_codes_within interval,
    p_id uuid[], p_ordinal int[], p_client_id int[], p_phone_hash uuid[], p_event uuid[], p_numbers int[],
    d_subject uuid[], s_item int[], s_place int[], s_mark int[], g_item int[], g_signal text[], g_state text[]
) returns table (
    counted int[], bound boolean[], recent int[], in_a_row int[], others json, subjects json
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_size int := cardinality(p_id);
    v_day float8 := extract(epoch from p_day);
    v_fortnight float8 := extract(epoch from p_fortnight);
    v_now timestamptz;
    v_newest timestamptz;
    v_missing boolean := 'missing' = any (g_state);
    v_blocked boolean;
    v_blocks json;
    v_verified boolean;
    v_lines boolean;
    v record;
begin
    bound := array_fill(null::boolean, array[v_size]);
    recent := array_fill(0, array[v_size]);
    in_a_row := recent;
    perform from holding(d_subject || p_event);
    v_now := coalesce(p_now, clock_timestamp());
    if g_item <> '{}' then
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
    end if;

    -- What few have is looked for at once, and read only where there is some.
    select exists (select from blocks x where x.subject = any (d_subject) and x.until > v_now - p_block_remembered),
           exists (select from verifications r where r.phone_hash = any (p_phone_hash) and r.status = 'verified'),
           exists (select from lookups l where l.phone_hash = any (p_phone_hash) and l.until > v_now)
    into v_blocked, v_verified, v_lines;
    if v_blocked then
        v_blocks := (
            select json_object_agg(d.n, json_build_array(
                case when b.until > v_now then b.id end,
                case when b.until <= v_now then extract(epoch from v_now - b.until)::float8 end,
                coalesce(b.until > v_now and b.set_by <> 'rule', false)
            ))
            from generate_subscripts(d_subject, 1) as d(n)
            cross join lateral (
                select x.id, least(x.until, x.lifted_at) as until, x.set_by from blocks x
                where x.subject = d_subject[d.n] and x.until > v_now - p_block_remembered
                -- an operator's first, while it is in force: it also holds for those whom a rule's would spare
                order by x.set_by <> 'rule' and least(x.until, x.lifted_at) > v_now desc,
                         least(x.until, x.lifted_at) desc
                limit 1
            ) as b
        );
    end if;
    select max(h.ats[1]),
           json_agg(case when h.subject is not null or v_blocks -> d.n::text is not null then json_build_array(
               array(select date_part('epoch', greatest(v_now, h.ats[1]) - a)::int from unnest(h.ats) as a),
               coalesce(h.marks, '{}'), coalesce(h.goods, '{}'),
               coalesce(faded(h.day_sends, h.ats[1], v_now, v_day), 0),
               coalesce(faded(h.day_good, h.ats[1], v_now, v_day), 0),
               coalesce(faded(h.long_sends, h.ats[1], v_now, v_fortnight), 0),
               coalesce(faded(h.long_good, h.ats[1], v_now, v_fortnight), 0),
               coalesce(greatest(faded(h.peak, h.ats[1], v_now, v_fortnight), h.day_sends - h.day_good), 0),
               v_blocks -> d.n::text -> 0, v_blocks -> d.n::text -> 1, coalesce(v_blocks -> d.n::text -> 2, 'false'),
               case when h.failed <> '{}' then array(select t.at = any (h.failed) from unnest(h.ats) as t(at)) end
           ) end order by d.n)
    into v_newest, subjects
    from unnest(d_subject) with ordinality as d(subject, n)
    left join histories h on h.subject = d.subject;
    -- Each send is told by its time from all others of its subjects: item 1 comes a microsecond later, and so on.
    v_now := greatest(v_now, v_newest);

    with weighed as (
        update sends s set weighed_at = v_now + i.n * interval '1 microsecond', weighed = array(
            select d_subject[x.place] from unnest(s_item, s_place) as x(item, place) where x.item = i.n
        )
        from unnest(p_id) with ordinality as i(id, n)
        where s.verification_id = i.id and s.ordinal = p_ordinal[i.n]
          and s.weighed_at is null and s.decision is null
        returning i.n
    )
    select coalesce(array_agg(w.n), '{}') into counted from weighed w;

    insert into histories as h (subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak)
    select d_subject[n.place], n.ats[1:p_keep], n.marks[1:p_keep], array_fill(false, array[least(n.sends, p_keep)]),
           n.sends, 0, n.sends, 0, n.sends - 1
    from (
        select x.place, count(*)::int as sends,
               array_agg(v_now + x.item * interval '1 microsecond' order by x.item desc) as ats,
               array_agg(x.mark order by x.item desc) as marks
        from unnest(s_item, s_place, s_mark) as x(item, place, mark) where x.item = any (counted)
        group by x.place
    ) as n
    order by 1
    on conflict (subject) do update set
        ats = (excluded.ats || without_marks(h.ats, h.marks, h.goods, excluded.marks))[1:p_keep],
        marks = (excluded.marks || without_marks(h.marks, h.marks, h.goods, excluded.marks))[1:p_keep],
        goods = (excluded.goods || without_marks(h.goods, h.marks, h.goods, excluded.marks))[1:p_keep],
        day_sends = faded(h.day_sends, h.ats[1], v_now, v_day) + excluded.day_sends,
        day_good = faded(h.day_good, h.ats[1], v_now, v_day),
        long_sends = faded(h.long_sends, h.ats[1], v_now, v_fortnight) + excluded.long_sends,
        long_good = faded(h.long_good, h.ats[1], v_now, v_fortnight),
        peak = greatest(
            faded(h.peak, h.ats[1], v_now, v_fortnight), h.day_sends - h.day_good,
            faded(h.day_sends - h.day_good, h.ats[1], v_now, v_day) + excluded.day_sends - 1
        );

    if p_event is distinct from array_fill(null::uuid, array[v_size]) then
        for v in
            with made as (
                insert into device_events (event, client_id, phone_hash, first_used_at)
                select distinct on (e.event) e.event, e.client, e.phone, v_now
                from unnest(p_event, p_client_id, p_phone_hash) with ordinality as e(event, client, phone, n)
                where e.event is not null
                order by e.event, e.n
                on conflict do nothing
                returning event, client_id, phone_hash
            )
            select e.n::int as item, m.event is not null as made
            from unnest(p_event, p_client_id, p_phone_hash) with ordinality as e(event, client, phone, n)
            left join made m on m.event = e.event and m.client_id = e.client and m.phone_hash = e.phone
            where e.event is not null
            order by e.n
        loop
            bound[v.item] := v.made or bind_event(
                p_event[v.item], p_client_id[v.item], p_phone_hash[v.item], p_numbers[v.item]
            );
        end loop;
    end if;

    if v_verified then
        for i in 1 .. v_size loop
            select u.* into v from unconverted_codes(p_id[i], v_now - p_codes_within) as u;
            recent[i] := v.recent;
            in_a_row[i] := v.in_a_row;
        end loop;
    end if;
    if v_missing or v_lines or cardinality(counted) < v_size then
        select json_agg(json_build_array(
            array(
                select g.signal from unnest(g_item, g_signal, g_state) as g(item, signal, state)
                left join device_signals k on k.client_id = p_client_id[i.n] and k.signal = g.signal
                where g.item = i.n and g.state = 'missing' and (
                    k.carried_at is null
                    or (k.carried_at <= v_now - p_expected_for and k.missing_since <= v_now - p_expected_for)
                )
            ),
            (select l.kind from lookups l where l.phone_hash = p_phone_hash[i.n] and l.until > v_now),
            case when i.n <> all (counted) then (
                select s.decision from sends s where s.verification_id = p_id[i.n] and s.ordinal = p_ordinal[i.n]
            ) end
        ) order by i.n) into others
        from generate_subscripts(p_id, 1) as i(n);
    end if;
    return next;
end
$$;
