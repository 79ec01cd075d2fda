-- Reserve guesses before the provider is asked, for a batch. The count is exact with any number of callers: the rows of
-- the verifications are locked, and then the budgets of their numbers. Returns what to ask (the sends), or why not.
--
-- Each item is decided exactly as if it had come alone, in the order of the arrays. This is done in rounds: an item that
-- shares its verification, a budget or its Idempotency-Key with an item before it that is reserved in this round, or
-- waits, waits for the next round.
--
-- p_again: the guesses may have been inserted already (a connection was lost at COMMIT); one whose id is known is
-- answered, not counted again. One that was taken back before it came is 'withdrawn'.
-- p_wait: wait for rows that somebody else has locked. Without it their items are 'held': whoever holds one must not hold
-- up the others.
-- An Idempotency-Key that was seen before gets the earlier reply if it comes with the same code (p_body: a keyed hash
-- of the code and of what it was for); if that guess is still open, 'in_flight'; with another code, 'mismatch'.
-- One that comes with another verification at the same time violates its constraint; carried again (p_again), it is told
-- 'in_flight' too. (Processes of the release before do not lock keys.)
-- Limits: those of item i are at place p_limits[i] of the arrays l_.
-- age: seconds since the caller's last request or fallback; channels: how many of them the caller has asked for.
create or replace function reserve_guesses_v4(
    p_now timestamptz, p_again boolean, p_wait boolean, p_settle interval, p_keep int,
    l_codes int[], l_source_max int[], l_source_seconds float8[], l_total_max int[], l_total_seconds float8[],
    p_verification_id uuid[], p_guess uuid[], p_key_id int[], p_client_id int[], p_limits int[], p_idem uuid[],
    p_body uuid[]
) returns table (
    item int, outcome text, status text, remaining int, verified boolean, test boolean, age float8, channels int,
    sends json
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_locked uuid[];
    v_budgets uuid[];
    v_known uuid[] := '{}';
    v_open int[]; -- null: all
    v_turn int[];
    v_left int[];
    v_subjects uuid[];
    v_places timestamptz[];
    v_taken uuid[];
    v_wait int[];
    v_place timestamptz;
    v_now timestamptz;
    v record;
    l int;
begin
    if p_wait then
        perform 1 from verifications r where r.id = any (p_verification_id) order by r.id for update;
    end if;
    select array_agg(r.id), array_agg(r.source_budget) || array_agg(r.total_budget) into v_locked, v_budgets from (
        select r.id, r.source_budget, r.total_budget from verifications r
        where r.id = any (p_verification_id) order by r.id for update skip locked
    ) as r;
    perform from holding(v_budgets || p_idem);
    v_now := coalesce(p_now, clock_timestamp());
    if p_again then
        v_known := array(select g.id from guesses g where g.id = any (p_guess));
    end if;
    loop
        v_turn := '{}';
        v_left := '{}';
        v_subjects := '{}';
        v_places := '{}';
        v_taken := '{}';
        v_wait := '{}';
        for v in
            select i.item, k.id is not null as authorized, r.id, r.status, r.expires_at, r.guesses_wrong, r.guesses_open,
                   r.lifts, r.phone_hash, r.source_budget, r.total_budget, r.test,
                   extract(epoch from v_now - r.pressed_at)::float8 as age, cardinality(r.used) as channels,
                   s.hits[1:l_source_max[p_limits[i.item]]] as source_hits,
                   t.hits[1:l_total_max[p_limits[i.item]]] as total_hits,
                   g.id as said_id, g.state as said, g.status as said_status, g.remaining as said_remaining,
                   g.verification_id <> r.id or g.body <> p_body[i.item] as differs,
                   w.id is not null as withdrawn
            from generate_subscripts(p_guess, 1) as i(item)
            left join api_keys k on k.id = p_key_id[i.item] and k.revoked_at is null
            left join verifications r on r.id = p_verification_id[i.item] and r.client_id = p_client_id[i.item]
            left join counters s on s.subject = r.source_budget
            left join counters t on t.subject = r.total_budget
            left join guesses g on g.idem = p_idem[i.item]
            left join withdrawals w on w.id = p_guess[i.item]
            where v_open is null or i.item = any (v_open)
            order by i.item
        loop
            item := v.item;
            outcome := case
                when v.id is null then case when v.authorized then 'unknown' else 'unauthorized' end
                when (v.id = any (v_locked)) is not true then 'held'
                when v.withdrawn then 'withdrawn'
                when not v.authorized and p_guess[item] <> all (v_known) then 'unauthorized'
            end;
            verified := null;
            sends := null;
            if outcome is not null then
                status := null;
                remaining := null;
                test := null;
                age := null;
                channels := null;
                return next;
                continue;
            end if;
            if v_taken && array[v.id, v.source_budget, v.total_budget, p_idem[item]] then
                v_wait := v_wait || item;
                v_taken := v_taken || array[v.id, v.source_budget, v.total_budget, p_idem[item]];
                continue;
            end if;
            l := p_limits[item];
            remaining := l_codes[l] - v.guesses_wrong - v.guesses_open;
            if ('lockouts' = any (v.lifts)) is not true then
                remaining := least(
                    remaining,
                    places_left(v.source_hits, l_source_max[l], v_now - make_interval(secs => l_source_seconds[l])),
                    places_left(v.total_hits, l_total_max[l], v_now - make_interval(secs => l_total_seconds[l]))
                );
            end if;
            remaining := greatest(0, remaining);
            status := told_status(
                v.id, v.phone_hash, v.total_budget, v.status, v.expires_at, v_now,
                l_codes[l], v.guesses_wrong, v.guesses_open, remaining
            );
            test := v.test;
            age := v.age;
            channels := v.channels;
            outcome := case
                when p_guess[item] = any (v_known) then 'reserved'
                when v.said = 'open' and p_again then 'in_flight'
                when v.differs then 'mismatch'
                when v.said = 'open' then 'in_flight'
                when v.said_id is not null then 'replayed'
                when status <> 'pending' then 'closed'
                when remaining = 0 then 'busy'
            end;
            if outcome is null then
                -- The same in both, and of no other hit: by it a guess that is given back is found again.
                v_place := greatest(
                    v_now, v.source_hits[1] + interval '1 microsecond', v.total_hits[1] + interval '1 microsecond'
                );
                v_turn := v_turn || item;
                v_left := v_left || remaining;
                v_subjects := v_subjects || array[v.source_budget, v.total_budget];
                v_places := v_places || array[v_place, v_place];
                v_taken := v_taken || array[v.id, v.source_budget, v.total_budget, p_idem[item]];
                continue;
            end if;
            if outcome = 'replayed' then
                verified := v.said = 'right' and v.said_status = 'verified';
                status := v.said_status;
                remaining := v.said_remaining;
            elsif outcome = 'reserved' then
                sends := sends_to_check(v.id);
            end if;
            return next;
        end loop;
        exit when v_turn = '{}';
        return query
        with made as (
            insert into guesses (id, verification_id, counted_at, settle_at, idem, body)
            select p_guess[t.item], p_verification_id[t.item], v_places[2 * t.n], v_places[2 * t.n] + p_settle,
                   p_idem[t.item], p_body[t.item]
            from unnest(v_turn) with ordinality as t(item, n)
        ), hits as (
            insert into counters as c (subject, hits)
            select s.subject, array[s.place] from unnest(v_subjects, v_places) as s(subject, place)
            on conflict (subject) do update set hits = (excluded.hits || c.hits)[1:p_keep]
        )
        update verifications r set guesses_open = r.guesses_open + 1
        from unnest(v_turn, v_left) as t(item, remaining)
        where r.id = p_verification_id[t.item]
        returning t.item, 'reserved', 'pending', t.remaining, null::boolean, r.test,
            extract(epoch from v_now - r.pressed_at)::float8, cardinality(r.used), sends_to_check(r.id);
        exit when v_wait = '{}';
        v_open := v_wait;
    end loop;
end
$$;
