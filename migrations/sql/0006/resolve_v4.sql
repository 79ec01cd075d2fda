-- Finish what weigh began, and store the decision with the send. An allowed send takes its place in the limits of
-- device and number (over all clients); one that is suppressed, or finds a limit spent, is taken out of the histories
-- again.
-- Done once: a send that was resolved before, by a process that died or in a statement whose end was unclear, changes
-- nothing and returns the stored decision (`decided`; null if it is the one that was passed in).
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
create or replace function resolve_v4(
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
    v_now timestamptz;
    v_day date;
    v_send record;
    v_refused_by text;
    v_decision jsonb;
    m record;
    v_place timestamptz;
    v_device uuid;
    -- the items that are resolved now, and when each was weighed
    v_resolved int[] := '{}';
    v_ats timestamptz[] := array_fill(null::timestamptz, array[cardinality(p_id)]);
    v_spent float8[] := array_fill(0::float8, array[cardinality(p_id)]);
    v_saved float8[] := v_spent;
    v_sends int[] := array_fill(0, array[cardinality(p_id)]);
    v_stopped int[] := v_sends;
begin
    l_subject := array(
        select case when l.apart and v.known_source is not null then apart(v.known_source, 'everywhere') else l.subject end
        from unnest(l_item, l_subject, l_apart) with ordinality as l(item, subject, apart, n)
        left join verifications v on v.id = p_id[l.item] order by l.n
    );
    perform hold_subjects(l_subject || b_subject || p_strike || array(
        select w.subject from unnest(p_id, p_ordinal) as i(id, ordinal)
        join sends s on s.verification_id = i.id and s.ordinal = i.ordinal
        cross join unnest(s.weighed) as w(subject)
    ) || array(
        select md5('budget')::uuid from unnest(m_of_all) as a(budget) where a.budget is not null limit 1
    ));
    v_now := coalesce(p_now, clock_timestamp());
    v_day := (v_now at time zone 'UTC')::date;
    for i in 1 .. cardinality(p_id) loop
        item := i;
        select s.decision, s.weighed, s.weighed_at, s.state = 'begun' as begun, s.booked_on is not null as booked
        into v_send from sends s
        where s.verification_id = p_id[i] and s.ordinal = p_ordinal[i] for no key update;
        decided := v_send.decision;
        -- A send that is not begun any more is another process's, or over: nobody would refund what it books.
        if decided is not null or v_send.begun is not true then
            return next;
            continue;
        end if;
        v_resolved := v_resolved || i;
        v_ats[i] := v_send.weighed_at;
        v_refused_by := null;
        v_decision := p_decision[i];
        if p_strike[i] is not null then
            perform count_hits(array[p_strike[i]], p_keep, v_now);
        end if;
        select * into m from unnest(
            m_item, m_client_id, m_country, m_channel, m_price, m_of_country, m_of_all, m_most_unconverted, m_worth
        ) as x(item, client, country, channel, price, of_country, of_all, most_unconverted, worth) where x.item = i;
        -- Booked, and without a decision: it was resolved by a process of the release before.
        if p_goes[i] and not v_send.booked then
            select min(l.name) into v_refused_by
            from unnest(l_item, l_name, l_subject, l_max, l_seconds, l_given_back)
                as l(item, name, subject, max, seconds, given_back)
            join counters c on c.subject = l.subject
            where l.item = i and case
                when l.given_back then
                    wait_for_place(coalesce(c.unconverted, c.hits), c.hits, l.max, l.seconds, v_now) > 0
                else c.hits[l.max] > v_now - make_interval(secs => l.seconds)
            end;
            if v_refused_by is null and (m.of_country is not null or m.of_all is not null) then
                -- A budget of 0.3 pays for three times 0.1, though their sum as floats is a little more.
                select case
                    when sum(x.spent) + m.price > m.of_all * (1 + 1e-9) then 'budget'
                    when sum(x.spent) filter (where x.country = m.country) + m.price > m.of_country * (1 + 1e-9)
                        then 'budget_country'
                end into v_refused_by
                from (
                    select l.country, l.spent from ledger l where l.day = v_day
                    union all
                    select b.country, v_spent[b.item] from unnest(m_country, m_item) as b(country, item)
                    union all
                    select m.country, 0
                ) as x;
            end if;
            if v_refused_by is null and m.most_unconverted is not null then
                select case
                    when x.sends + 1 - m.worth * x.converted > m.most_unconverted then 'budget_unconverted'
                end into v_refused_by
                from (
                    select coalesce(sum(h.sends), 0) + (
                               select coalesce(sum(v_sends[b.item]), 0) from unnest(m_country, m_item) as b(country, item)
                               where b.country = m.country
                           ) as sends,
                           coalesce(sum(h.converted), 0) as converted
                    from country_hours h where h.country = m.country and h.hour >= date_trunc('day', v_now, 'UTC')
                ) as x;
            end if;
        end if;
        if v_refused_by is not null then
            v_decision := v_decision || jsonb_build_object(
                'allow', false, 'by', null,
                'findings', v_decision -> 'findings'
                    || jsonb_build_object('rule', v_refused_by, 'mode', 'enforce', 'detail', p_spent)
            );
            decided := v_decision;
        end if;
        if p_goes[i] and v_refused_by is null then
            v_device := null;
            v_place := null;
            if not v_send.booked then
                v_device := (
                    select l.subject from unnest(l_item, l_subject, l_given_back) as l(item, subject, given_back)
                    where l.item = i and l.given_back limit 1
                );
                v_place := take_place(v_device, p_keep, v_now);
                perform count_hits(array(
                    select distinct l.subject from unnest(l_item, l_subject) as l(item, subject)
                    where l.item = i and l.subject is distinct from v_device
                ), p_keep, v_now);
                v_sends[i] := 1;
                v_spent[i] := m.price;
            end if;
            update sends s set decision = v_decision, country = coalesce(s.country, m.country),
                booked = coalesce(s.booked, m.channel), price = coalesce(s.price, m.price),
                booked_on = coalesce(s.booked_on, case when m.item is not null then v_day end),
                device_limit = v_device, device_place = v_place
            where s.verification_id = p_id[i] and s.ordinal = p_ordinal[i];
        else
            if m.item is not null then
                v_stopped[i] := 1;
                v_saved[i] := m.price;
            end if;
            update histories h set
                ats = without(h.ats, array_position(h.ats, v_ats[i])),
                marks = without(h.marks, array_position(h.ats, v_ats[i])),
                goods = without(h.goods, array_position(h.ats, v_ats[i])),
                day_sends = greatest(0, h.day_sends - 1),
                long_sends = greatest(0, h.long_sends - 1)
            where h.subject = any (v_send.weighed) and array_position(h.ats, v_ats[i]) is not null;
            update sends s set decision = v_decision, weighed = '{}'
            where s.verification_id = p_id[i] and s.ordinal = p_ordinal[i];
        end if;
        return next;
    end loop;
    insert into ledger as l (day, client_id, country, channel, sends, spent, stopped, saved)
    select v_day, x.client, x.country, x.channel, sum(v_sends[x.item]), sum(v_spent[x.item]), sum(v_stopped[x.item]),
           sum(v_saved[x.item])
    from unnest(m_item, m_client_id, m_country, m_channel) as x(item, client, country, channel)
    where x.item = any (v_resolved)
    group by x.client, x.country, x.channel
    order by x.client, x.country, x.channel
    on conflict (day, client_id, country, channel) do update set
        sends = l.sends + excluded.sends, spent = l.spent + excluded.spent,
        stopped = l.stopped + excluded.stopped, saved = l.saved + excluded.saved;
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
    -- Last, as in refund_sends: two that hold each other's lines would wait for each other.
    insert into country_hours as h (country, hour, sends, converted)
    select x.country, date_trunc('hour', v_ats[x.item], 'UTC'), sum(v_sends[x.item]), 0
    from unnest(m_item, m_country) as x(item, country)
    where v_sends[x.item] > 0 and v_ats[x.item] is not null
    group by 1, 2 order by 1, 2
    on conflict (country, hour) do update set sends = h.sends + excluded.sends;
end
$$;
