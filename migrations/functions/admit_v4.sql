-- Admit requests: key, idempotency, limits, wrong-code budget and insert, for a batch, in one call.
--
-- Each item is decided exactly as if it had come alone, in the order of the arrays. This is done in rounds. Each round
-- looks at every open item, in order. An item that shares its Idempotency-Key, number, address or account with an open
-- item before it waits for the next round. Of the others, those that are refused or replayed are done, and the rest are
-- admitted. A refused item counts nowhere. Round 0 takes no lock and admits nobody, so that a flood on a spent limit
-- writes nothing. Where nobody can be refused or replayed (is_plain), which is usual, there is no round 0, and no item is
-- looked at closer.
--
-- p_again: the items may have been inserted already (a connection was lost at COMMIT). So there is no round 0, and an
-- item whose id is known is answered, not counted again.
-- p_call: the call in which each item was first tried. Its lock is held until the end. Whoever asks again about a call
-- whose end is unclear, or takes it back (withdraw), therefore finds it over or not begun; and an item that was taken
-- back before it came is not admitted any more.
-- Limits: item i obeys the windows whose w_set is p_policy[i]; a window's kind is the column of the subject that it
-- counts. p_keep: how many hits a subject keeps. Of address and account a window counts what was not converted
-- (counters.unconverted), and one of the kind ip_total or account_total counts everything. The times of the places that
-- a request takes there stay with its verification: by them settle_guesses_v3 and withdraw find them again.
-- What an operator has waived for a number is looked up here and stays with its verification, and so does that it is a
-- review number (review_of).
-- p_sources: an equal number for each item, the strongest first, null for none. If the number was verified from one of
-- them, the limits of number and account and the wrong-code budgets are that known source's own.
-- An item with a lease token is inserted under its lease. Its send is begun if p_begins says so and no send to the
-- number is in flight. A row that is not begun is released (release) by the process that learns of its admission; until
-- then nobody claims it before its lease is over.
-- A replay of a row that is still under its lease is noted with the key: a row on which another reply is based is not
-- taken back any more. Later replays write nothing.
-- A request is a repeat (a second tap) if p_repeat (client, number, source and what is asked for, hashed) is that of one
-- that came within p_repeat_within seconds, is pending, and has used no fallback. It gets that one's answer and counts
-- nowhere. This is noted in idempotency_keys, under the verification's own id and under the key that the repeat brought;
-- a noted verification is not taken back (withdraw). The verification's row is not written: whoever has locked it may be
-- waiting for a subject that is locked here.
-- The lock is on the number itself, not on its limit by client: two clients' first sends to one number must not meet in
-- the unique index of begun sends, each waiting there for the other.
create or replace function admit_v4(
    p_now timestamptz, p_again boolean, p_lease interval, p_grace interval, p_keep int,
    w_set int[], w_kind text[], w_max int[], w_seconds float8[],
    p_id uuid[], p_key_id int[], p_client_id int[], p_policy int[], p_phone_hash uuid[],
    p_channel text[], p_deliver boolean[], p_test boolean[], p_lifetime float8[], p_codes int[],
    p_phone_limit uuid[], p_ip_limit uuid[], p_account_limit uuid[], p_source_budget uuid[], p_total_budget uuid[],
    p_sealed bytea[], p_idem uuid[], p_body uuid[], p_token uuid[], p_sources uuid[], p_begins boolean[],
    p_call uuid[], p_repeat uuid[], p_repeat_within float8[]
) returns table (
    item int, outcome text, id uuid, created_at timestamptz, expires_at timestamptz,
    remaining int, wait float8, leased boolean, lifts text[]
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_size int := cardinality(p_id);
    v_open int[] := array(select generate_subscripts(p_id, 1));
    -- the queue in which an item stands, for each of the four things that it may share (null: shares nothing)
    v_line int[] := array[1, 2, 3, 4];
    v_exempt boolean;
    v_knows boolean;
    v_taken boolean[];
    v_behind boolean;
    v_turn int[];
    v_wait int[];
    v_left int[] := p_codes;
    v_known uuid[] := array_fill(null::uuid, array[cardinality(p_id)]);
    v_round int := p_again::int;
    v_now timestamptz;
    v record;
begin
    if v_size > 1 then
        v_line := array(
            select case when s.subject is null then s.n else min(s.n) over (partition by s.subject) end
            from unnest(p_idem || p_phone_hash || p_ip_limit || p_account_limit) with ordinality as s(subject, n)
            order by s.n
        );
    end if;
    -- Usually nobody is exempt, and nobody comes from where the number is known: one look for the whole batch.
    v_now := coalesce(p_now, clock_timestamp());
    select exists (
               select from exemptions e
               where e.phone_hash = any (p_phone_hash) and e.until > v_now and e.lifted_at is null
           ) or exists (
               select from review_numbers r
               where r.phone_hash = any (p_phone_hash) and r.until > v_now and r.lifted_at is null
           ),
           exists (select from known_sources k where k.source = any (p_sources) and k.until > v_now)
    into v_exempt, v_knows;
    if v_knows then
        for v in
            select distinct on (1) ((s.n - 1) / array_length(p_sources, 2) + 1)::int as item, k.source
            from unnest(p_sources) with ordinality as s(source, n)
            join known_sources k on k.source = s.source
            where k.until > v_now
            order by 1, s.n
        loop
            v_known[v.item] := v.source;
            p_phone_limit[v.item] := apart(v.source, 'phone');
            p_account_limit[v.item] := case when p_account_limit[v.item] is not null then apart(v.source, 'account') end;
            p_source_budget[v.item] := apart(v.source, 'codes');
            p_total_budget[v.item] := apart(v.source, 'total');
        end loop;
    end if;
    -- Nobody who would be refused or replayed is among them: then round 0 has nobody to tell so.
    if not p_again and is_plain(
        p_now, w_max, w_seconds, p_key_id, p_phone_hash, p_phone_limit || p_ip_limit || p_account_limit,
        p_source_budget || p_total_budget, p_idem, p_repeat, p_repeat_within
    ) then
        v_round := 1;
    end if;
    while v_open <> '{}' loop
        if v_round = 1 then
            perform from holding(p_call);
            if exists (select from withdrawals w where w.id = any (p_id)) then
                raise query_canceled using message = 'taken back before it came';
            end if;
            if p_again then
                -- A row that can be seen need not be on the standby yet. A statement that writes waits for it.
                update verifications r set nudged = r.nudged where r.id = any (p_id);
            end if;
            if p_again or cardinality(v_open) < v_size then
                perform from holding(array(
                    select s.subject
                    from unnest(v_open) as o(item)
                    cross join lateral (values
                        (p_phone_hash[o.item]), (p_ip_limit[o.item]), (p_account_limit[o.item]),
                        (case when p_again then p_idem[o.item] end)
                    ) as s(subject)
                ));
            else
                perform from holding(p_phone_hash || p_ip_limit || p_account_limit);
            end if;
        end if;
        v_now := coalesce(p_now, clock_timestamp());
        v_taken := array_fill(false, array[4 * v_size]);
        v_turn := '{}';
        v_wait := '{}';
        -- Looked at again under the locks, or somebody could have taken the last place since.
        if v_round > 0 and not p_again and is_plain(
            p_now, w_max, w_seconds, p_key_id, p_phone_hash, p_phone_limit || p_ip_limit || p_account_limit,
            p_source_budget || p_total_budget, p_idem, p_repeat, p_repeat_within
        ) then
            foreach item in array v_open loop
                if v_taken[v_line[item]] or v_taken[v_line[item + v_size]]
                   or v_taken[v_line[item + 2 * v_size]] or v_taken[v_line[item + 3 * v_size]] then
                    v_wait := v_wait || item;
                elsif p_idem[item] is not null and not pg_try_advisory_xact_lock(uuid_hash_extended(p_idem[item], 0)) then
                    outcome := 'in_flight';
                    return next;
                    continue;
                else
                    v_turn := v_turn || item;
                end if;
                v_taken[v_line[item]] := true;
                v_taken[v_line[item + v_size]] := true;
                v_taken[v_line[item + 2 * v_size]] := true;
                v_taken[v_line[item + 3 * v_size]] := true;
            end loop;
        else
            for v in
                with items as (
                    select o.item, p_id[o.item] as id, p_key_id[o.item] as key, p_policy[o.item] as set,
                           p_codes[o.item] as codes, p_phone_limit[o.item] as phone, p_ip_limit[o.item] as ip,
                           p_account_limit[o.item] as account, p_source_budget[o.item] as source,
                           p_total_budget[o.item] as total, p_idem[o.item] as idem, p_body[o.item] as body,
                           p_token[o.item] as token, p_phone_hash[o.item] as phone_hash, p_repeat[o.item] as repeat,
                           p_repeat_within[o.item] as within,
                           case when v_exempt then lifts_of(p_phone_hash[o.item], v_now) end as lifts
                    from unnest(v_open) as o(item)
                ), waits as (
                    select i.item,
                           max(case
                               when s.total is not null and w.kind = s.kind then
                                   wait_for_place(coalesce(c.unconverted, c.hits), c.hits, w.max, w.seconds, v_now)
                               else extract(epoch from c.hits[w.max] - v_now) + w.seconds
                           end)::float8 as wait,
                           min(w.max - (select count(*)::int from unnest(c.hits[1:w.max]) as hit
                                        where hit > v_now - make_interval(secs => w.seconds)))
                               filter (where s.lift = 'lockouts') as budget
                    from items i
                    cross join lateral (values
                        ('phone_limit', null, i.phone, 'limits'), ('ip_limit', 'ip_total', i.ip, 'limits'),
                        ('account_limit', 'account_total', i.account, 'limits'),
                        ('source_budget', null, i.source, 'lockouts'), ('total_budget', null, i.total, 'lockouts')
                    ) as s(kind, total, subject, lift)
                    join counters c on c.subject = s.subject
                    join unnest(w_set, w_kind, w_max, w_seconds) as w(set, kind, max, seconds)
                      on w.set = i.set and w.kind in (s.kind, s.total)
                    where (s.lift = any (i.lifts)) is not true
                    group by i.item
                )
                select i.item, i.id, i.idem, i.body, i.repeat, w.wait, least(i.codes, w.budget) as remaining,
                       known.created_at, known.expires_at, known.lifts,
                       known.lease_token = i.token and exists (
                           select from sends s where s.verification_id = known.id and s.ordinal = 1 and s.state = 'begun'
                       ) as leased,
                       not said.replayed and exists (
                           select from verifications r where r.id = said.verification_id and r.lease_token is not null
                       ) as fresh,
                       coalesce(said.verification_id, tapped.id) as said_id,
                       coalesce(said.created_at, tapped.created_at) as said_at,
                       coalesce(said.expires_at, tapped.expires_at) as said_until,
                       case
                           when said.idem is not null then said.remaining
                           when noted.idem is not null then noted.remaining
                           when tapped.id is not null then least(greatest(i.codes - tapped.spent, 0), w.budget)
                       end as said_remaining,
                       noted.idem is not null and i.idem is null as settled,
                       case
                           when known.id is not null then 'admitted'
                           when k.id is null then 'unauthorized'
                           when said.body = i.body then 'replayed'
                           when said.body is not null then 'mismatch'
                           when tapped.id is not null then 'repeated'
                           when w.wait > 0 then 'limited'
                       end as verdict
                from items i
                left join waits w on w.item = i.item
                left join verifications known on p_again and known.id = i.id
                left join api_keys k on k.id = i.key and k.revoked_at is null
                left join idempotency_keys said on said.idem = i.idem and k.id is not null
                left join lateral (
                    select r.id, r.created_at, r.expires_at, r.guesses_wrong + r.guesses_open as spent
                    from verifications r
                    where i.repeat is not null and r.phone_hash = i.phone_hash and r.repeat_key = i.repeat
                      and r.created_at > v_now - make_interval(secs => i.within)
                      and r.status = 'pending' and r.expires_at > v_now and r.pressed_at = r.created_at
                    order by r.created_at desc limit 1
                ) as tapped on k.id is not null
                left join idempotency_keys noted on noted.idem = tapped.id
                order by i.item
            loop
                outcome := v.verdict;
                v_behind := v_taken[v_line[v.item]] or v_taken[v_line[v.item + v_size]]
                         or v_taken[v_line[v.item + 2 * v_size]] or v_taken[v_line[v.item + 3 * v_size]];
                if outcome = 'repeated' and v_round = 0 and not v.settled then
                    outcome := null; -- nothing is written in round 0
                elsif (outcome is null and not v_behind or outcome = 'repeated') and v_round > 0 and v.idem is not null
                   and not p_again and not pg_try_advisory_xact_lock(uuid_hash_extended(v.idem, 0)) then
                    outcome := 'in_flight';
                end if;
                if outcome = 'replayed' and v.fresh then
                    update idempotency_keys k set replayed = true where k.idem = v.idem and v_round > 0;
                    if not found then -- nothing is written in round 0; later it has just been taken back
                        outcome := null;
                        v_behind := v_behind or v_round > 0;
                    end if;
                end if;
                if outcome = 'repeated' then
                    insert into idempotency_keys (idem, body, verification_id, created_at, expires_at, remaining, replayed)
                    select x.idem, x.body, v.said_id, v.said_at, v.said_until, v.said_remaining, true
                    from (values (v.said_id, v.repeat), (v.idem, v.body)) as x(idem, body)
                    where x.idem is not null and not v.settled
                    on conflict do nothing;
                    outcome := 'replayed';
                end if;
                if outcome is null or outcome = 'limited' and v_behind then
                    if v_behind then v_wait := v_wait || v.item; else v_turn := v_turn || v.item; end if;
                    v_left[v.item] := v.remaining;
                    v_taken[v_line[v.item]] := true;
                    v_taken[v_line[v.item + v_size]] := true;
                    v_taken[v_line[v.item + 2 * v_size]] := true;
                    v_taken[v_line[v.item + 3 * v_size]] := true;
                    continue;
                end if;
                item := v.item;
                id := case when outcome = 'admitted' then v.id else v.said_id end;
                created_at := coalesce(v.created_at, v.said_at);
                expires_at := coalesce(v.expires_at, v.said_until);
                remaining := coalesce(v.said_remaining, v.remaining);
                wait := case when outcome = 'limited' then v.wait end;
                leased := coalesce(v.leased, false);
                lifts := v.lifts;
                return next;
            end loop;
        end if;
        v_round := v_round + 1;
        v_open := case when v_round = 1 then v_turn || v_wait else v_wait end;
        continue when v_round = 1 or v_turn = '{}';

        return query
        with items as (
            select t.item, p_id[t.item] as id, p_phone_hash[t.item] as phone_hash, p_channel[t.item] as channel,
                   p_token[t.item] as token, v_now + make_interval(secs => p_lifetime[t.item]) as expires_at
            from unnest(v_turn) as t(item)
        ), hits as (
            insert into counters as c (subject, hits, unconverted)
            select s.subject, array[v_now], case when s.given_back then array[v_now] end
            from items i
            cross join lateral (values
                (p_phone_limit[i.item], false), (p_ip_limit[i.item], true), (p_account_limit[i.item], true)
            ) as s(subject, given_back)
            where s.subject is not null
            on conflict (subject) do update set
                hits = (greatest(v_now, c.hits[1] + interval '1 microsecond') || c.hits)[1:p_keep],
                unconverted = case when excluded.unconverted is not null then (
                    greatest(v_now, c.hits[1] + interval '1 microsecond') || coalesce(c.unconverted, c.hits)
                )[1:p_keep] else c.unconverted end
            returning c.subject, c.hits[1] as place
        ), begun as (
            insert into sends as s (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
            select i.id, 1, i.phone_hash, i.channel, 'request', 'begun', v_now, v_now, v_now
            from items i where i.token is not null and p_begins[i.item]
            on conflict do nothing
            returning s.verification_id
        ), due as (
            insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at)
            select i.id, 1, i.phone_hash, i.channel, 'request', 'due', v_now, v_now
            from items i where i.id not in (select b.verification_id from begun b)
        ), made as (
            insert into verifications as v (
                id, client_id, phone_hash, used, deliver, test, created_at, expires_at, pressed_at,
                phone_limit, ip_limit, ip_places, account_limit, account_place, source_budget, total_budget, sealed,
                next_action_at, lease_until, lease_token, lifts, sources, known_source, repeat_key
            )
            select i.id, p_client_id[i.item], i.phone_hash, array[i.channel],
                   p_deliver[i.item], p_test[i.item], v_now, i.expires_at, v_now,
                   p_phone_limit[i.item],
                   p_ip_limit[i.item], array(select h.place from hits h where h.subject = p_ip_limit[i.item]),
                   p_account_limit[i.item], (select h.place from hits h where h.subject = p_account_limit[i.item]),
                   p_source_budget[i.item], p_total_budget[i.item], p_sealed[i.item],
                   case when i.token is null then v_now else v_now + p_lease + p_grace end,
                   case when i.token is not null then v_now + p_lease end,
                   i.token,
                   case when v_exempt then
                       lifts_of(i.phone_hash, v_now) || review_of(p_client_id[i.item], i.phone_hash, v_now)
                   end,
                   array_remove(array(select unnest(p_sources[i.item:i.item])), null), v_known[i.item],
                   p_repeat[i.item]
            from items i
            returning v.id, v.lifts
        ), said as (
            insert into idempotency_keys (idem, body, verification_id, created_at, expires_at, remaining)
            select p_idem[i.item], p_body[i.item], i.id, v_now, i.expires_at, v_left[i.item]
            from items i
            where p_idem[i.item] is not null
        )
        select i.item, 'admitted', i.id, v_now, i.expires_at, v_left[i.item], null::float8,
               b.verification_id is not null, m.lifts
        from items i join made m on m.id = i.id left join begun b on b.verification_id = i.id;
    end loop;
end
$$;
