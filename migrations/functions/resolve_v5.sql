-- Finish what weigh began, and store the decisions with the sends. An allowed send takes its place in the limits of
-- device and number (over all clients); one that is suppressed, or finds a limit spent, is taken out of the histories
-- again.
-- Done once: a send that was resolved before, by a process that died or in a statement whose end was unclear, changes
-- nothing. Only decisions that are not those passed in are returned (`decided`).
-- Each item is resolved exactly as if it had come alone, in the order of the arrays. This is done in rounds. A limit or
-- a budget refuses an item for certain if it is spent without those before it, and lets it through for certain if it is
-- not spent with all of them; the others wait for the next round, in which those before them are counted.
-- Books what is sent and what is not, and refuses what is over a budget of the day. A country's budget is exact because
-- its history is locked here; the budget for everything, if there is one, has a lock of its own.
-- m_most_unconverted: how many sends of the day (UTC) to a country may have gone out for nothing, if that is limited: of
-- all of them, each code that was entered accounts for m_worth.
-- Raises the blocks that the rules asked for: b_first seconds, doubled each time while the one before is remembered
-- (p_block_remembered), and doubled on until no shorter than b_least, but b_longest at most; none for a send that was
-- weighed before an operator lifted a block.
-- Limits: those with l_given_back count what was not converted (their place stays with the send, until its code is
-- entered); l_apart: a known source has a count of its own, apart from strangers'.
-- p_spent: the detail of a limit's finding; p_strike: counted against a subject whatever was decided.
create or replace function resolve_v5(
    p_now timestamptz, p_keep int, p_spent text, p_block_remembered interval,
    p_id uuid[], p_ordinal int[], p_goes boolean[], p_decision jsonb[], p_strike uuid[],
    l_item int[], l_name text[], l_subject uuid[], l_max int[], l_seconds float8[], l_given_back boolean[],
    l_apart boolean[], b_item int[], b_subject uuid[], b_kind text[], b_label text[], b_reason text[], b_first float8[],
    b_longest float8[], b_least float8[],
    m_item int[], m_client_id int[], m_country text[], m_channel text[], m_price float8[],
    m_of_country float8[], m_of_all float8[], m_most_unconverted float8[], m_worth float8[]
) returns table (item int, decided jsonb)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_size int := cardinality(p_id);
    v_budgets boolean := array_remove(m_of_country || m_of_all || m_most_unconverted, null) <> '{}';
    v_now timestamptz;
    v_day date;
    v_ats timestamptz[] := '{}';
    v_begun int[];
    v_times timestamptz[];
    v_booked int[];
    v_going int := 0;
    v_spent boolean := false;
    v_open int[] := '{}';
    v_resolved int[];
    v_asked int[] := '{}'; -- those of a round that limits and budgets may refuse
    v_refused int[] := '{}';
    v_refused_by text[];
    v_device uuid[];
    v_wait int[];
    v_later int[];
    v_sent int[];
    v_stopped int[];
    i int;
    v record;
