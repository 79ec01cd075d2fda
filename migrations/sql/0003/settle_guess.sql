-- Settle one guess, once: 'right', 'wrong', 'accepted' (its answer was lost, and the provider holds some
-- guess of this verification as right: this one, unless that is another) or 'returned' (certainly not
-- compared: its place in the budgets is given back). Whoever comes second changes nothing and is told
-- what stands.
-- A right code clears the number's budgets of this client (a known source's leaves those of strangers as they are, or
-- they would see that there is one), and verifies unless the caller has canceled. Where it came from is known then.
-- What the caller is told is kept with the guess, for his Idempotency-Key.
create or replace function settle_guess(
    p_now timestamptz, p_guess uuid, p_result text, p_codes int, w_kind int[], w_max int[], w_seconds float8[]
) returns table (status text, remaining int, verified boolean)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v verifications;
    g guesses;
    v_now timestamptz;
begin
    select r.* into v from verifications r
    where r.id = (select x.verification_id from guesses x where x.id = p_guess) for update;
    if not found then return; end if;
    perform hold_subjects(array[v.source_budget, v.total_budget]);
    v_now := coalesce(p_now, clock_timestamp());
    select * into g from guesses x where x.id = p_guess;
    if p_result = 'accepted' then
        p_result := case
            when exists (select from guesses x where x.verification_id = v.id and x.state = 'right') then 'wrong'
            else 'right'
        end;
    end if;
    if g.state = 'open' then
        if p_result = 'returned' then
            delete from guesses x where x.id = p_guess;
            update counters c set hits = array_remove(c.hits, g.counted_at)
            where c.subject in (v.source_budget, v.total_budget);
        elsif p_result = 'right' then
            delete from counters c where c.subject in (v.source_budget, v.total_budget);
        end if;
        update verifications r set
            guesses_open = r.guesses_open - 1,
            guesses_wrong = r.guesses_wrong + (p_result = 'wrong')::int
        where r.id = v.id
        returning * into v;
        if p_result <> 'returned' then
            v := close_if_ended(v, p_result, v_now, p_codes, w_kind, w_max, w_seconds);
        end if;
        if p_result = 'right' and v.status = 'verified' then
            perform remember(v, v_now);
        end if;
    end if;
    status := effective_status(v, v_now, p_codes, w_kind, w_max, w_seconds);
    remaining := attempts_left(v, v_now, p_codes, w_kind, w_max, w_seconds);
    if g.state = 'open' and p_result <> 'returned' then
        update guesses x set state = p_result, status = settle_guess.status, remaining = settle_guess.remaining
        where x.id = p_guess
        returning * into g;
    end if;
    verified := status = 'verified' and coalesce(g.state = 'right', false);
    return next;
end
$$;
