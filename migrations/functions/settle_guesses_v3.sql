-- Settle guesses, each once, for a batch: 'right', 'wrong', 'accepted' (the provider's reply was lost, and it holds some
-- guess of this verification as right: this one, unless that is another) or 'returned' (certainly not compared: its place
-- in the budgets is given back). A second call changes nothing and returns what is stored. No row for a guess that does
-- not exist.
--
-- Each item is settled exactly as if it had come alone, in the order of the arrays: one that shares its verification or
-- a budget with an item before it waits for the next round. p_wait and `held`: as in reserve_guesses_v4.
--
-- A right code verifies, even if the verification expired while it was being checked, unless the caller has canceled.
-- It also clears the number's budgets of this client (but a known source's right code leaves strangers' budgets alone,
-- or strangers would see that there is such a source), and makes its sources known for l_known_for seconds. (That is
-- written again only once a ninetieth of the time has passed, a day for 90 days, however often somebody comes.) The
-- first one gives back what the verification took of the limits of address, account and device: its own places, wherever
-- they are in the windows by now.
-- The last wrong code locks. Whatever ended a verification, nothing is left to send, and the number is no longer needed.
-- What the caller is told is stored with the guess, for its Idempotency-Key.
create or replace function settle_guesses_v3(
    p_now timestamptz, p_wait boolean,
    l_codes int[], l_source_max int[], l_source_seconds float8[], l_total_max int[], l_total_seconds float8[],
    l_known_for float8[], p_guess uuid[], p_result text[], p_limits int[]
) returns table (item int, held boolean, status text, remaining int, verified boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_locked uuid[];
    v_subjects uuid[];
    v_devices uuid[];
    v_open int[]; -- null: all
    v_wait int[];
    v_taken uuid[];
    v_turn uuid[]; -- the verifications, and how they stand afterwards; null where they have not ended
    v_wrong int[];
    v_ended text[];
    v_guesses uuid[]; -- what is stored with the guesses
    v_states text[];
    v_statuses text[];
    v_left int[];
    v_cleared uuid[]; -- budgets
    v_sources uuid[]; -- what is known from now on
    v_phones uuid[];
    v_untils timestamptz[];
    v_first uuid[]; -- verified for the first time, and the places that this gives back
    v_limits uuid[];
    v_places timestamptz[];
    v_returned uuid[];
    v_result text;
    v_mine boolean;
    v_now timestamptz;
    v record;
    l int;
begin
    if p_wait then
        perform 1 from verifications r
        where r.id = any (array(select x.verification_id from guesses x where x.id = any (p_guess)))
        order by r.id for update;
    end if;
    select array_agg(h.id), array_agg(h.source_budget) || array_agg(h.total_budget)
           || array_agg(h.ip_limit) || array_agg(h.account_limit), array_remove(array_agg(h.device_limit), null)
    into v_locked, v_subjects, v_devices from (
        select r.id, r.source_budget, r.total_budget, s.device_limit,
               case when i.result in ('right', 'accepted') then r.ip_limit end as ip_limit,
               case when i.result in ('right', 'accepted') then r.account_limit end as account_limit
        from unnest(p_guess, p_result) as i(guess, result)
        join guesses x on x.id = i.guess
        join verifications r on r.id = x.verification_id
        left join sends s on s.verification_id = r.id and i.result in ('right', 'accepted')
        order by r.id for update of r skip locked
    ) as h;
    perform from holding(v_subjects || v_devices);
    v_now := coalesce(p_now, clock_timestamp());
    loop
        v_wait := '{}';
        v_taken := '{}';
        v_turn := '{}';
        v_wrong := '{}';
        v_ended := '{}';
        v_guesses := '{}';
        v_states := '{}';
        v_statuses := '{}';
        v_left := '{}';
        v_cleared := '{}';
        v_sources := '{}';
        v_phones := '{}';
        v_untils := '{}';
        v_first := '{}';
        v_limits := '{}';
        v_places := '{}';
        v_returned := '{}';
        for v in
            select i.item, x.id as guess, x.state, x.counted_at, r.id, r.status, r.expires_at, r.guesses_wrong,
                   r.guesses_open, r.lifts, r.phone_hash, r.source_budget, r.total_budget,
                   r.sources, r.ip_limit, r.ip_places, r.account_limit, r.account_place,
                   s.hits as source_hits, t.hits as total_hits
            from generate_subscripts(p_guess, 1) as i(item)
            join guesses x on x.id = p_guess[i.item]
            join verifications r on r.id = x.verification_id
            left join counters s on s.subject = r.source_budget
            left join counters t on t.subject = r.total_budget
            where v_open is null or i.item = any (v_open)
            order by i.item
        loop
            item := v.item;
            held := (v.id = any (v_locked)) is not true;
            if held then
                return next;
                continue;
            end if;
            if v_taken && array[v.id, v.source_budget, v.total_budget] then
                v_wait := v_wait || item;
                v_taken := v_taken || array[v.id, v.source_budget, v.total_budget];
                continue;
            end if;
            l := p_limits[item];
            v_mine := v.state = 'open';
            v_result := p_result[item];
            if v_result = 'accepted' then
                v_result := case
                    when exists (select from guesses o where o.verification_id = v.id and o.state = 'right') then 'wrong'
                    else 'right'
                end;
            end if;
            if v_mine then
                v.guesses_open := v.guesses_open - 1;
                if v_result = 'wrong' then
                    v.guesses_wrong := v.guesses_wrong + 1;
                elsif v_result = 'right' then
                    v.source_hits := null;
                    v.total_hits := null;
                else
                    v.source_hits := array_remove(v.source_hits, v.counted_at);
                    v.total_hits := array_remove(v.total_hits, v.counted_at);
                end if;
            end if;
            remaining := l_codes[l] - v.guesses_wrong - v.guesses_open;
            if ('lockouts' = any (v.lifts)) is not true then
                remaining := least(
                    remaining,
                    places_left(v.source_hits, l_source_max[l], v_now - make_interval(secs => l_source_seconds[l])),
                    places_left(v.total_hits, l_total_max[l], v_now - make_interval(secs => l_total_seconds[l]))
                );
            end if;
            remaining := greatest(0, remaining);
            status := case
                when v_mine and v_result = 'right' and v.status in ('pending', 'expired') then 'verified'
                else told_status(
                    v.id, v.phone_hash, v.total_budget, v.status, v.expires_at, v_now,
                    l_codes[l], v.guesses_wrong, v.guesses_open, remaining
                )
            end;
            verified := status = 'verified' and (case when v_mine then v_result else v.state end) = 'right';
            return next;
            continue when not v_mine;
            v_taken := v_taken || array[v.id, v.source_budget, v.total_budget];
            v_turn := v_turn || v.id;
            v_wrong := v_wrong || v.guesses_wrong::int;
            if v_result = 'returned' then
                v_ended := v_ended || null::text;
                v_returned := v_returned || v.guess;
                continue;
            end if;
            v_ended := v_ended || nullif(status, v.status);
            v_guesses := v_guesses || v.guess;
            v_states := v_states || v_result;
            v_statuses := v_statuses || status;
            v_left := v_left || remaining;
            if v_result = 'right' then
                v_cleared := v_cleared || array[v.source_budget, v.total_budget];
                if status = 'verified' and v.sources <> '{}' then
                    v_sources := v_sources || v.sources;
                    v_phones := v_phones || array_fill(v.phone_hash, array[cardinality(v.sources)]);
                    v_untils := v_untils || array_fill(
                        v_now + make_interval(secs => l_known_for[l]), array[cardinality(v.sources)]
                    );
                end if;
                if status = 'verified' and v.status <> 'verified' then
                    v_first := v_first || v.id;
                    v_limits := v_limits || v.account_limit;
                    v_places := v_places || v.account_place;
                    if v.ip_places <> '{}' then
                        v_limits := v_limits || array_fill(v.ip_limit, array[cardinality(v.ip_places)]);
                        v_places := v_places || v.ip_places;
                    end if;
                end if;
            end if;
        end loop;
        exit when v_turn = '{}';
        with stored as (
            update guesses x set state = t.state, status = t.status, remaining = t.remaining
            from unnest(v_guesses, v_states, v_statuses, v_left) as t(guess, state, status, remaining)
            where x.id = t.guess
        )
        update verifications r set
            guesses_open = r.guesses_open - 1, guesses_wrong = t.wrong,
            status = coalesce(t.ended, r.status),
            closed_at = case when t.ended is null then r.closed_at else v_now end,
            sealed = case when t.ended is null then r.sealed end,
            next_action_at = case
                when t.ended is null or r.lease_token is not null then r.next_action_at else tidy_at(r.id, v_now)
            end
        from unnest(v_turn, v_wrong, v_ended) as t(id, wrong, ended)
        where r.id = t.id;
        if v_cleared <> '{}' then
            delete from counters c where c.subject = any (v_cleared);
        end if;
        if v_sources <> '{}' then
            insert into known_sources as k (source, phone_hash, until)
            select distinct on (s.source) s.source, s.phone_hash, s.until
            from unnest(v_sources, v_phones, v_untils) as s(source, phone_hash, until)
            order by s.source, s.until desc
            on conflict (source) do update set until = excluded.until
            where k.until < excluded.until - (excluded.until - v_now) / 90;
        end if;
        if v_first <> '{}' then
            if v_devices <> '{}' then
                select v_limits || array_agg(s.device_limit), v_places || array_agg(s.device_place)
                into v_limits, v_places
                from sends s where s.verification_id = any (v_first) and s.device_limit = any (v_devices);
            end if;
            -- Exactly those places, told by their times; all that was counted (hits) keeps them.
            update counters c set unconverted = case cardinality(p.places)
                when 1 then array_remove(coalesce(c.unconverted, c.hits), p.places[1])
                else array(
                    select u.hit from unnest(coalesce(c.unconverted, c.hits)) with ordinality as u(hit, n)
                    where u.hit <> all (p.places) order by u.n
                )
            end
            from (
                select g.subject, array_agg(g.place) as places from unnest(v_limits, v_places) as g(subject, place)
                where g.place is not null
                group by g.subject
            ) as p
            where c.subject = p.subject and c.hits && p.places;
        end if;
        if v_returned <> '{}' then
            with gone as (
                delete from guesses x using verifications r
                where x.id = any (v_returned) and r.id = x.verification_id
                returning array[r.source_budget, r.total_budget] as budgets, x.counted_at
            )
            update counters c set hits = array_remove(c.hits, g.counted_at)
            from gone g cross join unnest(g.budgets) as s(subject)
            where c.subject = s.subject;
        end if;
        exit when v_wait = '{}';
        v_open := v_wait;
    end loop;
end
$$;