begin
    if true = any (l_apart) and exists (
        select from verifications v where v.id = any (p_id) and v.known_source is not null
    ) then
        l_subject := array(
            select case when l.apart and v.known_source is not null then apart(v.known_source, 'everywhere') else l.subject end
            from unnest(l_item, l_subject, l_apart) with ordinality as l(item, subject, apart, n)
            left join verifications v on v.id = p_id[l.item] order by l.n
        );
    end if;
    -- First these, and then the histories, whoever needs both: a country's history is waited for by everybody.
    perform from holding(l_subject || p_strike || case
        when array_remove(m_of_all, null) <> '{}' then array[md5('budget')::uuid]
    end);
    v_now := coalesce(p_now, clock_timestamp());
    v_day := (v_now at time zone 'UTC')::date;
    for i in 1 .. v_size loop
        v_open := v_open || i;
        if p_goes[i] then v_asked := v_asked || i; end if;
    end loop;
    v_going := cardinality(v_asked);

    while v_open <> '{}' loop
        v_refused_by := array_fill(null::text, array[v_size]);
        v_device := array_fill(null::uuid, array[v_size]);
        v_wait := '{}';
        for v in
            with limits as (
                select l.item, l.subject, l.name, l.max, l.seconds, l.given_back, c.hits,
                       coalesce(c.unconverted, c.hits) as unconverted,
                       dense_rank() over (partition by l.subject order by l.item)::int - 1 as before
                from unnest(l_item, l_name, l_subject, l_max, l_seconds, l_given_back)
                    as l(item, name, subject, max, seconds, given_back)
                left join counters c on c.subject = l.subject
                where l.item = any (v_asked)
            )
            select l.item, min(l.name) filter (where case
                       when l.given_back then wait_for_place(l.unconverted, l.hits, l.max, l.seconds, v_now) > 0
                       else l.hits[l.max] > v_now - make_interval(secs => l.seconds)
                   end) as refused_by,
                   bool_or(l.before > 0 and case
                       when l.before >= l.max then true
                       when l.given_back then
                           wait_for_place(l.unconverted, l.hits, l.max - l.before, l.seconds, v_now) > 0
                       else l.hits[l.max - l.before] > v_now - make_interval(secs => l.seconds)
                   end) as waits,
                   max(l.hits[1]) as newest,
                   (array_agg(l.subject) filter (where l.given_back))[1] as device
            from limits l group by l.item
        loop
            v_refused_by[v.item] := v.refused_by;
            v_device[v.item] := v.device;
            v_spent := v_spent or v.waits or v.refused_by is not null;
            -- A hit is told by its time from all others of its subject: item 1's comes a microsecond later, and so on.
            v_now := greatest(v_now, v.newest);
            if v.waits and v.refused_by is null then v_wait := v_wait || v.item; end if;
        end loop;
        if v_resolved is null then
            -- Nobody is stopped, which is usual: then no history is touched, and nobody waits for a country's.
            if v_budgets or v_spent or false = any (p_goes) or b_subject <> '{}' then
                perform hold_weighed(p_id, p_ordinal, b_subject);
            end if;
            select array_agg(h.n) filter (where h.open), array_agg(h.weighed_at) filter (where h.open),
                   array_agg(h.n) filter (where h.booked)
            into v_begun, v_times, v_booked
            from (
                select i.n::int, s.weighed_at, s.booked_on is not null as booked,
                       s.state = 'begun' and s.decision is null as open
                from unnest(p_id, p_ordinal) with ordinality as i(id, ordinal, n)
                join sends s on s.verification_id = i.id and s.ordinal = i.ordinal
                order by s.verification_id, s.ordinal for no key update of s
            ) as h;
            v_resolved := '{}';
            foreach i in array v_open loop
                if i = any (v_begun) then
                    v_resolved := v_resolved || i;
                    v_ats[i] := v_times[array_position(v_begun, i)];
                    if p_strike[i] is not null then perform count_hits(array[p_strike[i]], p_keep, v_now); end if;
                end if;
                if (i = any (v_begun)) is not true or i = any (v_booked) then v_asked := array_remove(v_asked, i); end if;
            end loop;
            -- Another process's, or over: counted again without them.
            v_open := v_resolved;
            continue when cardinality(v_resolved) < v_size or cardinality(v_asked) < v_going;
        end if;
        if v_budgets then
            for v in
                select b.item, b.refused_by, b.waits from budgets_left(
                    v_day, date_trunc('day', v_now, 'UTC'),
                    array(select i from unnest(v_asked) as i where v_refused_by[i] is null), m_item, m_country, m_price,
                    m_of_country, m_of_all, m_most_unconverted, m_worth
                ) as b
            loop
                v_refused_by[v.item] := v.refused_by;
                if v.waits and v.refused_by is null then v_wait := v_wait || v.item; end if;
            end loop;
        end if;
        -- Once each, and none that was refused meanwhile: it would be stopped now, and looked at again.
        v_later := '{}';
        v_sent := '{}';
        v_stopped := '{}';
        foreach i in array v_open loop
            if not p_goes[i] or v_refused_by[i] is not null then
                v_stopped := v_stopped || i;
            elsif i = any (v_wait) then
                v_later := v_later || i;
            else
                v_sent := v_sent || i;
            end if;
        end loop;

        insert into counters as c (subject, hits, unconverted)
        select h.subject, h.hits[1:p_keep], case when h.given_back then h.hits[1:p_keep] end
        from (
            select x.subject, bool_or(x.given_back) as given_back,
                   array_agg(v_now + x.item * interval '1 microsecond' order by x.item desc) as hits
            from (
                select l.item, l.subject, bool_or(l.given_back) as given_back
                from unnest(l_item, l_subject, l_given_back) as l(item, subject, given_back)
                where l.item = any (v_sent) and l.item = any (v_asked) group by l.item, l.subject
            ) as x
            group by x.subject
        ) as h
        order by h.subject
        on conflict (subject) do update set
            hits = (excluded.hits || c.hits)[1:p_keep],
            unconverted = case
                when excluded.unconverted is null then c.unconverted
                else (excluded.unconverted || coalesce(c.unconverted, c.hits))[1:p_keep]
            end;

        if v_stopped <> '{}' then
            perform take_out(
                array(select p_id[i] from unnest(v_stopped) as i), array(select p_ordinal[i] from unnest(v_stopped) as i)
            );
        end if;
        update sends s set
            decision = case
                when d.refused_by is null then d.decision
                else d.decision || jsonb_build_object(
                    'allow', false, 'by', null,
                    'findings', d.decision -> 'findings'
                        || jsonb_build_object('rule', d.refused_by, 'mode', 'enforce', 'detail', p_spent)
                )
            end,
            weighed = case when d.sent then s.weighed else '{}' end,
            country = coalesce(s.country, d.country),
            booked = coalesce(s.booked, d.channel),
            price = coalesce(s.price, d.price),
            booked_on = coalesce(s.booked_on, case when d.country is not null then v_day end),
            device_limit = d.device,
            device_place = case when d.device is not null then v_now + d.n * interval '1 microsecond' end
        from (
            select i.id, i.ordinal, i.n, i.decision, i.refused_by, x.sent, m.country, m.channel, m.price,
                   case when x.sent then i.device end as device
            from unnest(p_id, p_ordinal, p_decision, v_refused_by, v_device)
                with ordinality as i(id, ordinal, decision, refused_by, device, n)
            join lateral (select i.n = any (v_sent) as sent) as x on x.sent or i.n = any (v_stopped)
            left join unnest(m_item, m_country, m_channel, m_price) as m(item, country, channel, price)
              on x.sent and m.item = i.n
        ) as d
        where s.verification_id = d.id and s.ordinal = d.ordinal;

        insert into ledger as l (day, client_id, country, channel, sends, spent, stopped, saved)
        select v_day, x.client, x.country, x.channel,
               count(*) filter (where x.sent and x.asked), coalesce(sum(x.price) filter (where x.sent and x.asked), 0),
               count(*) filter (where not x.sent), coalesce(sum(x.price) filter (where not x.sent), 0)
        from (
            select m.client, m.country, m.channel, m.price, m.item = any (v_sent) as sent, m.item = any (v_asked) as asked
            from unnest(m_item, m_client_id, m_country, m_channel, m_price) as m(item, client, country, channel, price)
            where m.item = any (v_sent || v_stopped)
        ) as x
        group by x.client, x.country, x.channel
        order by x.client, x.country, x.channel
        on conflict (day, client_id, country, channel) do update set
            sends = l.sends + excluded.sends, spent = l.spent + excluded.spent,
            stopped = l.stopped + excluded.stopped, saved = l.saved + excluded.saved;
        -- After the ledger, as in refund_sends: two that hold each other's lines would wait for each other.
        insert into country_hours as h (country, hour, sends, converted)
        select m.country, date_trunc('hour', v_ats[m.item], 'UTC'), count(*), 0
        from unnest(m_item, m_country) as m(item, country)
        where m.item = any (v_sent) and m.item = any (v_asked) and v_ats[m.item] is not null
        group by 1, 2 order by 1, 2
        on conflict (country, hour) do update set sends = h.sends + excluded.sends;

        foreach i in array v_stopped loop
            if v_refused_by[i] is not null then v_refused := v_refused || i; end if;
        end loop;
        v_open := v_later;
        v_asked := v_later;
        v_now := v_now + v_size * interval '1 microsecond';
    end loop;

    if b_item <> '{}' then
        insert into blocks (subject, kind, label, reason, level, began_at, until, set_by)
        select b.subject, b.kind, b.label, b.reason, g.level, v_now,
               v_now + make_interval(secs => least(b.first * (2 ^ g.level), b.longest)), 'rule'
        from (select distinct on (subject) subject, kind, label, reason, first, longest, least, v_ats[item] as weighed_at
              from unnest(b_item, b_subject, b_kind, b_label, b_reason, b_first, b_longest, b_least)
                  as x(item, subject, kind, label, reason, first, longest, least)
              where x.item = any (v_resolved)
              order by subject, item desc) as b
        cross join lateral (
            select least(greatest(
                       coalesce(max(o.level) + 1, 0), ceil(log(2.0, (greatest(b.least, 1) / b.first)::numeric))
                   ), ceil(log(2.0, (b.longest / b.first)::numeric)))::smallint as level,
                   bool_or(case when o.lifted_at is null then o.until > v_now else o.lifted_at >= b.weighed_at end) as held
            from blocks o where o.subject = b.subject and o.until > v_now - p_block_remembered
        ) as g
        where g.held is not true;
    end if;
    if v_refused <> '{}' or cardinality(v_resolved) < v_size then
        return query
        select i.n::int, s.decision
        from unnest(p_id, p_ordinal) with ordinality as i(id, ordinal, n)
        join sends s on s.verification_id = i.id and s.ordinal = i.ordinal
        where i.n = any (v_refused) or i.n <> all (v_resolved);
    end if;
end
$$;
